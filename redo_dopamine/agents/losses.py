"""Losses of temporal-difference learning as functions of parameters and a batch."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from dopamine.jax import losses

from redo_dopamine.agents.learner import Batch, LossFn
from redo_dopamine.core.graph import Params

ElementwiseLoss = Callable[..., jax.Array]  # Of (target, prediction).

# By the values of Dopamine's setting `loss_type`.
LOSSES: Mapping[str, ElementwiseLoss] = {
    "huber": losses.huber_loss,
    "mse": losses.mse_loss,
}


def elementwise_loss(loss_type: str) -> ElementwiseLoss:
    """The loss that Dopamine's `loss_type` names.

    Raises:
        ValueError: a name that is not known.
    """
    if loss_type not in LOSSES:
        raise ValueError(
            f"loss_type must be one of {sorted(LOSSES)}, but is {loss_type!r}."
        )
    return LOSSES[loss_type]


# Values of the next states [B] by `(online_q, target_q)`, both [B, actions].
Bootstrap = Callable[[jax.Array, jax.Array], jax.Array]


def largest_target_value(online_q: jax.Array, target_q: jax.Array) -> jax.Array:
    """The target network chooses the next action and values it (DQN)."""
    del online_q
    return jnp.max(target_q, axis=1)


def target_value_of_online_choice(
    online_q: jax.Array, target_q: jax.Array
) -> jax.Array:
    """The online network chooses, the target network values (double DQN)."""
    return _of_actions(target_q, jnp.argmax(online_q, axis=1))


def q_learning(
    apply: Callable[..., Any],
    elementwise: ElementwiseLoss,
    cumulative_gamma: float,
    bootstrap: Bootstrap = largest_target_value,
) -> LossFn:
    r"""The loss of Q-learning on a batch of n-step transitions.

    .. math:: E \; \ell \big( r + \gamma^n (1 - d) \, V(s'), \; Q(s, a) \big)

    with V(s') the largest value of the target network (Mnih et al., 2015), or its
    value of the online network's choice (van Hasselt et al., 2016); `r` is the
    discounted sum of n rewards.

    Args:
        apply: `network.apply` of a network that takes one state.
        elementwise: of target and prediction.
        cumulative_gamma: the discount to the power of n.
        bootstrap: values the next states.

    Returns:
        A function of `(params, target_params, batch)`, where the batch holds `state`
        and `next_state` [B, ...], `action`, `reward` and `terminal` [B].
    """

    def q_values(params: Params, states: jax.Array) -> jax.Array:
        return jax.vmap(lambda state: apply(params, state).q_values)(states)

    def loss(params: Params, target_params: Params, batch: Batch) -> jax.Array:
        next_value = bootstrap(
            q_values(params, batch["next_state"]),
            q_values(target_params, batch["next_state"]),
        )
        not_terminal = 1.0 - batch["terminal"]
        targets = batch["reward"] + cumulative_gamma * next_value * not_terminal
        chosen = _of_actions(q_values(params, batch["state"]), batch["action"])
        return jnp.mean(elementwise(jax.lax.stop_gradient(targets), chosen))

    return loss


def _of_actions(q_values: jax.Array, actions: jax.Array) -> jax.Array:
    return jnp.take_along_axis(q_values, actions[:, None], axis=1)[:, 0]
