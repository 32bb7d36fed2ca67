"""Activations in, one number per neuron out."""

import jax
import jax.numpy as jnp


def dormancy_score(activation: jax.Array) -> jax.Array:
    r"""Mean absolute activation of each neuron, in units of its layer's mean.

    .. math:: s_i = \frac{E_x |h_i(x)|}{\frac{1}{N} \sum_k E_x |h_k(x)|}

    The expectation runs over the batch and, for a convolution, over space, so a
    channel is one neuron. Scores average 1 within a layer and do not change when
    the layer is scaled. A layer that is silent altogether scores 0 everywhere.
    NaN stays NaN, which no threshold calls dormant.

    Sokar et al., "The Dormant Neuron Phenomenon in Deep Reinforcement Learning",
    ICML 2023, Definition 3.1.

    Args:
        activation: post-activation outputs [B, ..., N].

    Returns:
        Scores [N], float32 or wider, none negative.

    Raises:
        ValueError: fewer than two axes.
    """
    if activation.ndim < 2:
        raise ValueError(
            "A score needs activations [batch, ..., neurons], but the shape is "
            f"{activation.shape}. Add the batch axis (one state: x[None])."
        )
    dtype = jnp.promote_types(activation.dtype, jnp.float32)
    axes = tuple(range(activation.ndim - 1))
    magnitude = jnp.mean(jnp.abs(activation.astype(dtype)), axis=axes)
    layer_mean = jnp.mean(magnitude)
    silent = layer_mean == 0
    return jnp.where(silent, 0.0, magnitude / jnp.where(silent, 1.0, layer_mean))
