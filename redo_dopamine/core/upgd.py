"""Utility-based perturbed gradient descent: useful weights move less, others by noise.

    optax.chain(upgd(), optax.sgd(1e-3))
    optax.chain(adaptive_upgd(), optax.sgd(1e-4))

As an agent's `before_optimizer`, with plain SGD as the optimizer.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree

from redo_dopamine.core.checks import check_positive, check_setting, whole


class UPGDState(NamedTuple):
    """What UPGD remembers.

    Attributes:
        updates: how many there were.
        key: of the noise of the next one.
        utility: running means, not corrected for their start at 0, in the form of the
            parameters: what sets moments to zero, as recycling does, begins them again.
        direction: state of what makes the step of a gradient.
    """

    updates: jax.Array
    key: jax.Array
    utility: optax.Params
    direction: optax.OptState


def upgd(
    noise: float = 1e-3,
    weight_decay: float = 1e-3,
    utility_decay: float = 0.999,
    seed: int = 0,
) -> optax.GradientTransformation:
    r"""UPGD: the gradient and noise, gated by utility; stands before plain SGD.

    .. math:: u_t = \beta u_{t-1} - (1 - \beta) \, g \, \theta, \qquad
              s = \mathrm{sigmoid} \left(
                  \frac{u_t / (1 - \beta^t)}{\max u_t} \right)

    .. math:: g \leftarrow 2 (1 - s) (g + \xi) + \lambda \theta, \qquad
              \xi \sim N(0, \sigma^2)

    for each weight, with the maximum over all weights of the network. A weight of no
    utility moves as by SGD, the most useful one .54 times as far.

    Elsayed and Mahmood, "Addressing Loss of Plasticity and Catastrophic Forgetting in
    Continual Learning", ICLR 2024: weight-wise UPGD with first-order utility and global
    scaling, with the defaults of the authors' published optimizer. The 2 is from there
    too; the code of their supervised experiments does not have it. As in their code,
    only the numerator is corrected for the start at 0: the first gates are near 0 or
    1. Where no weight has a positive utility their quotient is undefined or turns the
    order around; here all gates are then open halfway, s = 1/2.

    Followed by Adam instead of SGD this is another method: Adam would rescale gates
    and noise. `adaptive_upgd` is the form with Adam's moments.

    Args:
        noise: sigma >= 0, its standard deviation.
        weight_decay: lambda >= 0.
        utility_decay: beta in [0, 1).
        seed: of the noise, a whole number >= 0.

    Raises:
        ValueError: a setting out of its range.
    """
    return _gated(optax.identity(), noise, weight_decay, utility_decay, seed)


def adaptive_upgd(
    noise: float = 1e-3,
    weight_decay: float = 1e-3,
    utility_decay: float = 0.999,
    seed: int = 0,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-5,
) -> optax.GradientTransformation:
    r"""UPGD with Adam's step in the gradient's place; stands before plain SGD.

    .. math:: g \leftarrow 2 (1 - s) \left(
                  \frac{\hat{m}}{\sqrt{\hat{v}} + \epsilon} + \xi \right)
                  + \lambda \theta

    with the gate s and the noise of `upgd`. This is what Elsayed and Mahmood, ICLR
    2024, train PPO with; the defaults are those of their code for it.

    Args:
        noise: sigma >= 0, its standard deviation.
        weight_decay: lambda >= 0.
        utility_decay: beta in [0, 1).
        seed: of the noise, a whole number >= 0.
        b1: decay of Adam's first moment, in [0, 1).
        b2: decay of its second moment, in [0, 1).
        eps: epsilon > 0.

    Raises:
        ValueError: a setting out of its range.
    """
    _check_decays(b1=b1, b2=b2)
    check_positive(eps=eps)
    adam = optax.scale_by_adam(b1, b2, eps)
    return _gated(adam, noise, weight_decay, utility_decay, seed)


def _gated(
    direction: optax.GradientTransformation,
    noise: float,
    weight_decay: float,
    utility_decay: float,
    seed: int,
) -> optax.GradientTransformation:
    for name, value in (("noise", noise), ("weight_decay", weight_decay)):
        check_setting(name, value, lambda x: x >= 0, "a finite number >= 0")
    _check_decays(utility_decay=utility_decay)
    seed = whole(seed, 0, "seed must be a whole number", "Give another one.")

    def init(params: optax.Params) -> UPGDState:
        return UPGDState(
            jnp.zeros([], jnp.int32),
            jax.random.PRNGKey(seed),
            jax.tree.map(jnp.zeros_like, params),
            direction.init(params),
        )

    def update(
        grads: optax.Updates, state: UPGDState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, UPGDState]:
        if params is None:
            raise ValueError(
                "UPGD needs the parameters: call update(grads, state, params)."
            )
        count = optax.safe_increment(state.updates)
        key, now = jax.random.split(state.key)
        utility = jax.tree.map(
            lambda u, g, p: utility_decay * u - (1 - utility_decay) * g * p,
            *(state.utility, grads, params),
        )
        largest = jnp.stack([jnp.max(u) for u in jax.tree.leaves(utility)]).max()
        correction = 1 - jnp.float32(utility_decay) ** count
        steps, directed = direction.update(grads, state.direction, params)

        def gate(
            step: jax.Array, u: jax.Array, p: jax.Array, xi: jax.Array
        ) -> jax.Array:
            ratio = jnp.where(largest > 0, u / correction / largest, 0)
            open_by = 2 * (1 - jax.nn.sigmoid(ratio))
            return (open_by * (step + noise * xi) + weight_decay * p).astype(step.dtype)

        # One draw, which compiles faster than one for each leaf.
        flat, unravel = ravel_pytree(params)
        drawn = unravel(jax.random.normal(now, flat.shape, flat.dtype))
        gated = jax.tree.map(gate, steps, utility, params, drawn)
        return gated, UPGDState(count, key, utility, directed)

    return optax.GradientTransformation(init, update)


def _check_decays(**decays: float) -> None:
    for name, value in decays.items():
        check_setting(name, value, lambda x: 0 <= x < 1, "in [0, 1)")
