"""Read a data set into frames and transitions, a block at a time.

Frames go from the file into the store block by block, where each strip of a picture
that did not change is kept once; room is made for all of them at once, which the
system hands out as it is used. So a split never takes more than its own size.
"""

import contextlib
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tqdm

from redo_dopamine.cli import process
from redo_dopamine.errors import UserError
from redo_dopamine.offline import arrays
from redo_dopamine.replay.frames import FrameStore
from redo_dopamine.replay.segments import Contents
from redo_dopamine.replay.windows import RecordRing, WindowSettings


class Ring(NamedTuple):
    """The rows of one split, its frames apart.

    Attributes:
        action: [rows].
        reward: [rows].
        terminal: [rows] bool, 1 where an episode came to its end.
        episode_end: [rows] bool, 1 at the last row of every episode.
        add_count: how many rows have been written in all.
        invalid_range: rows that no state may end with.
    """

    action: np.ndarray
    reward: np.ndarray
    terminal: np.ndarray
    episode_end: np.ndarray
    add_count: int
    invalid_range: np.ndarray

    @property
    def rows(self) -> int:
        """Of the ring, written or not."""
        return len(self.action)

    @property
    def num_written(self) -> int:
        """How many rows hold something."""
        return min(self.add_count, self.rows)

    @property
    def oldest(self) -> int:
        """The row that was written first of those that are there."""
        return self.add_count % self.rows if self.add_count >= self.rows else 0


def num_repeated(ring: Ring, settings: WindowSettings) -> int:
    """How many first rows must follow the last ones, for states across the wrap."""
    across = settings.stack_size - 1 + settings.update_horizon
    return min(across, ring.rows) if ring.oldest else 0


def records_of(
    ring: Ring, settings: WindowSettings, first_frame: int, dtype: np.dtype
) -> np.ndarray:
    """The transitions of a split, oldest first.

    A step is one if all frames of its state are of its episode, where the zeros
    before an episode count as its frames; and if, of n steps from it, the last has
    been seen or the episode came to its end before. Of an episode that was cut off,
    the last n steps are none, because their next states were never seen.

    Args:
        ring: the rows.
        settings: stack size, n and gamma.
        first_frame: number of row 0's frame; the others follow, `num_repeated` first
            ones once more behind the last.
        dtype: of the records.
    """
    stack, horizon, gamma = settings
    count = ring.num_written
    rows = (ring.oldest + np.arange(count)) % ring.rows  # In the order of time.
    reward, terminal = ring.reward[rows].astype(np.float64), ring.terminal[rows]
    end = terminal | ring.episode_end[rows]
    positions = np.arange(count)
    # The end of the episode that a step is in; `count` where that is not there.
    ends = np.where(end, positions, count)
    ends = np.minimum.accumulate(ends[::-1])[::-1]
    last = positions + horizon - 1
    ends_in_window = ends <= last
    terminates = ends_in_window & np.append(terminal, False)[ends]
    next_seen = ~ends_in_window & (last + 1 < count)
    valid = terminates | next_seen
    valid &= _in_one_episode(end, stack) & ~_near_cursor(ring, settings)[rows]
    chosen = positions[valid]
    span = np.where(terminates, ends - positions, horizon)[valid]
    made = np.zeros(len(chosen), dtype)
    row = rows[chosen]
    # A state across the wrap: its frames stand behind the last row.
    wrapped = row < stack - 1
    made["frame"] = first_frame + row + np.where(wrapped, ring.rows, 0)
    made["depth"] = stack
    made["span"] = span
    made["action"] = ring.action[row]
    made["terminal"] = terminates[chosen]
    arrives = np.minimum(chosen + horizon, count - 1)
    made["episode_end"] = made["terminal"] | (end & ~terminal)[arrives]
    made["reward"] = _discounted(reward, chosen, ends, horizon, gamma)
    return made


def _in_one_episode(end: np.ndarray, stack: int) -> np.ndarray:
    """Which states' earlier frames are there, and none of them ends an episode."""
    ends_before = np.cumsum(end) - end
    first = np.arange(len(end)) - (stack - 1)
    return (first >= 0) & (ends_before == ends_before[np.maximum(first, 0)])


def _near_cursor(ring: Ring, settings: WindowSettings) -> np.ndarray:
    """By row: whether no state may end with it."""
    found = np.zeros(ring.rows, bool)
    found[ring.invalid_range] = True
    cursor = ring.add_count % ring.rows
    found[arrays.invalid_rows(cursor, ring.rows, *settings[:2])] = True
    return found


def _discounted(
    reward: np.ndarray,
    chosen: np.ndarray,
    ends: np.ndarray,
    horizon: int,
    gamma: float,
) -> np.ndarray:
    """Rewards of n steps, or up to the end of the episode."""
    total = np.zeros(len(chosen))
    for k in range(horizon):
        step = np.minimum(chosen + k, len(reward) - 1)
        total += np.where(chosen + k <= ends[chosen], reward[step] * gamma**k, 0.0)
    return total


class Loaded(NamedTuple):
    """A data set in memory.

    Attributes:
        contents: frames and transitions.
        checksum: one number of all that was read.
        largest_action: that there is in any row.
        its_place: the row and file of that action, for messages.
    """

    contents: Contents
    checksum: int
    largest_action: int
    its_place: str


def load(
    directory: Path, splits: Sequence[int] | None, settings: WindowSettings
) -> Loaded:
    """Read splits, one after the other.

    Args:
        directory: where their files are.
        splits: numbers; None for all that are there.
        settings: stack size, n and gamma.

    Raises:
        UserError: a file is missing, damaged or does not fit the others.
    """
    chosen = _choose(directory, splits)
    rings = [_read_ring(directory, split) for split in chosen]
    checksum = zlib.crc32(b"".join(column for ring in rings for column in _bytes(ring)))
    parts = []
    with contextlib.ExitStack() as opened:
        streams = [
            opened.enter_context(_open_frames(directory, split, ring))
            for split, ring in zip(chosen, rings, strict=True)
        ]
        rows = sum(ring.rows + num_repeated(ring, settings) for ring in rings)
        frames = _room_for(streams, rows)
        kind = RecordRing(1, rings[0].action.dtype, ()).dtype
        for split, ring, stream in zip(chosen, rings, streams, strict=True):
            parts.append(records_of(ring, settings, frames.end, kind))
            _add_frames(frames, stream, ring, settings, f"Split {split}")
            checksum = zlib.crc32(stream.checksum.to_bytes(4), checksum)
    records = np.concatenate(parts)
    if len(records) == 0:
        raise UserError(
            "A data set must hold a transition, but there is none in the "
            f"{len(frames)} rows of {directory}. Record more steps than "
            f"{sum(settings[:2])}, in episodes longer than that."
        )
    kept = RecordRing(len(records), kind["action"], ())
    kept.restore(records, len(records))
    largest = _largest_action(directory, dict(zip(chosen, rings, strict=True)))
    return Loaded(Contents(frames, kept), checksum, *largest)


def _largest_action(directory: Path, rings: Mapping[int, Ring]) -> tuple[int, str]:
    """That of all rows that are written, and where it is."""
    action, split, row = max(
        (int(column.max()), -split, -int(column.argmax()))
        for split, ring in rings.items()
        if len(column := ring.action[: ring.num_written])
    )
    path = arrays.array_path(directory, "action", -split)
    return action, f"row {-row} of {path}"


def _choose(directory: Path, splits: Sequence[int] | None) -> list[int]:
    there = arrays.splits_in(directory)
    wanted = there if splits is None else list(splits)
    absent = [split for split in wanted if split not in there]
    if not wanted or absent:
        found = (
            f"{directory} has {there or 'none'}"
            if directory.is_dir()
            else (f"there is no directory {directory}")
        )
        raise UserError(
            "A run on fixed data needs splits of the DQN Replay layout, "
            f"{absent or 'any'} here, but {found}. Record some by 'python -m "
            "redo_dopamine.offline record', copy the game's files from "
            "gs://atari-replay-datasets/dqn, or bind replay_logs.root, replay_logs.run "
            "and replay_logs.splits."
        )
    return wanted


def _read_ring(directory: Path, split: int) -> Ring:
    missing = [x for x in arrays.required_paths(directory, split) if not x.is_file()]
    if missing:
        raise UserError(
            f"A split must have all of its files, but split {split} in {directory} "
            f"lacks {', '.join(path.name for path in missing)}. Download or record it "
            "again, or leave it out of replay_logs.splits."
        )

    def path_of(name: str) -> Path:
        return arrays.array_path(directory, name, split)

    kinds = {"action": "iu", "reward": "fiu", "terminal": "biuf"}
    if path_of(arrays.EPISODE_END).is_file():
        kinds[arrays.EPISODE_END] = "biu"
    columns = {name: arrays.read(path_of(name), kind) for name, kind in kinds.items()}
    shapes = {name: column.shape for name, column in columns.items()}
    if len(set(shapes.values())) > 1 or columns["action"].ndim != 1:
        raise UserError(
            f"The arrays of a split must have one entry per row, but those of split "
            f"{split} in {directory} are of shapes {shapes}. Download or record it "
            "again."
        )
    terminal = columns["terminal"].astype(bool)
    ring = Ring(
        action=columns["action"],
        reward=columns["reward"],
        terminal=terminal,
        episode_end=columns.get(arrays.EPISODE_END, terminal).astype(bool),
        add_count=_add_count(directory, split),
        invalid_range=_invalid_range(directory, split, len(terminal)),
    )
    _check_rows(directory, split, ring.num_written, columns)
    return ring


def _add_count(directory: Path, split: int) -> int:
    path = arrays.note_path(directory, arrays.ADD_COUNT, split)
    found = arrays.read(path, "iu")
    if found.shape != (1,) or found[0] < 0:
        raise arrays.damaged(path, f"it is no number >= 0, but {found.tolist()}")
    return int(found[0])


def _invalid_range(directory: Path, split: int, rows: int) -> np.ndarray:
    path = arrays.note_path(directory, arrays.INVALID_RANGE, split)
    # Zeros with a fraction where nothing has been added yet.
    found = arrays.read(path, "iuf")
    if found.ndim != 1 or not ((found >= 0) & (found < rows)).all():
        raise arrays.damaged(path, f"it names rows {found.tolist()} of {rows}")
    return found.astype(np.int64)


def _check_rows(
    directory: Path, split: int, written: int, columns: Mapping[str, np.ndarray]
) -> None:
    """Refuse rows that would spoil the whole training, and name the first.

    Rows that are not written yet may have anything.
    """
    with np.errstate(over="ignore"):
        finite = np.isfinite(columns["reward"].astype(np.float32))
    wrong = {"reward": ~finite, "action": columns["action"] < 0}
    for name in columns.keys() - wrong.keys():
        wrong[name] = (columns[name] != 0) & (columns[name] != 1)
    if arrays.EPISODE_END in columns:
        ends = columns[arrays.EPISODE_END]
        wrong[arrays.EPISODE_END] |= (columns["terminal"] == 1) & (ends == 0)
    for name, column in columns.items():
        rows = np.flatnonzero(wrong[name][:written])
        if len(rows):
            raise arrays.damaged(
                arrays.array_path(directory, name, split),
                f"row {rows[0]} of {len(column)} has the {name} {column[rows[0]]} "
                f"({len(rows)} such rows)",
            )


def _open_frames(directory: Path, split: int, ring: Ring) -> arrays.RowStream:
    path = arrays.array_path(directory, "observation", split)
    stream = arrays.RowStream(path)
    if len(stream.shape) < 2 or stream.shape[0] != ring.rows:
        raise arrays.damaged(
            path, f"its array is of shape {stream.shape} for {ring.rows} actions"
        )
    if stream.dtype != np.uint8:
        raise arrays.damaged(path, f"its pixels are {stream.dtype}, not uint8")
    try:
        FrameStore(stream.shape[1:], stream.dtype)
    except ValueError as error:
        raise arrays.damaged(path, error) from error
    return stream


def _room_for(streams: Sequence[arrays.RowStream], rows: int) -> FrameStore:
    """An empty store with room for frames of which no two have a strip in common."""
    kinds = {(stream.shape[1:], stream.dtype) for stream in streams}
    if len(kinds) > 1:
        raise UserError(
            f"All splits must have frames of one shape and type, but have {kinds}. "
            "Choose those that go together by replay_logs.splits."
        )
    [(shape, dtype)] = kinds
    one = FrameStore(shape, dtype)
    one.extend(np.zeros((1, *shape), dtype))
    return FrameStore(shape, dtype, num_bands=rows * one.bands_in_use)


def _add_frames(
    frames: FrameStore,
    stream: arrays.RowStream,
    ring: Ring,
    settings: WindowSettings,
    name: str,
) -> None:
    """The frames of every row, then `num_repeated` first ones once more."""
    repeated = np.empty((num_repeated(ring, settings), *frames.shape), frames.dtype)
    first = frames.end
    with tqdm.tqdm(
        total=ring.rows,
        desc=name,
        unit=" rows",
        leave=False,
        disable=None,
        **process.bar_size(),
    ) as progress:
        for block in stream.blocks():
            start = frames.end - first
            frames.extend(block)
            if start < len(repeated):
                part = block[: len(repeated) - start]
                repeated[start : start + len(part)] = part
            progress.update(len(block))
    frames.extend(repeated)


def _bytes(ring: Ring) -> list[bytes]:
    columns = (ring.action, ring.reward, ring.terminal, ring.episode_end)
    return [column.tobytes() for column in columns]
