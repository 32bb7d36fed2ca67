"""Compute SAC's loss and updates, as functions of parameters and a batch.

Haarnoja et al., "Soft Actor-Critic Algorithms and Applications", 2018 (arXiv
1812.05905), as Dopamine computes it; `tests/agents/test_sac.py` compares the two.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from redo_dopamine.core.checks import SettingError, call, shown
from redo_dopamine.core.graph import Params
from redo_dopamine.core.jit import compiled
from redo_dopamine.plasticity.learner import Batch, Learner, Loss, descend


class Soft(NamedTuple):
    """What a policy may expect of a state.

    Attributes:
        q_value: of an action of it, the smaller of two estimates [].
        log_probability: of an action of it [].
    """

    q_value: jax.Array
    log_probability: jax.Array


# Of a network, online and target parameters, one state and a key.
NextValue = Callable[[Any, Params, Params, jax.Array, jax.Array], Soft]


def value_of_mean_action(
    network: Any, params: Params, target_params: Params, state: jax.Array, key: Any
) -> Soft:
    """The target network's mean action, and the density of one that it draws.

    So does Dopamine: the two are of different actions, and the policy is the old one.

    Args:
        network: as `SACNetwork`.
        params: not used.
        target_params: of the target network.
        state: the next state.
        key: of the draw.
    """
    del params
    output = network.apply(target_params, state, key, True)
    return Soft(_smaller(output.critic), output.actor.log_probability)


def value_of_drawn_action(
    network: Any, params: Params, target_params: Params, state: jax.Array, key: Any
) -> Soft:
    """An action that the policy of now draws, its target value and its own density.

    As in Haarnoja et al., 2018, equations 3 and 5.

    Args:
        network: as `SACNetwork`.
        params: of the policy.
        target_params: of the Q-networks.
        state: the next state.
        key: of the draw.
    """
    actor = network.apply(params, state, key, method=network.actor)
    critic = network.apply(
        target_params, state, actor.sampled_action, method=network.critic
    )
    return Soft(_smaller(critic), actor.log_probability)


def soft_actor_critic(
    network: Any,
    *,
    cumulative_gamma: float,
    target_entropy: float,
    reward_scale_factor: float,
    next_value: NextValue,
) -> Loss:
    r"""The loss of SAC, its three parts in one.

    .. math:: \tfrac{1}{2} E \sum_i (Q_i(s, a) - y)^2
              + E \big( \alpha \log \pi(a'|s) - \min_i Q_i(s, a') \big)
              + E \log \alpha \, \big( - \log \pi(a'|s) - H \big)

    with :math:`a'` drawn from the policy, and targets

    .. math:: y = c r + \gamma (1 - d) (Q(s') - \alpha \log \pi(s'))

    of `next_value`. The second part moves the policy alone, the third alpha alone.

    Args:
        network: as `SACNetwork`.
        cumulative_gamma: the discount of the next state.
        target_entropy: H.
        reward_scale_factor: c.
        next_value: `value_of_mean_action` or `value_of_drawn_action`.

    Returns:
        A loss of batches with `state`, `next_state`, `action`, `reward`, `terminal`,
        a `key` for each, and `log_alpha` [B].
    """

    def keys(batch: Batch) -> tuple[jax.Array, jax.Array]:
        both = jax.vmap(lambda key: jax.random.split(key, 2))(batch["key"])
        return both[:, 0], both[:, 1]

    def targets(params: Params, target_params: Params, batch: Batch) -> jax.Array:
        soft = jax.vmap(
            lambda state, key: _soft(
                next_value, network, params, target_params, state, key
            )
        )(batch["next_state"], keys(batch)[0])
        bonus = jnp.exp(batch["log_alpha"]) * soft.log_probability
        future = cumulative_gamma * (1.0 - batch["terminal"]) * (soft.q_value - bonus)
        return reward_scale_factor * batch["reward"] + future

    def error(params: Params, batch: Batch, targets: jax.Array) -> jax.Array:
        states = batch["state"]
        critic = _critic(network, params, states, batch["action"])
        errors = [(q[:, 0] - targets) ** 2 for q in critic]
        actor = jax.vmap(
            lambda state, key: network.apply(params, state, key, method=network.actor)
        )(states, keys(batch)[1])
        # To move the policy, not the Q-values.
        fixed = jax.lax.stop_gradient(params)
        q_value = _smaller(_critic(network, fixed, states, actor.sampled_action))
        log_alpha, log_probability = batch["log_alpha"], actor.log_probability
        alpha = jnp.exp(jax.lax.stop_gradient(log_alpha))
        surplus = jax.lax.stop_gradient(-log_probability - target_entropy)
        return (
            0.5 * jnp.mean(errors[0] + errors[1])
            + jnp.mean(alpha * log_probability - q_value)
            + jnp.mean(log_alpha * surplus)
        )

    return Loss(targets, error)


UpdateFn = Callable[
    [Learner, Learner, Params, Batch], tuple[Learner, Learner, jax.Array]
]


def make_update(
    loss: Loss,
    optimizer: optax.GradientTransformation,
    alpha_optimizer: optax.GradientTransformation,
) -> UpdateFn:
    """Compile `(learner, temperature, target_params, batch) -> (..., loss)`.

    Both are learners and donated: their arrays must not be used after the call. The
    temperature's parameter is log alpha [1], which has an optimizer of its own.

    Args:
        loss: of batches with a `log_alpha`, which is put in here.
        optimizer: of the parameters.
        alpha_optimizer: of the temperature.
    """

    def update(
        learner: Learner, temperature: Learner, target_params: Params, batch: Batch
    ) -> tuple[Learner, Learner, jax.Array]:
        def of(params: Params, log_alpha: jax.Array) -> jax.Array:
            return loss(params, target_params, add_log_alpha(batch, log_alpha))

        value, (grads, alpha_grad) = jax.value_and_grad(of, argnums=(0, 1))(
            learner.params, temperature.params
        )
        learner = descend(optimizer, learner, grads)
        return learner, descend(alpha_optimizer, temperature, alpha_grad), value

    return compiled(update, donate_argnums=(0, 1))


def add_log_alpha(batch: Batch, log_alpha: jax.Array) -> Batch:
    """A batch with its `log_alpha` [B], each the same."""
    size = len(batch["reward"])
    return {**batch, "log_alpha": jnp.broadcast_to(log_alpha, (size,))}


def _soft(next_value: NextValue, *arguments: Any) -> Soft:
    """What a user's function says of a next state."""
    of = "(network, params, target_params, state, key) that gives a Soft"
    found = call("next_value", next_value, *arguments, of=of)
    if not isinstance(found, Soft):
        raise SettingError(
            f"next_value must be a function of {of}, but {shown(next_value)} gives a "
            f"{type(found).__name__}. Use @value_of_mean_action."
        )
    return found


def _critic(
    network: Any, params: Params, states: jax.Array, actions: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The two Q-values [B, 1] each."""
    return jax.vmap(
        lambda state, action: network.apply(
            params, state, action, method=network.critic
        )
    )(states, actions)


def _smaller(critic: tuple[jax.Array, jax.Array]) -> jax.Array:
    """Of two Q-values [..., 1], without that axis."""
    return jnp.minimum(*critic)[..., 0]
