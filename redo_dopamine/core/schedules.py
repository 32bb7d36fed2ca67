"""When to act, as functions of the gradient step."""

import dataclasses
from collections.abc import Callable
from typing import Any

# An int on the host or a traced scalar under jit; a boolean of the same kind.
Step = Any
Schedule = Callable[[Step], Any]


@dataclasses.dataclass(frozen=True)
class Periodic:
    """True at every multiple of `period` in [start, stop), but never at step 0.

    Attributes:
        period: distance between two True steps, in gradient steps.
        start: first gradient step that may be True.
        stop: first gradient step from which on all are False; None for never.

    Raises:
        ValueError: a period that is not a whole number >= 1, a negative start, or
            a stop that is not after start.
    """

    period: int
    start: int = 0
    stop: int | None = None

    def __post_init__(self) -> None:
        if self.period != int(self.period) or self.period < 1:
            raise ValueError(
                "period must be a whole number of gradient steps >= 1, but is "
                f"{self.period}. To switch an intervention off use none()."
            )
        if self.start < 0:
            raise ValueError(
                f"start must be a gradient step >= 0, but is {self.start}."
            )
        if self.stop is not None and self.stop <= self.start:
            raise ValueError(
                f"stop must come after start, but stop is {self.stop} and start is "
                f"{self.start}. Leave stop at None to go on for good."
            )

    def __call__(self, step: Step) -> Any:
        """Whether `step` is one to act at."""
        due = (step > 0) & (step % self.period == 0) & (step >= self.start)
        return due if self.stop is None else due & (step < self.stop)


def never(step: Step) -> Any:
    """False at every step."""
    return step < 0
