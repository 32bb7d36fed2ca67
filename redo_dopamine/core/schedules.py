"""When to act and on how much, as functions of the gradient step."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from redo_dopamine.core.checks import is_number, whole

# An int on the host or a traced scalar under jit; a boolean of the same kind.
Step = Any
Schedule = Callable[[Step], Any]
# A share in [0, 1] by step.
Fraction = Callable[[Step], Any]


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
        value = getattr(self, name)
        object.__setattr__(self, name, _whole_steps(name, value, minimum))

    def __call__(self, step: Step) -> Any:
        """Whether `step` is one to act at."""
        step = _wide(step)
        due = (step > 0) & (step % self.period == 0) & (step >= self.start)
        return due if self.stop is None else due & (step < self.stop)


def never(step: Step) -> Any:
    """False at every step."""
    return step < 0


def constant(value: float = 0.1) -> Fraction:
    """The same share at every step.

    Args:
        value: the share, in [0, 1].

    Raises:
        ValueError: a share out of that range.
    """
    _validate_share(value)
    return lambda step: value


def cosine(value: float = 0.1, stop: int = 2_500_000) -> Fraction:
    r"""A share that falls to zero along a quarter of a cosine.

    .. math:: f(t) = v \cos\left( \frac{\pi}{2} \cdot \frac{t}{T} \right)
              \text{ for } t < T, \qquad f(t) = 0 \text{ for } t \ge T

    Sokar et al., ICML 2023: from 0.1 to 0 over a run; their released configuration
    starts from 0.3.

    Args:
        value: v, the share at step 0, in [0, 1].
        stop: T, the gradient step from which on the share is 0. 2.5M are 40M frames
            at replay ratio 0.25, and 10M frames at 1.

    Raises:
        ValueError: a share or a step out of its range.
    """
    _validate_share(value)
    last = _whole_steps("stop", stop, minimum=1)

    def share(step: Step) -> Any:
        step = _wide(step)
        angle = 0.5 * math.pi * (step / last)
        return jnp.where(step < last, value * jnp.cos(angle), 0.0)

    return share


def annealed_horizon(
    initial: int = 10,
    final: int = 3,
    num_steps: int = 10_000,
    period: int | None = None,
    start: int = 0,
    stop: int | None = None,
) -> Callable[[int], int]:
    r"""The n of n-step returns, which falls exponentially and is rounded.

    .. math:: n(t) = \mathrm{round} \left( n_0 \,
              (n_1 / n_0)^{\min(t' / T, \, 1)} \right)

    where t' are the gradient steps since the last reset. It begins again after every
    reset: give it the period, start and stop of the intervention that resets.

    BBF (Schwarzer et al., ICML 2023): from 10 to 3 over 10,000 gradient steps.

    Args:
        initial: n_0, the n just after a reset.
        final: n_1, the n from T gradient steps on.
        num_steps: T, gradient steps.
        period: gradient steps between two resets; None for none.
        start: first gradient step at which there may be one.
        stop: gradient step from which on there is none; None for never.

    Returns:
        A function of the number of gradient steps made so far, an int.

    Raises:
        ValueError: a setting out of its range.
    """
    first, last = (
        whole(value, 1, f"{name} must be a whole number of steps", "BBF has 10 and 3.")
        for name, value in (("initial", initial), ("final", final))
    )
    share = _annealed_share(num_steps, period, start, stop)
    return lambda step: round(first * (last / first) ** share(step))


def annealed_gamma(
    initial: float = 0.97,
    final: float = 0.997,
    num_steps: int = 10_000,
    period: int | None = None,
    start: int = 0,
    stop: int | None = None,
) -> Callable[[int], float]:
    r"""The discount per step, whose distance to 1 changes exponentially.

    .. math:: 1 - \gamma(t) = (1 - \gamma_0) \left(
              \frac{1 - \gamma_1}{1 - \gamma_0} \right)^{\min(t' / T, \, 1)}

    where t' are the gradient steps since the last reset, as in `annealed_horizon`.

    BBF (Schwarzer et al., ICML 2023): from 0.97 to 0.997 over 10,000 gradient steps;
    the form is that of their released code.

    Args:
        initial: gamma_0, the discount just after a reset, in [0, 1).
        final: gamma_1, the discount from T gradient steps on, in [0, 1).
        num_steps: T, gradient steps.
        period: gradient steps between two resets; None for none.
        start: first gradient step at which there may be one.
        stop: gradient step from which on there is none; None for never.

    Returns:
        A function of the number of gradient steps made so far, an int.

    Raises:
        ValueError: a setting out of its range.
    """
    for name, value in (("initial", initial), ("final", final)):
        if not (is_number(value) and 0 <= value < 1):
            raise ValueError(
                f"{name} must be a discount in [0, 1), but is {value}. BBF has 0.97 "
                "at first and 0.997 at last."
            )
    share = _annealed_share(num_steps, period, start, stop)

    def gamma(step: int) -> float:
        done = share(step)
        if done in (0, 1):  # To the last bit.
            return float(final if done else initial)
        return 1 - (1 - initial) * ((1 - final) / (1 - initial)) ** done

    return gamma


def _annealed_share(
    num_steps: int, period: int | None, start: int, stop: int | None
) -> Callable[[int], float]:
    """How much of `num_steps` has gone by since the last reset, at most 1."""
    rule = "num_steps must be a whole number of gradient steps"
    length = whole(num_steps, 1, rule, "BBF has 10_000.")
    resets = None if period is None else Periodic(period, start, stop)

    def share(step: int) -> float:
        age = step if resets is None else step - _last_due(resets, step)
        return min(age / length, 1.0)

    return share


def _last_due(schedule: Periodic, step: int) -> int:
    """The last step up to this one at which it is True; 0 if there is none."""
    newest = step if schedule.stop is None else min(step, schedule.stop - 1)
    due = newest - newest % schedule.period
    return due if due >= schedule.start else 0


def _wide(step: Step) -> Any:
    """A step that compares as it counts: in a few bits a period would wrap around."""
    if isinstance(step, int) and not isinstance(step, bool):
        return step
    wide = jnp.asarray(step)
    if wide.shape or not jnp.issubdtype(wide.dtype, jnp.integer):
        raise TypeError(
            f"A step must be a whole number of gradient steps, but is {step!r}. Count "
            "updates in an int or an int32."
        )
    return wide.astype(jnp.int32) if wide.dtype.itemsize < 4 else wide


def _validate_share(value: float) -> None:
    if not (is_number(value) and 0 <= value <= 1):
        raise ValueError(
            f"value must be a share of a layer's neurons in [0, 1], but is {value}. "
            "The paper recycles 0.1 at first."
        )


def _whole_steps(name: str, value: Any, minimum: int) -> int:
    rule = f"{name} must be a whole number of gradient steps"
    return whole(value, minimum, rule, "To switch an intervention off use none().")
