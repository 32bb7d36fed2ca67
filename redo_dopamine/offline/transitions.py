"""From the rows of a ring to transitions.

What comes in: actions, rewards and flags by row. What leaves: records, as the replay
buffer keeps them: those transitions that Dopamine's own buffer would draw from these
rows, of which there is none across the end of an episode or across the cursor.
"""

from typing import NamedTuple

import numpy as np

from redo_dopamine.offline import layout
from redo_dopamine.replay.windows import WindowSettings


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
    found[layout.invalid_rows(cursor, ring.rows, *settings[:2])] = True
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
