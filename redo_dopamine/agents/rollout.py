"""The transitions of one stretch of play, in the order in which they were made.

What comes in: one transition after the other. What leaves: arrays of all of them.
"""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from redo_dopamine.agents.learner import Batch


class Rollout:
    """Room for a fixed number of transitions, in the place of a replay buffer.

    Args:
        length: transitions to make room for, at least 1.
        state_shape: shape of a state.
        action_shape: shape of an action.

    Raises:
        ValueError: no room at all.
    """

    def __init__(
        self, length: int, state_shape: tuple[int, ...], action_shape: tuple[int, ...]
    ):
        if length != int(length) or length < 1:
            raise ValueError(
                "update_period must be a whole number of transitions >= 1, but is "
                f"{length}. PPO is mostly run with 2048."
            )
        self._arrays = {
            "state": np.zeros((length, *state_shape), np.float32),
            "action": np.zeros((length, *action_shape), np.float32),
            "reward": np.zeros(length, np.float32),
            "next_state": np.zeros((length, *state_shape), np.float32),
            "terminal": np.zeros(length, bool),
            "episode_end": np.zeros(length, bool),
        }
        self.add_count = 0

    def __len__(self) -> int:
        return len(self._arrays["reward"])

    @property
    def full(self) -> bool:
        """Whether there is no room for another transition."""
        return self.add_count == len(self)

    def add(self, **transition: Any) -> None:
        """Append a transition: each of the arrays of `transitions`, without T.

        Raises:
            IndexError: it is full.
        """
        if self.full:
            raise IndexError(
                f"A rollout holds {len(self)} transitions, and another one was to be "
                "added. Learn from it and clear it first."
            )
        for name, array in self._arrays.items():
            array[self.add_count] = transition[name]
        self.add_count += 1

    def transitions(self) -> Batch:
        """Copies of `state`, `action`, `reward`, `next_state`, ... [T, ...]."""
        return {k: x[: self.add_count].copy() for k, x in self._arrays.items()}

    def example(self) -> Batch:
        """The shapes and types of `transitions`, when it is full."""
        return {
            k: jax.ShapeDtypeStruct(x.shape, x.dtype) for k, x in self._arrays.items()
        }

    def clear(self) -> None:
        """Forget every transition."""
        self.add_count = 0

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must hold, as arrays."""
        arrays = {k: x.copy() for k, x in self._arrays.items()}
        return {"add_count": self.add_count, **arrays}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Go on from a `state_dict` of a rollout of the same length."""
        for name, array in self._arrays.items():
            array[:] = saved[name]
        self.add_count = int(saved["add_count"])
