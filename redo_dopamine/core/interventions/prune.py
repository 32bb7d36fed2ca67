"""Silence dormant neurons for good."""

import jax
import jax.numpy as jnp
import optax

from redo_dopamine.core import masks, scores
from redo_dopamine.core.graph import (
    NetworkGraph,
    Params,
    of_layers,
    shapes_by_path,
)
from redo_dopamine.core.interventions.base import (
    NOT_FINITE,
    Activations,
    Applied,
    DrawParams,
    Intervention,
    InterventionFactory,
    State,
    observe_activations,
    require_bound,
    require_recyclable,
)
from redo_dopamine.core.moments import validate_optimizer
from redo_dopamine.core.recycle import recycle
from redo_dopamine.core.schedules import Periodic, Step

# Booleans [N] per recyclable layer: the neurons that were ever found dormant.
Pruned = dict[str, jax.Array]


def prune(
    tau: float = 0.1,
    period: int = 1000,
    score_batch_size: int = 64,
    start: int = 0,
    stop: int | None = None,
) -> InterventionFactory:
    r"""Every `period` gradient steps, silence all tau-dormant neurons for good.

    For every neuron i that was ever found dormant, from then on,

    .. math:: W^{in}_{\cdot i} = 0, \quad b_i = 0, \quad W^{out}_{i \cdot} = 0,
              \quad m = v = 0

    With tau = 0 the outputs do not change on the states that were scored. A silent
    neuron stays in the mean that the scores of its layer are measured by.

    Sokar et al., ICML 2023: pruning dormant neurons leaves the return as
    it was, so dormant neurons contribute little. The default threshold, period and
    batch are the paper's for ReDo.

    Args:
        tau: dormancy threshold >= 0.
        period: gradient steps between two searches for dormant neurons.
        score_batch_size: states that the scores are averaged over.
        start: first gradient step at which neurons may be pruned.
        stop: gradient step from which on no more are; those that were stay silent.
            None for never.

    Returns:
        A function `(graph, draw_params, optimizer) -> Intervention`. Its `constrain`
        must be called after every gradient update, since momentum, weight decay or
        a pull to the initial weights would wake a silent neuron. Its metrics are
        `pruned/<layer>`: how many neurons have been pruned so far.

    Raises:
        ValueError: a setting out of its range.
    """
    tau = masks.threshold(tau)
    schedule = Periodic(period, start, stop)
    observe = observe_activations(score_batch_size)

    def build(
        graph: NetworkGraph,
        draw_params: DrawParams,
        optimizer: optax.GradientTransformation,
    ) -> Intervention:
        require_bound(graph, draw_params, optimizer)
        require_recyclable(graph)

        def init(params: Params) -> Pruned:
            validate_optimizer(optimizer, params)
            shapes = shapes_by_path(params)
            return {
                layer.name: jnp.zeros(layer.width(shapes), bool)
                for layer in graph.recyclable_layers
            }

        def silence(
            params: Params, opt_state: optax.OptState, pruned: Pruned
        ) -> tuple[Params, optax.OptState]:
            # To be recycled without new weights is to be silent both ways.
            nothing = jax.tree.map(jnp.zeros_like, params)
            return recycle(graph, pruned, params, nothing, opt_state, optimizer)

        def apply(
            key: jax.Array,
            params: Params,
            opt_state: optax.OptState,
            state: State,
            activations: Activations,
            step: Step,
        ) -> Applied:
            del key
            due = schedule(step)
            activations = of_layers(graph.recyclable_layers, activations)
            found = {
                name: masks.dormant(scores.dormancy_score(activations[name]), tau) & due
                for name in state
            }
            state = {name: state[name] | mask for name, mask in found.items()}
            params, opt_state = silence(params, opt_state, found)
            metrics = {f"pruned/{name}": jnp.sum(mask) for name, mask in state.items()}
            metrics |= {
                f"{NOT_FINITE}/{name}": scores.not_finite(activations[name])
                for name in state
            }
            return params, opt_state, state, metrics

        return Intervention(init, apply, schedule, observe, constrain=silence)

    return build
