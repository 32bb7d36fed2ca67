"""Compute PPO's advantages, minibatches and loss, as functions of a rollout.

Schulman et al., "Proximal Policy Optimization Algorithms", 2017, as Dopamine
computes it; `tests/agents/test_ppo_loss.py` compares the two.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from redo_dopamine.core.graph import Params
from redo_dopamine.core.jit import compiled
from redo_dopamine.plasticity.learner import Batch, Loss

# Numbers of transitions [updates, B], from a key, the number of transitions, the size B
# of a minibatch, and the number of epochs.
Order = Callable[[jax.Array, int, int, int], jax.Array]
# Errors [B] from values, the values of the rollout, and returns, all [B].
ErrorOfValues = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]


def generalized_advantages(
    rewards: jax.Array,
    terminals: jax.Array,
    ends: jax.Array,
    values: jax.Array,
    next_values: jax.Array,
    *,
    gamma: float,
    lambda_: float,
) -> jax.Array:
    r"""Generalized advantage estimates of a rollout.

    .. math:: A_t = \delta_t + \gamma \lambda (1 - e_t) A_{t+1}, \quad
              \delta_t = r_t + \gamma (1 - d_t) V(s'_t) - V(s_t)

    Schulman et al., "High-Dimensional Continuous Control Using Generalized
    Advantage Estimation", ICLR 2016, equations 11 to 16. An episode that a time
    limit cuts off ends (e) without a terminal state (d): its last state still has a
    value, but the next row is of another episode. Dopamine does not tell the two
    apart, and lets the advantages of one episode flow into the one before.

    Args:
        rewards: r [T].
        terminals: d [T], 1 where the state reached is terminal.
        ends: e [T], 1 where the episode ended, for whatever reason.
        values: V(s_t) [T].
        next_values: V(s'_t) [T], of the states reached.
        gamma: the discount.
        lambda_: 0 for one-step errors, 1 for whole returns.

    Returns:
        Advantages [T]; with the values added, the returns that values are fit to.
    """
    errors = rewards + gamma * (1.0 - terminals) * next_values - values
    decays = gamma * lambda_ * (1.0 - ends)

    def one_earlier(
        later: jax.Array, transition: tuple[jax.Array, jax.Array]
    ) -> tuple[jax.Array, jax.Array]:
        error, decay = transition
        advantage = error + decay * later
        return advantage, advantage

    start = jnp.zeros((), errors.dtype)
    return jax.lax.scan(one_earlier, start, (errors, decays), reverse=True)[1]


def squared_error(
    values: jax.Array, old_values: jax.Array, returns: jax.Array
) -> jax.Array:
    """Squared errors [B]; the values of the rollout do not matter."""
    del old_values
    return (values - returns) ** 2


def clipped_squared_error(epsilon: float) -> ErrorOfValues:
    """The larger of the squared errors of a value and of one kept near its old one.

    Args:
        epsilon: how far a value may move from that of the rollout.
    """

    def error(
        values: jax.Array, old_values: jax.Array, returns: jax.Array
    ) -> jax.Array:
        near = jnp.clip(values, old_values - epsilon, old_values + epsilon)
        return jnp.maximum((values - returns) ** 2, (near - returns) ** 2)

    return error


def clipped_surrogate(
    network: Any,
    *,
    epsilon: float,
    vf_coefficient: float,
    entropy_coefficient: float,
    value_error: ErrorOfValues,
) -> Loss:
    r"""The loss of PPO.

    .. math:: -E \min \big( \rho A, \mathrm{clip}(\rho, 1 - \epsilon, 1 + \epsilon) A
              \big) + \tfrac{1}{2} c_v E \, \ell(V(s), V_{old}(s), R) - c_h E \, H

    with :math:`\rho` the ratio of an action's density to that in the rollout.

    Args:
        network: with methods `actor` and `critic` of one state, as `PPONetwork`.
        epsilon: how far a ratio may move from 1.
        vf_coefficient: c_v.
        entropy_coefficient: c_h.
        value_error: l, `squared_error` or `clipped_squared_error(epsilon)`.

    Returns:
        A loss of what `take` gives.
    """

    def error(params: Params, batch: Batch, returns: jax.Array) -> jax.Array:
        actor = jax.vmap(
            lambda state, action: network.apply(
                params, state, action=action, method=network.actor
            )
        )(batch["state"], batch["action"])
        ratio = jnp.exp(actor.log_probability - batch["log_probability"])
        near = jnp.clip(ratio, 1.0 - epsilon, 1.0 + epsilon)
        advantage = batch["advantage"]
        gain = jnp.mean(jnp.minimum(ratio * advantage, near * advantage))
        values = _values(network, params, batch["state"])
        value_loss = 0.5 * jnp.mean(value_error(values, batch["value"], returns))
        bonus = entropy_coefficient * jnp.mean(actor.entropy)
        return vf_coefficient * value_loss - gain - bonus

    return Loss(lambda params, target_params, batch: batch["return"], error)


def make_prepare(
    network: Any, *, gamma: float, lambda_: float
) -> Callable[[Params, Batch], Batch]:
    """Compile `(params, rollout) -> transitions`, for `take`.

    Args:
        network: with methods `actor` and `critic` of one state, as `PPONetwork`.
        gamma: the discount.
        lambda_: of `generalized_advantages`.

    Returns:
        A function of a rollout that holds `state`, `next_state` and `action`
        [T, ...], `reward`, `terminal` and `episode_end` [T]. It gives `state`,
        `action`, and from the parameters given, `value`, `return`, `advantage` and
        `log_probability`, all [T, ...].
    """

    def prepare(params: Params, rollout: Batch) -> Batch:
        states, actions = rollout["state"], rollout["action"]
        values = _values(network, params, states)
        advantages = generalized_advantages(
            rollout["reward"],
            rollout["terminal"].astype(values.dtype),
            rollout["episode_end"].astype(values.dtype),
            values,
            _values(network, params, rollout["next_state"]),
            gamma=gamma,
            lambda_=lambda_,
        )
        log_probability = jax.vmap(
            lambda state, action: (
                network.apply(
                    params, state, action=action, method=network.actor
                ).log_probability
            )
        )(states, actions)
        return {
            "state": states,
            "action": actions,
            "value": values,
            "return": advantages + values,
            "advantage": advantages,
            "log_probability": log_probability,
        }

    return compiled(prepare)


def contiguous_minibatches(
    key: jax.Array, num_transitions: int, batch_size: int, num_epochs: int
) -> jax.Array:
    """Transitions that follow each other, the same minibatches in every epoch.

    So does Dopamine: the key orders the minibatches, once per rollout.

    Args:
        key: of the order.
        num_transitions: T, of a rollout.
        batch_size: B, of a minibatch; must divide T.
        num_epochs: how often each transition is used.

    Returns:
        Numbers of transitions [num_epochs * T / B, B].

    Raises:
        ValueError: the size does not divide T.
    """
    num_batches = num_minibatches(num_transitions, batch_size)
    order = jax.random.permutation(key, num_batches)
    batches = jnp.arange(num_transitions).reshape(num_batches, batch_size)[order]
    return jnp.tile(batches, (num_epochs, 1))


def shuffled_minibatches(
    key: jax.Array, num_transitions: int, batch_size: int, num_epochs: int
) -> jax.Array:
    """Transitions in a new random order in every epoch, as the PPO paper's code has.

    Arguments, value and error are those of `contiguous_minibatches`.
    """
    num_minibatches(num_transitions, batch_size)
    draw = jax.vmap(lambda key: jax.random.permutation(key, num_transitions))
    return draw(jax.random.split(key, num_epochs)).reshape(-1, batch_size)


def take(chosen: Batch) -> Batch:
    """One minibatch, its advantages normalized; for `Loss.of_prepared`.

    Args:
        chosen: `transitions` [T, ...], and the `index` [B] of some. Taking them
            inside of the compiled update keeps a rollout on the device.
    """
    batch = jax.tree.map(lambda x: x[chosen["index"]], chosen["transitions"])
    advantage = batch["advantage"]
    centred = advantage - jnp.mean(advantage)
    return {**batch, "advantage": centred / (jnp.std(advantage) + 1e-8)}


def num_minibatches(num_transitions: int, batch_size: int) -> int:
    """Minibatches of a rollout.

    Raises:
        ValueError: the size does not divide the transitions.
    """
    num_batches, rest = divmod(num_transitions, batch_size)
    if rest or not num_batches:
        raise ValueError(
            "batch_size must divide the transitions of a rollout (update_period), but "
            f"{num_transitions} / {batch_size} is not a whole number. 2048 and 64 "
            "give 32 minibatches."
        )
    return num_batches


def _values(network: Any, params: Params, states: jax.Array) -> jax.Array:
    """V(s) [B]."""
    return jax.vmap(
        lambda state: network.apply(params, state, method=network.critic).q_value[0]
    )(states)
