"""ReDo: recycle dormant neurons; and its control, as many neurons drawn at random."""

import math

import jax.numpy as jnp

from redo_dopamine.core import masks, scores
from redo_dopamine.core.checks import call, is_number
from redo_dopamine.core.interventions.base import (
    Activations,
    InterventionFactory,
    Observer,
    observe_activations,
    whole_batch_size,
)
from redo_dopamine.core.interventions.recycling import (
    Choice,
    Incoming,
    Selection,
    View,
    as_drawn,
    at_random,
    lowest_score,
    recycling,
)
from redo_dopamine.core.schedules import Fraction, Periodic, cosine


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
            normalization layers do not change on the states that were scored.
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
    tau = masks.threshold(tau)
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
    tau = masks.threshold(tau)

    def choose(view: View) -> Choice:
        count = jnp.sum(dormant_neurons(view, tau).mask)
        return Choice(masks.lowest(at_random(view), count), {})

    return recycling(
        choose, Periodic(period, start, stop), observe_activations(score_batch_size)
    )


def dormant_neurons(view: View, tau: float) -> Choice:
    """The neurons whose observed magnitude is at most tau of their layer's mean."""
    return Choice(masks.dormant(scores.dormancy_score(view.activation), tau), {})


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
    max_tau = masks.threshold(max_tau, "max_tau")
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


_PAPERS_FRACTION = cosine()
_FRACTION = "the gradient step that gives a share"


def fixed_budget(
    fraction: Fraction = _PAPERS_FRACTION,
    select: Selection = lowest_score,
    period: int = 1000,
    score_batch_size: int = 64,
    start: int = 0,
    stop: int | None = None,
) -> InterventionFactory:
    r"""Every `period` gradient steps, recycle a fixed share of each layer.

    Of the N neurons of a layer, those with the

    .. math:: \mathrm{round}(f(t) \cdot N)

    lowest numbers by `select` are recycled: exactly that many, whatever the scores
    and their ties (which go by index). A half is rounded to the even side.

    Sokar et al., ICML 2023, the comparison of ways to select neurons, with the
    paper's settings as defaults. It found that the lowest score trains, that random
    and highest collapse, and that utility is similar to the score or worse.

    Args:
        fraction: f, from the gradient step to a share in [0, 1]:
            `schedules.constant` or `schedules.cosine`.
        select: `lowest_score`, `highest_score`, `at_random`, `lowest_utility`, or any
            function from a `View` of a layer to numbers [N].
        period: gradient steps between two recycles.
        score_batch_size: states that the scores are averaged over.
        start: first gradient step at which neurons may be recycled.
        stop: gradient step from which on none are; None for never.

    Returns:
        A function `(graph, draw_params, optimizer) -> Intervention`. Its metrics are
        `recycled/<layer>`.

    Raises:
        ValueError: a setting out of its range.
    """
    for name, value in (("fraction", fraction), ("select", select)):
        if not callable(value):
            raise ValueError(
                f"{name} must be a function, but is {value!r}. Use "
                "schedules.constant(0.1) for a fraction that does not change, and "
                "lowest_score for the paper's selection."
            )
    _validate_fraction(fraction)
    schedule = Periodic(period, start, stop)
    observe = observe_activations(score_batch_size)

    def choose(view: View) -> Choice:
        order = call(
            "select",
            select,
            view,
            of="a layer's View that gives a number for each neuron",
            shape=view.activation.shape[-1:],
        )
        share = call("fraction", fraction, view.step, of=_FRACTION, shape=())
        return Choice(masks.lowest_fraction(order, share), {})

    return recycling(choose, schedule, observe)


def _validate_fraction(fraction: Fraction) -> None:
    """Ask for some steps' shares, so that a wrong function is found before it acts."""
    for step in (0, 1, 1_000, 1_000_000):
        share = call(
            "fraction",
            lambda x: float(fraction(x)),
            step,
            of=_FRACTION,
            named=fraction,
        )
        if not 0 <= share <= 1:
            raise ValueError(
                f"fraction must give shares in [0, 1], but gives {share} at gradient "
                f"step {step}. Use schedules.constant(0.1)."
            )


def regrama(
    tau: float = 0.01,
    period: int = 1000,
    score_batch_size: int = 64,
    start: int = 0,
    stop: int | None = None,
) -> InterventionFactory:
    r"""Every `period` gradient steps, recycle neurons that hardly see a gradient.

    .. math::
        G_i = \frac{E_x |\partial L(x) / \partial h_i|}
                   {\frac{1}{N} \sum_k E_x |\partial L(x) / \partial h_k|} \le \tau

    where L(x) is the loss of one example and h the post-activation output. It is
    the dormancy score of the gradients, and the neurons are recycled as in ReDo.
    With tau = 0 the outputs may change: a neuron without a gradient may be active.

    Liu et al., "Measure Gradients, Not Activations! Enhancing Neuronal Activity in
    Deep Reinforcement Learning", NeurIPS 2025 (arXiv 2505.24061), for the idea. The
    settings are not the paper's: tau is a choice of this project, the period and the
    batch are those of ReDo. So is the average over single examples' gradients.

    Args:
        tau: threshold >= 0 in units of the layer's mean gradient.
        period: gradient steps between two recycles.
        score_batch_size: transitions that the scores are averaged over.
        start: first gradient step at which neurons may be recycled.
        stop: gradient step from which on none are; None for never.

    Returns:
        A function `(graph, draw_params, optimizer) -> Intervention`. Its
        `activations` are gradients, as `observe` fetches them; its metrics are
        `recycled/<layer>`.

    Raises:
        ValueError: a setting out of its range.
    """
    tau = masks.threshold(tau)
    schedule = Periodic(period, start, stop)
    size = whole_batch_size(score_batch_size)

    def observe(observer: Observer) -> Activations:
        return observer.loss_gradients(size)

    return recycling(lambda view: dormant_neurons(view, tau), schedule, observe)
