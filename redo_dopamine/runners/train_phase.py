"""Where a run is within its training phase, so that it can stop between two steps."""

import dataclasses
import math
from typing import Any

import numpy as np

from redo_dopamine.errors import shortened


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _is_action(value: Any) -> bool:
    vector = isinstance(value, list) and all(map(_is_number, value))
    return value is None or _is_count(value) or vector


_SAVED = {
    **dict.fromkeys(("num_steps", "num_starts", "num_episodes"), _is_count),
    **dict.fromkeys(("sum_returns", "seconds", "episode_return"), _is_number),
    "episode_steps": _is_count,
    "action": _is_action,
    "over": lambda value: isinstance(value, bool),
}


@dataclasses.dataclass
class TrainPhase:
    """The training of one iteration, as far as it has come.

    Attributes:
        num_steps: agent steps made.
        num_starts: episodes begun.
        num_episodes: episodes that came to their end.
        sum_returns: of those episodes.
        seconds: spent on it.
        episode_steps: agent steps of the running episode.
        episode_return: of the running episode.
        action: the next one of the running episode, a number or a list of numbers;
            None between two episodes.
        over: whether all that is left of the iteration is its evaluation.
    """

    num_steps: int = 0
    num_starts: int = 0
    num_episodes: int = 0
    sum_returns: float = 0.0
    seconds: float = 0.0
    episode_steps: int = 0
    episode_return: float = 0.0
    action: int | list[float] | None = None
    over: bool = False

    def begin_episode(self, action: Any) -> None:
        """An episode has begun, and this is its first action."""
        self.num_starts += 1
        self.episode_steps, self.episode_return = 0, 0.0
        self.go_on(action)

    def go_on(self, action: Any) -> None:
        """The running episode has a next action, a NumPy number or vector."""
        self.action = np.asarray(action).tolist()

    def count_step(self, reward: float) -> None:
        """A step of the running episode gave this reward."""
        self.num_steps += 1
        self.episode_steps += 1
        self.episode_return += float(reward)

    def end_episode(self, finished: bool) -> None:
        """The running episode is over; its return counts if it came to its end."""
        self.action = None
        if finished:
            self.num_episodes += 1
            self.sum_returns += self.episode_return

    def next(self) -> "TrainPhase":
        """The phase of the next iteration, which takes a running episode along."""
        if self.action is None:
            return TrainPhase()
        return TrainPhase(
            num_starts=1,
            episode_steps=self.episode_steps,
            episode_return=self.episode_return,
            action=self.action,
        )

    @property
    def average_return(self) -> float:
        """Over the episodes that came to their end; NaN if none did."""
        return self.sum_returns / self.num_episodes if self.num_episodes else math.nan

    @property
    def steps_per_second(self) -> float:
        """Agent steps per second of training."""
        return self.num_steps / self.seconds if self.seconds > 0 else math.nan

    def to_json(self) -> dict[str, Any]:
        """What `from_json` takes."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> "TrainPhase":
        """The phase that was saved.

        Raises:
            ValueError: it is none.
        """
        if not isinstance(saved, dict):
            raise ValueError(f"a training phase is no {type(saved).__name__}")
        for name, value in saved.items():
            if name not in _SAVED or not _SAVED[name](value):
                raise ValueError(f"no training phase has such a {shortened(name)!r}")
        return cls(**saved)
