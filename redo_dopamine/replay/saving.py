"""The half of the replay buffer that outlives a process.

What comes in: what a buffer holds. What leaves: checkpoints and state dictionaries,
and the buffer as it was from either.
"""

import collections
import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from dopamine.jax.replay_memory import replay_buffer

from redo_dopamine.replay.checkpoint import Checkpoints
from redo_dopamine.replay.segments import Contents, readable, restore, segment
from redo_dopamine.replay.windows import Step, WindowFn, WindowSettings


class SavedReplay(replay_buffer.ReplayBuffer):
    """Save and load, for a buffer with the attributes below."""

    add_count: int
    _max_capacity: int
    _checkpoint_duration: int
    _settings: WindowSettings
    _windows: WindowFn
    _rng: np.random.Generator
    _trajectory: collections.deque[Step]
    _contents: Contents | None  # None until the first step shows the types.
    _checkpoints: Checkpoints

    def _state(self) -> dict[str, Any]:
        """What a checkpoint remembers besides the contents, in JSON's terms."""
        return {
            "settings": self._checked_settings(),
            "rng": self._rng.bit_generator.state,
            "trajectory": [
                step._replace(action=step.action.tolist()) for step in self._trajectory
            ],
        }

    def _checked_settings(self) -> dict[str, Any]:
        """The settings that a checkpoint must have in common with the buffer."""
        return {
            **self._settings._asdict(),
            "max_capacity": self._max_capacity,
            "windows": getattr(self._windows, "__name__", repr(self._windows)),
        }

    def _check(self, state: Mapping[str, Any]) -> None:
        own, saved = self._checked_settings(), state.get("settings")
        if own != saved:
            raise ValueError(
                f"A replay buffer must have the settings of its checkpoint, {saved}, "
                f"but has {own}. Resume with the settings that the run began with."
            )

    def _take_up(self, state: Mapping[str, Any], contents: Contents | None) -> None:
        trajectory = []
        if contents is not None:
            action = contents.records.dtype["action"].base
            trajectory = [
                step._replace(action=np.asarray(step.action, action))
                for step in (Step(*values) for values in state["trajectory"])
            ]
        self._rng.bit_generator.state = state["rng"]
        self._trajectory.clear()
        self._trajectory.extend(trajectory)
        self._contents = contents
        self.add_count = 0 if contents is None else contents.records.end

    def save(
        self, checkpoint_dir: str | os.PathLike[str], iteration_number: int
    ) -> None:
        """Write what is new since the last save into this directory.

        The newest `checkpoint_duration` states stay, with what they need.
        """
        self._checkpoints.save(
            checkpoint_dir,
            iteration_number,
            self._state(),
            self._contents,
            self._checkpoint_duration,
        )

    def load(
        self, checkpoint_dir: str | os.PathLike[str], iteration_number: int
    ) -> None:
        """Take up a saved state; on an error the buffer stays as it was.

        Raises:
            FileNotFoundError: the state, or a file that it needs, is not there.
            ValueError: a file is damaged, of a newer format, or of other settings.
        """
        state, contents = self._checkpoints.load(
            checkpoint_dir, iteration_number, self._check, self._max_capacity
        )
        with readable(checkpoint_dir):
            self._take_up(state, contents)

    def to_state_dict(self) -> dict[str, Any]:
        """Everything, as text and arrays of plain types."""
        state, arrays = self._state(), {}
        if self._contents is not None:
            state |= self._contents.header()
            arrays = dict(segment(self._contents, 0, 0))
        return {"state": json.dumps(state), "arrays": arrays}

    def from_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up what `to_state_dict` gave.

        Raises:
            ValueError: it is of other settings, or damaged.
        """
        with readable("the state dictionary"):
            state = json.loads(state_dict["state"])
        self._check(state)
        with readable("the state dictionary"):
            contents = None
            if "frames" in state:
                arrays = state_dict["arrays"]
                contents = restore(state, self._max_capacity, [("its arrays", arrays)])
            self._take_up(state, contents)
        self._checkpoints.forget()
