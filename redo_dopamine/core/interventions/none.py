"""The baseline."""

import optax

from redo_dopamine.core.graph import NetworkGraph
from redo_dopamine.core.interventions.base import (
    DrawParams,
    Intervention,
    InterventionFactory,
    observe_nothing,
)
from redo_dopamine.core.schedules import never


def none() -> InterventionFactory:
    """The baseline: never does anything.

    Returns:
        A function `(graph, draw_params, optimizer) -> Intervention`.
    """

    def build(
        graph: NetworkGraph,
        draw_params: DrawParams,
        optimizer: optax.GradientTransformation,
    ) -> Intervention:
        del graph, draw_params, optimizer

        def apply(key, params, opt_state, state, activations, step):
            del key, activations, step
            return params, opt_state, state, {}

        return Intervention(lambda params: (), apply, never, observe_nothing)

    return build
