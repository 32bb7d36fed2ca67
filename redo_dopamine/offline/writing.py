"""Write an agent's steps as a data set, each split as soon as it is full."""

from pathlib import Path
from typing import Any

import numpy as np

from redo_dopamine.errors import UserError
from redo_dopamine.offline import arrays


class _Split:
    """One split while it is written: frames go to the disk, the rest is small."""

    def __init__(self, directory: Path, number: int, frame: np.ndarray):
        self._directory = directory
        self._number = number
        path = arrays.array_path(directory, "observation", number)
        self._frames = arrays.RowFile(path, frame.shape, frame.dtype)
        self._action: list[int] = []
        self._reward: list[float] = []
        self._terminal: list[bool] = []
        self._episode_end: list[bool] = []

    def __len__(self) -> int:
        return len(self._action)

    def discard(self) -> None:
        """Delete its files, finished or not."""
        self._frames.discard()
        for name in arrays.files_in(self._directory):
            if f"_ckpt.{self._number}." in name:
                (self._directory / name).unlink(missing_ok=True)

    def append(
        self,
        frame: np.ndarray,
        action: int,
        reward: float,
        terminal: bool,
        episode_end: bool,
    ) -> None:
        self._frames.append(frame)
        self._action.append(action)
        self._reward.append(reward)
        self._terminal.append(terminal)
        self._episode_end.append(episode_end)

    def close(self, zeros: np.ndarray, stack_size: int) -> None:
        """Write a row of zeros, for the cursor to stand on, and all other files."""
        count = len(self)
        self.append(zeros, 0, 0.0, False, False)
        columns: dict[str, np.ndarray] = {
            "action": np.array(self._action, np.int32),
            "reward": np.array(self._reward, np.float32),
            "terminal": np.array(self._terminal, np.uint8),
            arrays.EPISODE_END: np.array(self._episode_end, np.uint8),
        }
        for name, column in columns.items():
            path = arrays.array_path(self._directory, name, self._number)
            arrays.write(path, column)
        invalid = arrays.invalid_rows(count, count + 1, stack_size, horizon=1)
        notes: dict[str, Any] = {arrays.INVALID_RANGE: invalid, arrays.ADD_COUNT: count}
        for name, value in notes.items():
            path = arrays.note_path(self._directory, name, self._number)
            arrays.write(path, np.array(value))
        # The last: what counts as a split is there with its observations.
        self._frames.close()


class Tape:
    """Stands in for an agent's replay buffer and writes down what it is given.

    As in the public data, a split is what Dopamine's ring would hold one row before
    it is full: so its last step has no next state and is no transition, and one that
    begins within an episode loses the frames from before it.

    Args:
        directory: for the files; made if missing.
        stack_size: frames per state; one row of zeros fewer stands before an episode.
        split_rows: rows of a split at most, zeros included.

    Attributes:
        add_count: 0, so that the agent does not learn.
        num_steps: steps written down.

    Raises:
        UserError: there are splits already, or no split can be so small.
    """

    def __init__(self, directory: Path, stack_size: int, split_rows: int):
        if split_rows < 4 * stack_size:
            raise UserError(
                f"--split_rows must be at least {4 * stack_size}, but is {split_rows}. "
                "The public data have 1_000_000."
            )
        there = arrays.files_in(directory)
        if there:
            raise UserError(
                f"A recording needs a directory of its own, but {directory} has "
                f"{len(there)} files of a data set, such as {there[0]}. Give another "
                "--output or --run, or delete them."
            )
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._stack_size = stack_size
        self._split_rows = split_rows
        self._split: _Split | None = None
        self._zeros: np.ndarray | None = None
        self._num_splits = 0
        self._at_start = True  # Of an episode.
        self.add_count = 0
        self.num_steps = 0

    def add(self, transition: Any, *, priority: float | None = None) -> None:
        """Write down a step, in the terms of Dopamine's replay buffer."""
        del priority
        frame = np.asarray(transition.observation)
        if self._zeros is None:
            self._zeros = np.zeros_like(frame)
        if self._at_start:
            for _ in range(self._stack_size - 1):
                self._append(self._zeros, 0, 0.0, False, False)
        terminal = bool(transition.is_terminal)
        self._at_start = terminal or bool(transition.episode_end)
        self._append(
            frame,
            int(transition.action),
            float(transition.reward),
            terminal,
            self._at_start,
        )
        self.num_steps += 1

    def close(self) -> None:
        """Write what is left."""
        if self._split is not None and self._zeros is not None:
            self._split.close(self._zeros, self._stack_size)
            self._split = None
            self._num_splits += 1

    def discard(self) -> None:
        """Delete what there is of a split that cannot be finished."""
        if self._split is not None:
            self._split.discard()
            self._split = None

    def _append(self, frame: np.ndarray, *step: Any) -> None:
        if self._split is None:
            self._split = _Split(self._directory, self._num_splits, frame)
        self._split.append(frame, *step)
        if len(self._split) == self._split_rows - 1:
            self.close()
