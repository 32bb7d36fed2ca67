"""When to act, as functions of the gradient step."""

import dataclasses
import math
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
        ValueError: a period that is not a whole number >= 1, a start that is not one
            >= 0, or a stop that is not one after start.
    """

    period: int
    start: int = 0
    stop: int | None = None

    def __post_init__(self) -> None:
        self._keep_whole("period", minimum=1)
        self._keep_whole("start", minimum=0)
        if self.stop is not None:
            self._keep_whole("stop", minimum=self.start + 1)

    def _keep_whole(self, name: str, minimum: int) -> None:
        """Store a setting as an int: gin may hand over 1e3, and floats drift."""
        value = getattr(self, name)
        number = isinstance(value, int | float) and math.isfinite(value)
        if not number or value != int(value) or value < minimum:
            raise ValueError(
                f"{name} must be a whole number of gradient steps >= {minimum}, but is "
                f"{value}. To switch an intervention off use none()."
            )
        object.__setattr__(self, name, int(value))

    def __call__(self, step: Step) -> Any:
        """Whether `step` is one to act at."""
        due = (step > 0) & (step % self.period == 0) & (step >= self.start)
        return due if self.stop is None else due & (step < self.stop)


def never(step: Step) -> Any:
    """False at every step."""
    return step < 0
