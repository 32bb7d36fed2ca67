"""Recycle a given number of neurons, chosen in one way or another."""

from redo_dopamine.core import masks
from redo_dopamine.core.calling import call
from redo_dopamine.core.interventions.base import (
    InterventionFactory,
    observe_activations,
)
from redo_dopamine.core.interventions.recycling import Choice, View, recycling
from redo_dopamine.core.interventions.selection import Selection, lowest_score
from redo_dopamine.core.schedules import Fraction, Periodic, cosine

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
