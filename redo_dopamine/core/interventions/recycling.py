"""What the interventions that recycle neurons share: they differ in the choice."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from redo_dopamine.core import scores
from redo_dopamine.core.calling import call
from redo_dopamine.core.graph import Layer, NetworkGraph, Params, of_layers
from redo_dopamine.core.interventions.base import (
    NOT_FINITE,
    DrawParams,
    Intervention,
    InterventionFactory,
    Observe,
)
from redo_dopamine.core.interventions.incoming import Incoming, as_drawn
from redo_dopamine.core.moments import validate_optimizer
from redo_dopamine.core.recycle import recycle
from redo_dopamine.core.schedules import Schedule, Step


class View(NamedTuple):
    """What a choice of neurons may depend on.

    Attributes:
        layer: the layer to choose in.
        activation: what was observed of it, [B, ..., N].
        params: the network's parameters.
        step: gradient updates made so far.
        key: a random key of this layer and step alone.
    """

    layer: Layer
    activation: jax.Array
    params: Params
    step: Step
    key: jax.Array


class Choice(NamedTuple):
    """Which neurons of a layer to recycle.

    Attributes:
        mask: booleans [N].
        metrics: what to log beside their number; `/<layer>` is added to the names.
    """

    mask: jax.Array
    metrics: dict[str, jax.Array]


def recycling(
    choose: Callable[[View], Choice],
    schedule: Schedule,
    observe: Observe,
    incoming: Incoming = as_drawn,
) -> InterventionFactory:
    """Recycle chosen neurons of every recyclable layer.

    Args:
        choose: the neurons of one layer.
        schedule: when.
        observe: what to look at for the choice.
        incoming: what newly drawn incoming weights become.

    Returns:
        A function `(graph, draw_params, optimizer) -> Intervention`, where
        `draw_params(key)` draws a new parameter tree (`network.init`). Its metrics
        are `recycled/<layer>`, how many neurons were recycled, and the choice's; and
        `not_finite/<layer>`, which is 0 but where the layer could not be scored and so
        nothing of it was recycled. Its `init` raises a ValueError if the optimizer
        does not keep its moments weight by weight (`moments`).
    """

    def build(
        graph: NetworkGraph,
        draw_params: DrawParams,
        optimizer: optax.GradientTransformation,
    ) -> Intervention:
        def apply(key, params, opt_state, state, activations, step):
            due = schedule(step)
            chosen, metrics = {}, {}
            activations = of_layers(graph.recyclable_layers, activations)
            for index, layer in enumerate(graph.recyclable_layers):
                own_key = jax.random.fold_in(key, index)
                found = choose(
                    View(layer, activations[layer.name], params, step, own_key)
                )
                not_finite = scores.not_finite(activations[layer.name])
                mask = found.mask & due & (not_finite == 0)
                chosen[layer.name] = mask
                metrics[f"recycled/{layer.name}"] = jnp.sum(mask)
                metrics[f"{NOT_FINITE}/{layer.name}"] = not_finite
                for name, value in found.metrics.items():
                    metrics[f"{name}/{layer.name}"] = value
            fresh = call(
                "incoming",
                incoming,
                *(graph, chosen, params, draw_params(key)),
                of="(graph, masks, params, fresh_params)",
            )
            params, opt_state = recycle(
                graph, chosen, params, fresh, opt_state, optimizer
            )
            return params, opt_state, state, metrics

        def init(params: Params) -> tuple[()]:
            validate_optimizer(optimizer, params)
            return ()

        return Intervention(init, apply, schedule, observe)

    return build
