"""What the incoming weights of a recycled neuron are: as drawn, or as large as others'.

What comes in: masks, the parameters now, and newly drawn ones. What leaves: the newly
drawn ones, of which `recycle` takes the incoming weights of the neurons in the masks.
"""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

from redo_dopamine.core.graph import NetworkGraph, Params, leaf_path, leaves_by_path

# Of the graph, masks [N] per layer, current parameters and newly drawn ones.
Incoming = Callable[[NetworkGraph, Mapping[str, jax.Array], Params, Params], Params]


def as_drawn(
    graph: NetworkGraph,
    masks: Mapping[str, jax.Array],
    params: Params,
    fresh_params: Params,
) -> Params:
    """What the layer's initializer gives (Sokar et al., ICML 2023, Algorithm 1)."""
    del graph, masks, params
    return fresh_params


def live_norm(
    graph: NetworkGraph,
    masks: Mapping[str, jax.Array],
    params: Params,
    fresh_params: Params,
) -> Params:
    r"""What the initializer gives, as long as the live neurons' weights are on average.

    .. math:: w_i \leftarrow w_i \, \frac{\frac{1}{|L|} \sum_{k \in L} \|W_{\cdot k}\|}
              {\|w_i\|}

    where w_i is a newly drawn column of incoming weights, W the weights now, and L the
    neurons of the layer that are not recycled; where there is none, w_i stays. Beside
    weights that have grown, a neuron as small as at the start has a low score and is
    dormant again at once. This project's own; no paper has it.

    Args:
        graph: the network's layers.
        masks: which neurons are recycled [N], per layer.
        params: current parameters.
        fresh_params: newly drawn ones.
    """
    current = leaves_by_path(params)
    factors = {
        layer.kernel: (current[layer.kernel], masks[layer.name])
        for layer in graph.recyclable_layers
        if layer.name in masks
    }

    def rescale(key_path, fresh):
        if leaf_path(key_path) not in factors:
            return fresh
        kernel, recycled = factors[leaf_path(key_path)]
        lengths = _lengths(fresh)
        live = ~recycled
        mean = jnp.sum(_lengths(kernel) * live) / jnp.maximum(jnp.sum(live), 1)
        usable = (lengths > 0) & jnp.any(live)
        factor = jnp.where(usable, mean / jnp.where(lengths > 0, lengths, 1), 1)
        return fresh * factor.astype(fresh.dtype)

    return jax.tree_util.tree_map_with_path(rescale, fresh_params)


def _lengths(kernel: jax.Array) -> jax.Array:
    """L2 norms [N] of the columns of a kernel [..., N]."""
    return jnp.linalg.norm(kernel.reshape(-1, kernel.shape[-1]), axis=0)
