"""What an intervention may look up, and what a network must record for it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from redo_dopamine.agents.learner import Batch, Loss
from redo_dopamine.core import graph as graph_lib
from redo_dopamine.core.graph import Params
from redo_dopamine.core.interventions import Activations
from redo_dopamine.networks.activations import collect, loss_gradients


class Observer(NamedTuple):
    """Looks at a learner on batches of one random stream."""

    activations: Callable[[int], Activations]
    loss_gradients: Callable[[int], Activations]


def gradients_of_layers(
    apply: Callable[..., Any],
    inputs: Callable[[Batch], Any],
    graph: graph_lib.NetworkGraph,
    loss: Loss,
) -> Callable[[Params, Params, Batch], Activations]:
    """Gradients of each example's loss, of `(params, target_params, batch)`."""
    return lambda params, target_params, batch: graph_lib.of_layers(
        graph.layers,
        loss_gradients(
            apply,
            lambda p, b: loss(p, target_params, b),
            params,
            batch,
            inputs,
        ),
    )


def looking(
    activations: Callable[[Params, Batch], Any],
    loss_gradients: Callable[[Params, Params, Batch], Any],
    params: Params,
    target_params: Params,
    draw_batch: Callable[[int], Batch],
) -> Observer:
    """An observer by what looks at a batch, at which parameters, and a draw of it."""
    return Observer(
        lambda size: activations(params, draw_batch(size)),
        lambda size: loss_gradients(params, target_params, draw_batch(size)),
    )


def recorded_widths(
    apply: Callable[..., Any],
    graph: graph_lib.NetworkGraph,
    params: graph_lib.Params,
    example: Any,
) -> dict[str, int]:
    """Neurons per layer, after a check that the network records what graph says."""
    inputs = jax.tree.map(lambda x: jnp.asarray(x)[None], example)
    shapes = jax.eval_shape(lambda p, x: collect(apply, p, x), params, inputs)
    kernels = graph_lib.leaves_by_path(params)
    widths = {layer.name: kernels[layer.kernel].shape[-1] for layer in graph.layers}
    for name, width in widths.items():
        found = shapes[name].shape if name in shapes else None
        if found is None or found[-1] != width:
            raise ValueError(
                f"The network must record an activation [..., {width}] for layer "
                f"{name!r} of its graph, but it recorded {found} there (in all: "
                f"{sorted(shapes)}). Call record(self, {name!r}, activation) after "
                "the layer's activation function."
            )
    return widths
