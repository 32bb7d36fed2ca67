"""Reset the optimizer: its moments and counts begin again, the weights stay."""

import jax
import optax

from redo_dopamine.core.graph import NetworkGraph, Params
from redo_dopamine.core.interventions.base import (
    Activations,
    Applied,
    DrawParams,
    Intervention,
    InterventionFactory,
    State,
    observe_nothing,
    require_bound,
)
from redo_dopamine.core.optimizers import begin_again
from redo_dopamine.core.schedules import Periodic, Step


def optimizer_reset(
    period: int = 2_000, start: int = 0, stop: int | None = None
) -> InterventionFactory:
    r"""Every `period` gradient steps, begin the optimizer's state again.

    .. math:: m \leftarrow 0, \qquad v \leftarrow 0, \qquad t \leftarrow 0

    Asadi, Fakoor and Sabach, "Resetting the Optimizer in Deep RL: An Empirical Study",
    NeurIPS 2023: at each update of the target network, from which on the loss is
    another. The default is that of `dqn.gin` and `rainbow.gin`, whose target network is
    updated every 8,000 agent steps, with a gradient step each four; with another
    target period or replay ratio, set `period` to the gradient steps between two
    updates of the target network. Only the paper's introduction could be read. The
    initial weights that `l2_to_init` pulls to are kept.

    Args:
        period: gradient steps between two resets.
        start: first gradient step at which the optimizer may be reset.
        stop: gradient step from which on it is not; None for never.

    Returns:
        A function `(graph, draw_params, optimizer) -> Intervention`. Its metric is
        `optimizer_reset`: 1.

    Raises:
        ValueError: a setting out of its range.
    """
    schedule = Periodic(period, start, stop)

    def build(
        graph: NetworkGraph,
        draw_params: DrawParams,
        optimizer: optax.GradientTransformation,
    ) -> Intervention:
        require_bound(graph, draw_params, optimizer)

        def apply(
            key: jax.Array,
            params: Params,
            opt_state: optax.OptState,
            state: State,
            activations: Activations,
            step: Step,
        ) -> Applied:
            del key, activations
            due = schedule(step)
            opt_state = begin_again(optimizer, opt_state, params, due)
            return params, opt_state, state, {"optimizer_reset": due * 1}

        return Intervention(lambda params: (), apply, schedule, observe_nothing)

    return build
