"""Gradients in a neuron's incoming weights, one number per neuron.

Two quantities of the same form, which are not each other's estimate:

- `magi` differentiates the layer's **own output**. It tells whether the neuron can
  be moved by its weights at all, on these states, whatever the loss asks for.
- `loss_gradient` differentiates the **loss**. It tells whether training does move
  it now, which is zero as well where nothing reads the neuron or the loss is flat.
"""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

from redo_dopamine.core.graph import (
    Layer,
    NetworkGraph,
    Params,
    Path,
    leaf_path,
    leaves_by_path,
    shapes_by_path,
)
from redo_dopamine.core.neuron_index import entries, mean_by_neuron

# Activations [B, ..., N] per layer, of a fixed batch, as a function of parameters.
Observe = Callable[[Params], Mapping[str, jax.Array]]


def magi(graph: NetworkGraph, observe: Observe, params: Params) -> dict[str, jax.Array]:
    r"""Mean absolute gradient of each neuron's incoming weights (MAGI).

    .. math:: \text{MAGI}_i^l = \frac{1}{J} \sum_{j=1}^J
              \Big| \frac{\partial f^l}{\partial W^l_{ij}} \Big|, \qquad
              f^l = \frac{1}{N} \sum_{k=1}^N E_x \big[ h^l_k(x) \big]

    where f is the layer's own post-activation output, averaged over the batch, over
    space and over its N neurons. The kernel below is the only variable: one backward
    pass through that one layer serves all its neurons, and all layers together cost
    about one backward pass through the network.

    He, "Rethinking Plasticity in Deep Reinforcement Learning", 2026
    (arXiv 2603.21173), Definition 2. A neuron is *zero-gradient* where this is 0.

    Three things to know. The expectation stands inside the absolute value, so inputs
    of both signs may cancel. A neuron may have no gradient and yet an output: one
    that saturates, or whose inputs are all 0 and whose bias is positive, has MAGI 0
    and is not dormant. And normalization before the activation lets a neuron's
    weights move its neighbors, which then count as its gradient.

    Args:
        graph: the network's layers.
        observe: activations of a batch as a function of parameters.
        params: the parameters to differentiate at.

    Returns:
        MAGI [N] per layer, none negative.
    """
    found = {}
    leaves, shapes = leaves_by_path(params), shapes_by_path(params)
    for layer in graph.layers:

        def output(kernels: dict[Path, jax.Array], name: str = layer.name) -> jax.Array:
            activation = observe(_replace(params, kernels))[name]
            return jnp.mean(activation, dtype=jnp.float32)

        kernels = {x.path: leaves[x.path] for x in layer.incoming if x.is_kernel}
        found[layer.name] = _mean_incoming(layer, jax.grad(output)(kernels), shapes)
    return found


def kernel_gradients(
    graph: NetworkGraph, loss: Callable[[Params], jax.Array], params: Params
) -> dict[str, jax.Array]:
    """Gradient of a loss in every layer's kernel, shaped like the kernel.

    Of several kernels that feed a layer, one row of numbers (`layer_weights`).

    Args:
        graph: the network's layers.
        loss: scalar of the parameters.
        params: the parameters to differentiate at.
    """
    return layer_weights(graph, jax.grad(loss)(params))


def layer_weights(graph: NetworkGraph, params: Params) -> dict[str, jax.Array]:
    """The entries of the kernels that feed each layer.

    Args:
        graph: the network's layers.
        params: parameters, or a tree like them.

    Returns:
        Per layer its kernel, where one feeds it and no other layer; else one row of
        numbers, of all the kernels' entries that are the layer's.
    """
    leaves, shapes = leaves_by_path(params), shapes_by_path(params)
    found = {}
    for layer in graph.layers:
        kernels = [x for x in layer.fed_by(shapes) if x.is_kernel]
        parts = [entries(leaves[x.path], x.neurons) for x in kernels]
        many = jnp.concatenate([x.ravel() for x in parts]) if len(parts) > 1 else None
        found[layer.name] = parts[0] if many is None else many
    return found


def loss_gradient(
    graph: NetworkGraph, loss: Callable[[Params], jax.Array], params: Params
) -> dict[str, jax.Array]:
    r"""Mean absolute gradient of the loss in each neuron's incoming weights.

    .. math:: g_i^l = \frac{1}{J} \sum_{j=1}^J
              \Big| \frac{\partial L}{\partial W^l_{ij}} \Big|

    The form of `magi`, with the loss in place of the layer's output. Gradient-based
    recycling (Liu et al., 2025) has a third quantity, the gradient of the loss in
    the neuron's *activation*.

    Args:
        graph: the network's layers.
        loss: scalar of the parameters.
        params: the parameters to differentiate at.

    Returns:
        One number per neuron [N] per layer, none negative.
    """
    gradients = leaves_by_path(jax.grad(loss)(params))
    shapes = shapes_by_path(params)
    return {x.name: _mean_incoming(x, gradients, shapes) for x in graph.layers}


def _mean_incoming(
    layer: Layer,
    gradients: Mapping[Path, jax.Array],
    shapes: Mapping[Path, tuple[int, ...]],
) -> jax.Array:
    """Mean magnitude over the kernel entries of each neuron."""
    kernels = [x for x in layer.fed_by(shapes) if x.is_kernel]
    return mean_by_neuron(
        [(jnp.abs(gradients[path]), index) for path, index, _ in kernels],
        layer.width(shapes),
    )


def _replace(params: Params, new: dict[Path, jax.Array]) -> Params:
    """The tree with some leaves exchanged."""
    return jax.tree_util.tree_map_with_path(
        lambda key_path, leaf: new.get(leaf_path(key_path), leaf), params
    )
