"""Proximal policy optimization as functions of parameters and a rollout.

What comes in: transitions in the order in which they were made. What leaves:
minibatches, and a loss of one, for `learner.make_update`.

Schulman et al., "Proximal Policy Optimization Algorithms", 2017, as Dopamine
computes it; `tests/agents/test_proximal.py` compares the two.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from redo_dopamine.agents.learner import Batch, Loss
from redo_dopamine.core.compiling import compiled
from redo_dopamine.core.graph import Params

# Errors [B] from values, the values of the rollout, and returns, all [B].
ErrorOfValues = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]


def generalized_advantages(
    rewards: jax.Array,
    terminals: jax.Array,
    values: jax.Array,
    last_value: jax.Array,
    *,
    gamma: float,
    lambda_: float,
) -> jax.Array:
    r"""Generalized advantage estimates of a rollout.

    .. math:: A_t = \delta_t + \gamma \lambda (1 - d_t) A_{t+1}, \quad
              \delta_t = r_t + \gamma (1 - d_t) V(s_{t+1}) - V(s_t)

    Schulman et al., "High-Dimensional Continuous Control Using Generalized
    Advantage Estimation", ICLR 2016, equations 11 to 16.

    Args:
        rewards: r [T].
        terminals: d [T], 1 where the episode ended.
        values: V(s_t) [T].
        last_value: V(s_T) [], of the state after the last transition.
        gamma: the discount.
        lambda_: 0 for one-step errors, 1 for whole returns.

    Returns:
        Advantages [T]; with the values added, the returns that values are fit to.
    """

    def one_earlier(
        later: tuple[jax.Array, jax.Array], transition: tuple[jax.Array, ...]
    ) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        next_advantage, next_value = later
        reward, terminal, value = transition
        discount = gamma * (1.0 - terminal)
        advantage = reward + discount * (next_value + lambda_ * next_advantage) - value
        return (advantage, value), advantage

    end = jnp.zeros_like(last_value), last_value
    transitions = rewards, terminals, values
    _, advantages = jax.lax.scan(one_earlier, end, transitions, reverse=True)
    return advantages


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


def make_minibatches(
    network: Any, *, batch_size: int, gamma: float, lambda_: float
) -> Callable[[Params, jax.Array, Batch], Batch]:
    """Compile `(params, key, rollout) -> minibatches`.

    As in Dopamine a minibatch holds transitions that follow each other, and the key
    orders the minibatches only, once per rollout.

    Args:
        network: with methods `actor` and `critic` of one state, as `PPONetwork`.
        batch_size: transitions per minibatch; must divide those of a rollout.
        gamma: the discount.
        lambda_: of `generalized_advantages`.

    Returns:
        A function of a rollout that holds `state`, `next_state` and `action`
        [T, ...], `reward` and `terminal` [T]. Its minibatches [T / B, B, ...] hold
        `state`, `action`, and from the parameters given, `value`, `return`,
        `advantage` and `log_probability`. It raises a `ValueError` where the size
        does not divide T.
    """

    def minibatches(params: Params, key: jax.Array, rollout: Batch) -> Batch:
        states, actions = rollout["state"], rollout["action"]
        num_batches = _num_batches(len(states), batch_size)
        values = _values(network, params, states)
        advantages = generalized_advantages(
            rollout["reward"],
            rollout["terminal"].astype(values.dtype),
            values,
            _values(network, params, rollout["next_state"][-1:])[0],
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
        transitions = {
            "state": states,
            "action": actions,
            "value": values,
            "return": advantages + values,
            "advantage": advantages,
            "log_probability": log_probability,
        }
        order = jax.random.permutation(key, num_batches)
        return jax.tree.map(
            lambda x: x.reshape(num_batches, batch_size, *x.shape[1:])[order],
            transitions,
        )

    return compiled(minibatches)


def take(chosen: Batch) -> Batch:
    """One minibatch, its advantages normalized; for `Loss.of_prepared`.

    Args:
        chosen: `minibatches`, and the `index` of one. Taking it inside of the
            compiled update keeps a rollout on the device.
    """
    batch = jax.tree.map(lambda x: x[chosen["index"]], chosen["minibatches"])
    advantage = batch["advantage"]
    centred = advantage - jnp.mean(advantage)
    return {**batch, "advantage": centred / (jnp.std(advantage) + 1e-8)}


def _num_batches(num_transitions: int, batch_size: int) -> int:
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
