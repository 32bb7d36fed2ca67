"""Compute losses of temporal-difference learning, of parameters and a batch."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from dopamine.jax import losses

from redo_dopamine.core.checks import call
from redo_dopamine.core.graph import Params
from redo_dopamine.plasticity.learner import Batch, Loss, TargetsFn, mean_error

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
) -> Loss:
    """The loss of Q-learning: `regression` to `bootstrapped` targets."""
    targets = bootstrapped(apply, cumulative_gamma, bootstrap)
    return regression(apply, elementwise, targets)


def bootstrapped(
    apply: Callable[..., Any],
    cumulative_gamma: float,
    bootstrap: Bootstrap = largest_target_value,
) -> TargetsFn:
    r"""Targets of n-step transitions: a reward, and the value that follows.

    .. math:: r + \gamma^n (1 - d) \, V(s')

    with V(s') the largest value of the target network (Mnih et al., 2015), or its
    value of the online network's choice (van Hasselt et al., 2016); `r` is the
    discounted sum of n rewards.

    Args:
        apply: `network.apply` of a network that takes one state.
        cumulative_gamma: the discount to the power of n.
        bootstrap: values the next states.

    Returns:
        A function of `(params, target_params, batch)`, where the batch holds
        `next_state` [B, ...], `reward` and `terminal` [B].
    """

    def targets(params: Params, target_params: Params, batch: Batch) -> jax.Array:
        next_value = call(
            "bootstrap",
            bootstrap,
            outputs_of(apply, params, batch, "next_state").q_values,
            outputs_of(apply, target_params, batch, "next_state").q_values,
            of="(online_q, target_q), both [B, actions], that gives values [B]",
            shape=batch["reward"].shape,
        )
        not_terminal = 1.0 - batch["terminal"]
        discount = discount_of(batch, cumulative_gamma)
        return batch["reward"] + discount * next_value * not_terminal

    return targets


def discount_of(batch: Batch, cumulative_gamma: float) -> Any:
    """What a batch discounts its next states by [B]; if it does not say, this."""
    return batch.get("discount", cumulative_gamma)


def regression(
    apply: Callable[..., Any], elementwise: ElementwiseLoss, targets: TargetsFn
) -> Loss:
    r"""The loss of Q-values of a batch's actions against targets.

    .. math:: E \; \ell \big( y, \; Q(s, a) \big)

    Args:
        apply: `network.apply` of a network that takes one state.
        elementwise: of target and prediction.
        targets: gives y.

    Returns:
        A loss of batches that hold `state` [B, ...] and `action` [B].
    """

    def errors(params: Params, batch: Batch, targets: jax.Array) -> jax.Array:
        return elementwise(targets, action_values(apply, params, batch))

    return mean_error(targets, errors)


def action_values(apply: Callable[..., Any], params: Params, batch: Batch) -> jax.Array:
    """Q-values [B] of a batch's states and actions."""
    q_values = outputs_of(apply, params, batch, "state").q_values
    return _of_actions(q_values, batch["action"])


# By the name of a batch's states, that of the key of the network's own randomness.
KEYS: Mapping[str, str] = {"state": "key", "next_state": "next_key"}


def outputs_of(
    apply: Callable[..., Any], params: Params, batch: Batch, states: str
) -> Any:
    """What the network gives of a batch's states, all with the same noise.

    Args:
        apply: of `(params, state)`, and of `key` where the batch has one.
        params: of the network.
        batch: it may hold keys by the names of `KEYS`, for networks that are noisy.
        states: "state" or "next_state".
    """
    noise = {"key": batch[KEYS[states]]} if KEYS[states] in batch else {}
    return jax.vmap(lambda state: apply(params, state, **noise))(batch[states])


def _of_actions(q_values: jax.Array, actions: jax.Array) -> jax.Array:
    return jnp.take_along_axis(q_values, actions[:, None], axis=1)[:, 0]
