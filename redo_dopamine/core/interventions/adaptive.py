"""ReDo with a threshold that adapts to how many neurons are dormant."""

import math

import jax.numpy as jnp

from redo_dopamine.core import masks, scores
from redo_dopamine.core.interventions.base import (
    InterventionFactory,
    observe_activations,
)
from redo_dopamine.core.interventions.recycling import Choice, View, recycling
from redo_dopamine.core.numbers import is_number
from redo_dopamine.core.schedules import Periodic


def adaptive_redo(
    max_fraction: float = 0.1,
    max_tau: float = 0.1,
    period: int = 1000,
    score_batch_size: int = 64,
    start: int = 0,
    stop: int | None = None,
) -> InterventionFactory:
    r"""ReDo that recycles no more than a given fraction of a layer at a time.

    In each layer, with B = floor(max_fraction * N), the threshold is

    .. math:: \tau = \max \{ t \le \tau_{max} : |\{ i : s_i \le t \}| \le B \}

    so the least active dormant neurons go first, and the others wait for the next
    period. Where several neurons tie for the last places, the first of them by
    index are recycled. Where B does not bind it is `redo(max_tau)`.

    This rule is ours. Sokar et al., ICML 2023, fix tau by hand for each setting (0.1,
    0.025, 0) and leave an adaptive threshold to future work; `max_tau`, the period
    and the batch are theirs, `max_fraction` is the start of their fixed budget.

    Args:
        max_fraction: of a layer's neurons, the most to recycle at once, in (0, 1].
            A layer of fewer than 1 / max_fraction neurons is never recycled.
        max_tau: upper bound >= 0 of the threshold: no neuron that scores above it
            is recycled.
        period: gradient steps between two recycles.
        score_batch_size: states that the scores are averaged over.
        start: first gradient step at which neurons may be recycled.
        stop: gradient step from which on none are; None for never.

    Returns:
        A function `(graph, draw_params, optimizer) -> Intervention`. Its metrics are
        `recycled/<layer>` and `adaptive_tau/<layer>`: max_tau where the bound does
        not bind, else the highest score that was recycled; NaN where B is 0 and
        neurons were dormant.

    Raises:
        ValueError: a setting out of its range.
    """
    masks.validate_threshold(max_tau, "max_tau")
    if not (is_number(max_fraction) and 0 < max_fraction <= 1):
        raise ValueError(
            f"max_fraction must be in (0, 1], but is {max_fraction}. It is the share "
            "of a layer's neurons; to recycle none use none()."
        )
    schedule = Periodic(period, start, stop)
    observe = observe_activations(score_batch_size)

    def choose(view: View) -> Choice:
        score = scores.dormancy_score(view.activation)
        # 0.29 * 100 is a little less than 29 in binary.
        budget = math.floor(max_fraction * score.size + 1e-9)
        dormant = masks.dormant(score, max_tau)
        mask = dormant & masks.lowest(score, budget)
        last = jnp.max(score, where=mask, initial=-jnp.inf)
        highest = jnp.where(jnp.any(mask), last, jnp.nan)
        binds = jnp.sum(dormant) > budget
        return Choice(mask, {"adaptive_tau": jnp.where(binds, highest, max_tau)})

    return recycling(choose, schedule, observe)
