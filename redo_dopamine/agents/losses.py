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


def q_learning(
    apply: Callable[..., Any], elementwise: ElementwiseLoss, cumulative_gamma: float
) -> LossFn:
    r"""The loss of Q-learning on a batch of n-step transitions.

    .. math:: E \; \ell \big( r + \gamma^n (1 - d) \max_a Q_{target}(s', a),
              \; Q(s, a) \big)

    Mnih et al., 2015; `r` is the discounted sum of n rewards.

    Args:
        apply: `network.apply` of a network that takes one state.
        elementwise: of target and prediction.
        cumulative_gamma: the discount to the power of n.

    Returns:
        A function of `(params, target_params, batch)`, where the batch holds `state`
        and `next_state` [B, ...], `action`, `reward` and `terminal` [B].
    """

    def q_values(params: Params, states: jax.Array) -> jax.Array:
        return jax.vmap(lambda state: apply(params, state).q_values)(states)

    def loss(params: Params, target_params: Params, batch: Batch) -> jax.Array:
        next_q = jnp.max(q_values(target_params, batch["next_state"]), axis=1)
        not_terminal = 1.0 - batch["terminal"]
        targets = batch["reward"] + cumulative_gamma * next_q * not_terminal
        q = q_values(params, batch["state"])
        chosen = jnp.take_along_axis(q, batch["action"][:, None], axis=1)[:, 0]
        return jnp.mean(elementwise(jax.lax.stop_gradient(targets), chosen))

    return loss
