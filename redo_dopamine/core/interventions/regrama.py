"""ReGraMa: ReDo with gradients in the place of activations."""

from redo_dopamine.core import masks
from redo_dopamine.core.interventions.base import (
    Activations,
    InterventionFactory,
    Observer,
    whole_batch_size,
)
from redo_dopamine.core.interventions.recycling import recycling
from redo_dopamine.core.interventions.redo import dormant_neurons
from redo_dopamine.core.schedules import Periodic


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
    masks.validate_threshold(tau)
    schedule = Periodic(period, start, stop)
    size = whole_batch_size(score_batch_size)

    def observe(observer: Observer) -> Activations:
        return observer.loss_gradients(size)

    return recycling(lambda view: dormant_neurons(view, tau), schedule, observe)
