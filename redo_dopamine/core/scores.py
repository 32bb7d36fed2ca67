"""Activations and weights in, one number per neuron out."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp


def dormancy_score(activation: jax.Array) -> jax.Array:
    r"""Mean absolute activation of each neuron, in units of its layer's mean.

    .. math:: s_i = \frac{E_x |h_i(x)|}{\frac{1}{N} \sum_k E_x |h_k(x)|}

    The expectation runs over the batch and, for a convolution, over space, so a
    channel is one neuron. Scores average 1 within a layer and do not change when
    the layer is scaled. A layer that is silent altogether scores 0 everywhere.
    Where a layer's mean is not finite, because an activation is not or the sum
    overflows, all its scores are NaN, which no threshold calls dormant.

    Sokar et al., "The Dormant Neuron Phenomenon in Deep Reinforcement Learning",
    ICML 2023, Definition 3.1.

    Args:
        activation: post-activation outputs [B, ..., N].

    Returns:
        Scores [N], float32 or wider, none negative.

    Raises:
        ValueError: fewer than two axes, or no state.
    """
    magnitude = jnp.mean(jnp.abs(by_neuron(activation)), axis=0)
    layer_mean = jnp.mean(magnitude)
    silent = layer_mean == 0
    score = jnp.where(silent, 0.0, magnitude / jnp.where(silent, 1.0, layer_mean))
    return jnp.where(jnp.isfinite(layer_mean), score, jnp.nan)


def not_finite(activation: jax.Array) -> jax.Array:
    """How many neurons of a layer have a magnitude that is no number to score by.

    Args:
        activation: post-activation outputs [B, ..., N].

    Returns:
        A whole number, 0 where the layer can be scored. Where every magnitude is
        finite and only their sum overflows it is N.
    """
    magnitude = jnp.mean(jnp.abs(by_neuron(activation)), axis=0)
    bad = jnp.sum(~jnp.isfinite(magnitude))
    overflows = ~jnp.isfinite(jnp.mean(magnitude))
    return jnp.where((bad == 0) & overflows, magnitude.size, bad)


def utility(
    activation: jax.Array, incoming: jax.Array, outgoing: Sequence[jax.Array]
) -> jax.Array:
    r"""How much of its input a neuron passes on, by continual backprop.

    .. math:: u_i = E_x |h_i(x) - E_x h_i(x)| \;
                    \frac{\sum_j |w^{out}_{ij}|}{\sum_j |w^{in}_{ji}|}

    The expectations run over the batch and over space, as in the dormancy score; the
    sums over all weights but the bias, so that the rows of every flattened position
    and of every kernel that reads the neuron count. Without incoming weights the
    output is constant, and the utility 0.

    Dohare et al., "Continual Backprop: Stochastic Gradient Descent with Persistent
    Randomness", 2021 (arXiv 2108.06325), and "Loss of Plasticity in Deep Continual
    Learning", Nature 2024, where the means are running ones. Here they are those of
    one batch, for the comparison of Sokar et al., ICML 2023.

    Args:
        activation: post-activation outputs [B, ..., N].
        incoming: the layer's kernel [..., N].
        outgoing: kernels [..., copies * N, M] that read the layer, channel last.

    Returns:
        Utilities [N], float32 or wider, none negative.

    Raises:
        ValueError: an activation of fewer than two axes, or another layer's kernel.
    """
    h = by_neuron(activation)
    num_neurons = h.shape[-1]
    if incoming.shape[-1] != num_neurons:
        raise ValueError(
            f"A utility needs the kernel that feeds the {num_neurons} neurons, but its "
            f"shape is {incoming.shape}. Its last axis is the neuron."
        )
    w_in = jnp.sum(jnp.abs(incoming).reshape(-1, num_neurons), axis=0)
    w_out = sum(
        jnp.sum(jnp.abs(w).reshape(-1, num_neurons, w.shape[-1]), axis=(0, 2))
        for w in outgoing
    )
    return utility_of_sums(activation, w_in, w_out)


def utility_of_sums(
    activation: jax.Array, w_in: jax.Array, w_out: jax.Array | int
) -> jax.Array:
    """`utility`, from the sums of the magnitudes of each neuron's weights.

    Args:
        activation: post-activation outputs [B, ..., N].
        w_in: sums over the incoming weights [N].
        w_out: sums over the outgoing weights [N].
    """
    h = by_neuron(activation)
    spread = jnp.mean(jnp.abs(h - jnp.mean(h, axis=0)), axis=0)
    return jnp.where(w_in == 0, 0.0, spread * w_out / jnp.where(w_in == 0, 1.0, w_in))


def by_neuron(activation: jax.Array, purpose: str = "A score") -> jax.Array:
    """Activations [B * ..., N] in float32 or wider.

    Args:
        activation: outputs [B, ..., N].
        purpose: what the error says they are for.

    Raises:
        TypeError: no array of numbers.
        ValueError: fewer than two axes, or no state.
    """
    _validate_array(purpose, activation)
    if activation.ndim < 2:
        raise ValueError(
            f"{purpose} needs activations [batch, ..., neurons], but the shape is "
            f"{activation.shape}. Add the batch axis (one state: x[None])."
        )
    if activation.size == 0:
        raise ValueError(
            f"{purpose} needs activations of at least one state, but the shape is "
            f"{activation.shape}. Give a batch that is not empty."
        )
    dtype = jnp.promote_types(activation.dtype, jnp.float32)
    return activation.astype(dtype).reshape(-1, activation.shape[-1])


def _validate_array(purpose: str, activation: jax.Array) -> None:
    """Check that activations are an array of numbers, and no list or tuple of them.

    Raises:
        TypeError: they are not.
    """
    dtype = getattr(activation, "dtype", None)
    if dtype is None:
        raise TypeError(
            f"{purpose} needs activations as one array [batch, ..., neurons], but they "
            f"are a {type(activation).__name__}. Convert them by jnp.asarray, or take "
            "one array out of what flax has collected."
        )
    if not (jnp.issubdtype(dtype, jnp.number) or jnp.issubdtype(dtype, jnp.bool_)):
        raise TypeError(
            f"{purpose} needs activations that are numbers, but the dtype is {dtype}. "
            "Give the layer's outputs."
        )
