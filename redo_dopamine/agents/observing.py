"""What an intervention may look up, and what a network must record for it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from redo_dopamine.core import graph as graph_lib
from redo_dopamine.core.interventions import Activations
from redo_dopamine.networks.activations import collect


class Observer(NamedTuple):
    """Looks at a learner on batches of one random stream."""

    activations: Callable[[int], Activations]
    loss_gradients: Callable[[int], Activations]


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
