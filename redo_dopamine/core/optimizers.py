"""Regularisers as links of an optax chain, to stand beside any optimizer.

    optax.chain(coupled_weight_decay(1e-5), optax.adam(6.25e-5))
    optax.chain(l2_to_init(1e-4), optax.adam(6.25e-5))
    optax.chain(optax.adam(6.25e-5), decoupled_weight_decay(1e-2, 6.25e-5))

Each combines with every intervention.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree


def coupled_weight_decay(strength: float) -> optax.GradientTransformation:
    r"""Weight decay as part of the gradient; stands before the optimizer.

    .. math:: g \leftarrow g + \lambda \theta

    That is the gradient of :math:`\frac{\lambda}{2} \|\theta\|^2`, which Adam then
    rescales like the rest. Sokar et al., ICML 2023, have it as a baseline, with 1e-5
    the best of 1e-6 to 1e-3.

    Args:
        strength: lambda >= 0.

    Raises:
        ValueError: a negative or infinite strength.
    """
    _validate_strength("strength", strength)
    return optax.add_decayed_weights(strength)


def decoupled_weight_decay(
    strength: float, learning_rate: float
) -> optax.GradientTransformation:
    r"""Weight decay apart from the gradient; stands after the optimizer.

    .. math:: u \leftarrow u - \eta \lambda \theta

    where u is the update that the optimizer made of the gradient. Behind
    `optax.adam(learning_rate)` this is `optax.adamw(learning_rate,
    weight_decay=strength)`.

    Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019,
    Algorithm 2, with the learning rate in the place of their schedule.

    Args:
        strength: lambda >= 0.
        learning_rate: eta >= 0, that of the optimizer.

    Raises:
        ValueError: a negative or infinite setting.
    """
    _validate_strength("strength", strength)
    _validate_strength("learning_rate", learning_rate)
    return optax.add_decayed_weights(-learning_rate * strength)


class L2ToInitState(NamedTuple):
    """The initial parameters, as one vector.

    It must not have the form of the parameters: whoever maps over the moments of an
    optimizer (`optax.tree_map_params`), as recycling does, would take it for one and
    set parts of it to zero.
    """

    initial: jax.Array


def l2_to_init(strength: float) -> optax.GradientTransformation:
    r"""A pull towards the initial weights; stands before the optimizer.

    .. math:: g \leftarrow g + 2 \lambda (\theta - \theta_0)

    That is the gradient of :math:`\lambda \|\theta - \theta_0\|^2`, added to the
    loss. The initial weights are those that the optimizer was started with; neurons
    that an intervention draws anew are pulled to the same ones.

    Kumar, Marklund and Van Roy, "Maintaining Plasticity in Continual Learning via
    Regenerative Regularization", 2023 (arXiv 2308.11958), Section 4.

    Args:
        strength: lambda >= 0.

    Raises:
        ValueError: a negative or infinite strength.
    """
    _validate_strength("strength", strength)

    def init(params: optax.Params) -> L2ToInitState:
        # A copy: an update may donate the memory of the parameters.
        return L2ToInitState(jnp.array(ravel_pytree(params)[0], copy=True))

    def update(
        updates: optax.Updates, state: optax.OptState, params: optax.Params | None
    ) -> tuple[optax.Updates, optax.OptState]:
        if params is None:
            raise ValueError(
                "l2_to_init needs the parameters: call update(grads, state, params)."
            )
        _, unravel = ravel_pytree(params)
        pulled = jax.tree.map(
            lambda g, p, p0: g + (2 * strength * (p - p0)).astype(g.dtype),
            updates,
            params,
            unravel(state.initial),
        )
        return pulled, state

    return optax.GradientTransformation(init, update)


def _validate_strength(name: str, value: float) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(
            f"{name} must be a finite number >= 0, but is {value}. To switch a "
            "regulariser off leave it out of the chain."
        )
