"""Transitions in, transitions out: numbers about frames in a ring.

What comes in: a `Record` at a time. What leaves: structured arrays of them, by slot
or by number. Record number k lies in slot k % capacity.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt


class Record(NamedTuple):
    """One transition, its observations named by number.

    Attributes:
        frame: number of the state's last frame.
        depth: how many of the state's stacked frames are of its episode; the others,
            before them, are zeros.
        span: steps from the state to the next state.
        action: taken in the state.
        reward: discounted sum over the window.
        terminal: whether the value of the next state must not count.
        episode_end: whether the episode ends with this transition.
    """

    frame: int
    depth: int
    span: int
    action: Any
    reward: float
    terminal: bool
    episode_end: bool


class RecordRing:
    """The newest `capacity` records.

    Args:
        capacity: how many are kept.
        action: type of one action.
        action_shape: shape of one action; () for a discrete one.

    Attributes:
        end: number that the next record will get.
    """

    def __init__(
        self, capacity: int, action: npt.DTypeLike, action_shape: Sequence[int]
    ):
        self.dtype = np.dtype(
            [
                ("frame", np.int64),
                ("reward", np.float64),
                ("action", action, tuple(action_shape)),
                ("depth", np.int32),
                ("span", np.int32),
                ("terminal", np.bool_),
                ("episode_end", np.bool_),
            ],
            align=True,
        )
        self.end = 0
        # Zeros, because the system hands out their memory only when it is written.
        self._slots = np.zeros(capacity, self.dtype)

    def __len__(self) -> int:
        return min(self.end, len(self._slots))

    @property
    def first(self) -> int:
        """Number of the oldest record."""
        return self.end - len(self)

    @property
    def nbytes(self) -> int:
        """Memory in bytes, of what has been written."""
        return len(self) * self.dtype.itemsize

    def append(self, record: Record) -> None:
        """Add one, in the place of the oldest if the ring is full."""
        frame, depth, span, action, reward, terminal, episode_end = record
        self._slots[self.end % len(self._slots)] = (
            frame,
            reward,
            action,
            depth,
            span,
            terminal,
            episode_end,
        )
        self.end += 1

    def take(self, slots: npt.NDArray[np.integer]) -> np.ndarray:
        """Records [N] by their slots [N], a new structured array."""
        return self._slots.take(slots)

    def numbers(self, slots: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
        """Which records lie in these slots [N]."""
        capacity = len(self._slots)
        newest = self.end - 1
        return newest - (newest - slots) % capacity

    def first_frame(self) -> int:
        """The first frame of the oldest record's state.

        Raises:
            IndexError: there is no record.
        """
        if not self:
            raise IndexError("A ring of records must not be empty to have an oldest.")
        oldest = self._slots[self.first % len(self._slots)]
        return int(oldest["frame"]) - int(oldest["depth"]) + 1

    def since(self, number: int) -> np.ndarray:
        """The records from this number on that are still there, oldest first."""
        start = max(number, self.first)
        return self.take(np.arange(start, self.end) % len(self._slots))

    def restore(self, records: np.ndarray, end: int) -> None:
        """Take up records [N] that end before this number, in the place of all."""
        numbers = np.arange(end - len(records), end)
        self._slots[numbers % len(self._slots)] = records
        self.end = end
