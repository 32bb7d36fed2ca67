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
    NetworkGraph,
    Params,
    Path,
    leaf_path,
    leaves_by_path,
)

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
    and is not dormant. And normalisation before the activation lets a neuron's
    weights move its neighbours, which then count as its gradient.

    Args:
        graph: the network's layers.
        observe: activations of a batch as a function of parameters.
        params: the parameters to differentiate at.

    Returns:
        MAGI [N] per layer, none negative.
    """
    found = {}
    for layer in graph.layers:

        def output(kernel: jax.Array, layer=layer) -> jax.Array:
            activation = observe(_replace(params, layer.kernel, kernel))[layer.name]
            return jnp.mean(activation, dtype=jnp.float32)

        kernel = leaves_by_path(params)[layer.kernel]
        found[layer.name] = _mean_incoming(jax.grad(output)(kernel))
    return found


def kernel_gradients(
    graph: NetworkGraph, loss: Callable[[Params], jax.Array], params: Params
) -> dict[str, jax.Array]:
    """Gradient of a loss in every layer's kernel, shaped like the kernel.

    Args:
        graph: the network's layers.
        loss: scalar of the parameters.
        params: the parameters to differentiate at.
    """
    gradients = leaves_by_path(jax.grad(loss)(params))
    return {layer.name: gradients[layer.kernel] for layer in graph.layers}


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
    gradients = kernel_gradients(graph, loss, params)
    return {layer: _mean_incoming(gradient) for layer, gradient in gradients.items()}


def _mean_incoming(gradient: jax.Array) -> jax.Array:
    """Mean magnitude over all axes of a kernel but the last, which is the neuron."""
    axes = tuple(range(gradient.ndim - 1))
    return jnp.mean(jnp.abs(gradient), axis=axes, dtype=jnp.float32)


def _replace(params: Params, path: Path, new: jax.Array) -> Params:
    """The tree with one leaf exchanged."""
    return jax.tree_util.tree_map_with_path(
        lambda key_path, leaf: new if leaf_path(key_path) == path else leaf, params
    )
