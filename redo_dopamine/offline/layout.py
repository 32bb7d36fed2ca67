"""Where a data set's files lie and what they are called.

The public DQN Replay data set is the contents of replay buffers of Dopamine's, saved
one after the other while an agent trained. `<root>/<Game>/<run>/replay_logs/` holds
splits, numbered from 0, each of these files, a gzipped .npy array every one:

    $store$_observation_ckpt.N.gz  [rows, 84, 84] uint8, one frame per agent step
    $store$_action_ckpt.N.gz       [rows] int32
    $store$_reward_ckpt.N.gz       [rows] float32, clipped to [-1, 1]
    $store$_terminal_ckpt.N.gz     [rows] uint8
    add_count_ckpt.N.gz            how many rows had been written by then
    invalid_range_ckpt.N.gz        rows that no state may end with

The rows are a ring: row `add_count % rows` is the next to be written, so the oldest
one where the ring is full. Three rows of zeros (the frames of a state but one) stand
before every episode.

Terminal flags are all that marks the end of an episode. An episode that was cut off,
by a limit on its length, has none: in the public files, of 2019, it looks like one
that came to its end, because Dopamine then flagged it as terminal; in files of a newer
Dopamine it looks as if it went on into the zeros and the next episode. Our recordings
have a file more, which other readers pass over:

    $store$_episode_end_ckpt.N.gz  [rows] uint8, 1 at the last row of every episode

A row with 1 there and 0 in `terminal` is the last of an episode that was cut off.
"""

import re
from pathlib import Path

ARRAYS = ("observation", "action", "reward", "terminal")
EPISODE_END = "episode_end"  # Ours; may be missing.
ADD_COUNT, INVALID_RANGE = "add_count", "invalid_range"
_OBSERVATIONS = re.compile(r"\$store\$_observation_ckpt\.(0|[1-9][0-9]*)\.gz")


def directory_of(root: str | Path, game: str, run: int | str) -> Path:
    """The directory of a game's splits.

    Args:
        root: of the data set.
        game: in Dopamine's spelling, as DemonAttack.
        run: the public data set has 1 to 5, of five agents.
    """
    return Path(root) / game / str(run) / "replay_logs"


def array_path(directory: Path, name: str, split: int) -> Path:
    """The file of an array with one entry per row."""
    return directory / f"$store$_{name}_ckpt.{split}.gz"


def note_path(directory: Path, name: str, split: int) -> Path:
    """The file of `ADD_COUNT` or `INVALID_RANGE`."""
    return directory / f"{name}_ckpt.{split}.gz"


def required_paths(directory: Path, split: int) -> list[Path]:
    """The files without which a split cannot be read."""
    return [
        *(array_path(directory, name, split) for name in ARRAYS),
        note_path(directory, ADD_COUNT, split),
        note_path(directory, INVALID_RANGE, split),
    ]


def splits_in(directory: Path) -> list[int]:
    """The numbers of the splits of which there are observations, in order."""
    if not directory.is_dir():
        return []
    matches = (_OBSERVATIONS.fullmatch(path.name) for path in directory.iterdir())
    return sorted(int(match[1]) for match in matches if match)


def invalid_rows(cursor: int, rows: int, stack_size: int, horizon: int) -> list[int]:
    """The rows about a ring's cursor that no state may end with, by Dopamine's rule.

    Before the cursor, the next state n steps later is not there yet; from it on,
    the frames before are gone.

    Args:
        cursor: the row that is written next.
        rows: of the ring.
        stack_size: frames per state.
        horizon: n of n-step returns.
    """
    return [(cursor - horizon + i) % rows for i in range(stack_size + horizon)]
