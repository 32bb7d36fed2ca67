"""Learn from returns whose horizon and discount change with the gradient step."""

from collections.abc import Callable

import jax
import numpy as np

from redo_dopamine.agents.dqn import RecycledDQNAgent
from redo_dopamine.core.checks import SettingError, call, is_number, shown
from redo_dopamine.plasticity.learner import Batch
from redo_dopamine.replay.horizons import DrawAt

# Of the number of gradient steps made so far.
HorizonFn = Callable[[int], int]
GammaFn = Callable[[int], float]


class AnnealedDQNAgent(RecycledDQNAgent):
    """Draw every batch at the horizon and the discount of its gradient step.

    Both are functions of a clock that is saved, so that a run that resumes goes on as
    it would have. Where both are None this class does nothing.
    """

    _horizon_fn: HorizonFn | None = None
    _gamma_fn: GammaFn | None = None

    @property
    def _is_annealed(self) -> bool:
        return self._horizon_fn is not None or self._gamma_fn is not None

    @property
    def _draw_at(self) -> DrawAt | None:
        return self._horizon_and_gamma if self._is_annealed else None

    def _horizon_and_gamma(self) -> tuple[int, float]:
        horizon_fn, gamma_fn = self._horizon_fn, self._gamma_fn
        step = self.gradient_step
        horizon = self.update_horizon if horizon_fn is None else horizon_fn(step)
        return horizon, self.gamma if gamma_fn is None else gamma_fn(step)

    def _build(self) -> None:
        _check("horizon_fn", self._horizon_fn, self._is_horizon)
        _check("gamma_fn", self._gamma_fn, lambda x: 0 <= x <= 1)
        super()._build()

    def _is_horizon(self, value: float) -> bool:
        return value == int(value) and 1 <= value <= self.update_horizon

    def _next_batch(self) -> Batch:
        batch = super()._next_batch()
        return batch | self._discounts(len(batch["action"]))

    def _draw_batch(self, size: int, rng: np.random.Generator) -> Batch:
        return super()._draw_batch(size, rng) | self._discounts(size)

    def _discounts(self, size: int) -> Batch:
        """What next states' values are discounted by [size], where that changes."""
        if not self._is_annealed:
            return {}
        horizon, gamma = self._horizon_and_gamma()
        return {"discount": np.full(size, gamma**horizon, np.float32)}

    def _example_drawn(self, size: int) -> Batch:
        example = super()._example_drawn(size)
        if not self._is_annealed:
            return example
        return example | {"discount": jax.ShapeDtypeStruct((size,), np.float32)}


# From the first steps to beyond any run.
_TRIED = (0, 1, 10_000, 2**31)


def _check(
    setting: str,
    function: Callable[[int], float] | None,
    fits: Callable[[float], bool],
) -> None:
    """Check that a schedule gives numbers that fit, at some steps.

    Raises:
        SettingError: it does not.
    """
    if function is None:
        return
    rule, remedy = {
        "horizon_fn": (
            "a whole number from 1 to update_horizon",
            "Bind update_horizon to the longest",
        ),
        "gamma_fn": ("a discount in [0, 1]", "Lower the discount"),
    }[setting]
    of = f"the gradient step that gives {rule}"
    for step in _TRIED:
        value = call(setting, function, step, of=of)
        if not (is_number(value) and fits(value)):
            raise SettingError(
                f"{setting} must be a function of {of}, but {shown(function)} gives "
                f"{value} at step {step}. {remedy}, or use @annealed_{setting[:-3]}()."
            )
