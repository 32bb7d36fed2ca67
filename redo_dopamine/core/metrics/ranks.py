"""Features in, one number for how many directions they use.

All three ranks are functions of the singular values of a matrix [samples, neurons],
so none exceeds the smaller of the two: a dense layer of 512 neurons seen on 64
states has rank 64 at most. Compare ranks at one batch size only. The matrix is not
centred, as in the papers, and rank 0 means that it is zero.
"""

import jax
import jax.numpy as jnp

from redo_dopamine.core.scores import by_neuron


def features(activation: jax.Array) -> jax.Array:
    """A layer's activations as a matrix, one column per neuron.

    Every position of a convolution is a sample of its own: a channel is one neuron
    here as in the dormancy score, and an average over space would call channels
    alike that fire equally often in different places.

    Args:
        activation: post-activation outputs [B, ..., N].

    Returns:
        [B * ..., N], float32 or wider.

    Raises:
        ValueError: fewer than two axes.
    """
    return by_neuron(activation, "A rank")


def singular_values(matrix: jax.Array) -> jax.Array:
    """Singular values [min(samples, neurons)], largest first.

    Those of R in A = QR, which has the smaller side of A: jaxlib reserves a left
    basis of samples * samples even where none is asked for, which is 800 GB for the
    first layer of an IMPALA network on 64 states.
    """
    tall = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
    r = jnp.linalg.qr(tall, mode="r")
    return jnp.linalg.svd(r, compute_uv=False)


def stable_rank(sigma: jax.Array) -> jax.Array:
    r"""Squared Frobenius norm in units of the squared spectral norm.

    .. math:: \frac{\|A\|_F^2}{\|A\|_2^2} = \frac{\sum_i \sigma_i^2}{\sigma_1^2}

    Rudelson and Vershynin, "Sampling from Large Matrices: An Approach through
    Geometric Functional Analysis", Journal of the ACM, 2007.

    Args:
        sigma: singular values, largest first.

    Returns:
        A scalar from 1 to the rank; 0 for a zero matrix.
    """
    relative, _ = _in_units_of(sigma, sigma[0])
    return jnp.sum(relative**2)


def effective_rank(sigma: jax.Array) -> jax.Array:
    r"""Exponential of the entropy of the normalized singular values.

    .. math:: \exp \Big( - \sum_i p_i \ln p_i \Big), \qquad
              p_i = \sigma_i / \textstyle \sum_k \sigma_k

    Roy and Vetterli, "The Effective Rank: A Measure of Effective Dimensionality",
    EUSIPCO 2007.

    Args:
        sigma: singular values.

    Returns:
        A scalar from 1 to the rank; 0 for a zero matrix, where it is not defined.
    """
    p, zero = _in_units_of(sigma, jnp.sum(sigma))
    return jnp.where(zero, 0.0, jnp.exp(jnp.sum(jax.scipy.special.entr(p))))


def srank(sigma: jax.Array, delta: float = 0.01) -> jax.Array:
    r"""How many singular values make up all but a small part of their sum.

    .. math:: \min \Big\{ k : \frac{\sum_{i \le k} \sigma_i}{\sum_i \sigma_i}
              \ge 1 - \delta \Big\}

    Kumar et al., "Implicit Under-Parameterization Inhibits Data-Efficient Deep
    Reinforcement Learning", ICLR 2021, with their delta as default.

    Args:
        sigma: singular values, largest first.
        delta: share of the sum that may be left out, in (0, 1).

    Returns:
        A whole number as a float, from 1 to the rank; 0 for a zero matrix, NaN
        where the sum is not finite.
    """
    shares, zero = _in_units_of(jnp.cumsum(sigma), jnp.sum(sigma))
    num_before = jnp.sum(shares < 1 - delta, dtype=shares.dtype)
    rank = jnp.where(zero, 0.0, num_before + 1)
    return jnp.where(jnp.any(jnp.isnan(shares)), jnp.nan, rank)


def _in_units_of(values: jax.Array, unit: jax.Array) -> tuple[jax.Array, jax.Array]:
    """`values / unit`, zeros where the unit is 0, and whether it is.

    NaN where the unit is not finite: all shares of infinity would be 0.
    """
    zero = unit == 0
    shares = jnp.where(zero, 0.0, values / jnp.where(zero, 1.0, unit))
    return jnp.where(jnp.isfinite(unit), shares, jnp.nan), zero
