"""ReDo: recycle dormant neurons; and its control, as many neurons drawn at random."""

import jax.numpy as jnp

from redo_dopamine.core import masks, scores
from redo_dopamine.core.interventions.base import (
    InterventionFactory,
    observe_activations,
)
from redo_dopamine.core.interventions.incoming import Incoming, as_drawn
from redo_dopamine.core.interventions.recycling import Choice, View, recycling
from redo_dopamine.core.interventions.selection import at_random
from redo_dopamine.core.schedules import Periodic


def redo(
    tau: float = 0.1,
    period: int = 1000,
    score_batch_size: int = 64,
    start: int = 0,
    stop: int | None = None,
    incoming: Incoming = as_drawn,
) -> InterventionFactory:
    r"""ReDo: every `period` gradient steps, recycle all tau-dormant neurons.

    .. math:: s_i = \frac{E_x |h_i(x)|}{\frac{1}{N} \sum_k E_x |h_k(x)|} \le \tau

    Sokar et al., ICML 2023, Algorithm 1, with the paper's settings as defaults. As
    there, all layers are recycled at once, by one scoring. So where a whole layer and
    the one behind it are silent, the weights between them become zero: zero wins. The
    second layer then stays silent, with its bias at the initializer's zero, and without
    a gradient, until the next recycle gives it weights that read the first.

    Args:
        tau: dormancy threshold >= 0. With 0 the outputs of a network without
            normalisation layers do not change on the states that were scored.
        period: gradient steps between two recycles.
        score_batch_size: states that the scores are averaged over.
        start: first gradient step at which neurons may be recycled.
        stop: gradient step from which on none are; None for never.
        incoming: what a recycled neuron's new incoming weights are: `as_drawn` by the
            layer's initializer, as in the paper, or `live_norm`.

    Returns:
        A function `(graph, draw_params, optimizer) -> Intervention`, where
        `draw_params(key)` draws a new parameter tree (`network.init`). Its
        metrics are `recycled/<layer>`: how many neurons were recycled.

    Raises:
        ValueError: a setting out of its range.
    """
    masks.validate_threshold(tau)
    schedule = Periodic(period, start, stop)
    observe = observe_activations(score_batch_size)
    return recycling(
        lambda view: dormant_neurons(view, tau), schedule, observe, incoming
    )


def redo_at_random(
    tau: float = 0.1,
    period: int = 1000,
    score_batch_size: int = 64,
    start: int = 0,
    stop: int | None = None,
) -> InterventionFactory:
    """Recycle as many neurons of each layer as ReDo would, drawn at random.

    A control: whether it matters which neurons are recycled, at ReDo's own number.

    Args:
        tau: threshold >= 0 that a neuron counts as dormant at.
        period: gradient steps between two recycles.
        score_batch_size: states that the scores are averaged over.
        start: first gradient step at which neurons may be recycled.
        stop: gradient step from which on none are; None for never.

    Returns:
        A function `(graph, draw_params, optimizer) -> Intervention`, with the metrics
        of `redo`.

    Raises:
        ValueError: a setting out of its range.
    """
    masks.validate_threshold(tau)

    def choose(view: View) -> Choice:
        count = jnp.sum(dormant_neurons(view, tau).mask)
        return Choice(masks.lowest(at_random(view), count), {})

    return recycling(
        choose, Periodic(period, start, stop), observe_activations(score_batch_size)
    )


def dormant_neurons(view: View, tau: float) -> Choice:
    """The neurons whose observed magnitude is at most tau of their layer's mean."""
    return Choice(masks.dormant(scores.dormancy_score(view.activation), tau), {})
