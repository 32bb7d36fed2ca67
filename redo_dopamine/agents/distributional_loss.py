"""Compute losses of distributions of returns, of parameters and a batch."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from dopamine.jax import losses
from dopamine.jax.agents.rainbow import rainbow_agent

from redo_dopamine.agents.dqn_loss import discount_of, outputs_of
from redo_dopamine.core.checks import SettingError
from redo_dopamine.core.graph import Params
from redo_dopamine.core.jit import unrolled
from redo_dopamine.plasticity.learner import Batch, Loss, mean_error

# The next actions [B] by `(online_q, target_q)`, both [B, actions].
Choose = Callable[[jax.Array, jax.Array], jax.Array]


def choice_of_target(online_q: jax.Array, target_q: jax.Array) -> jax.Array:
    """The target network chooses the next action (DQN)."""
    del online_q
    return jnp.argmax(target_q, axis=1)


def choice_of_online(online_q: jax.Array, target_q: jax.Array) -> jax.Array:
    """The online network chooses the next action (double DQN)."""
    del target_q
    return jnp.argmax(online_q, axis=1)


def categorical(
    apply: Callable[..., Any],
    support: jax.Array,
    cumulative_gamma: float,
    choose: Choose = choice_of_target,
) -> Loss:
    r"""The loss of C51: the cross entropy to the projected distribution that follows.

    .. math:: -\sum_i \big[\Phi \, (r + \gamma^n (1 - d) \, Z(s', a'))\big]_i
              \log p_i(s, a)

    with Z of the target network, and Φ the projection onto the support. Bellemare et
    al., "A Distributional Perspective on Reinforcement Learning", ICML 2017.

    Args:
        apply: of `(params, state)`; gives `q_values` [actions], and `logits` and
            `probabilities` [actions, atoms].
        support: returns [atoms] that the atoms stand for.
        cumulative_gamma: the discount to the power of n.
        choose: the next actions.

    Raises:
        SettingError: the atoms do not stand for returns that grow.
    """
    returns = np.asarray(support)
    if (
        len(returns) < 2
        or not np.isfinite(returns).all()
        or (np.diff(returns) <= 0).any()
    ):
        raise SettingError(
            "vmax must be above vmin, which is -vmax where it is not set, and "
            f"num_atoms 2 or more, but the {len(returns)} atoms stand for returns from "
            f"{returns[0]:g} to {returns[-1]:g}. Rainbow has 51 atoms and a vmax of 10."
        )

    def targets(params: Params, target_params: Params, batch: Batch) -> jax.Array:
        online = outputs_of(apply, params, batch, "next_state")
        target = outputs_of(apply, target_params, batch, "next_state")
        actions = choose(online.q_values, target.q_values)
        not_terminal = 1.0 - batch["terminal"].astype(jnp.float32)
        discounts = discount_of(batch, cumulative_gamma) * not_terminal
        returns = batch["reward"][:, None] + discounts[:, None] * support
        project = jax.vmap(rainbow_agent.project_distribution, in_axes=(0, 0, None))
        return project(returns, _of_actions(target.probabilities, actions), support)

    def errors(params: Params, batch: Batch, targets: jax.Array) -> jax.Array:
        logits = outputs_of(apply, params, batch, "state").logits
        cross_entropy = jax.vmap(losses.softmax_cross_entropy_loss_with_logits)
        return cross_entropy(targets, _of_actions(logits, batch["action"]))

    return mean_error(targets, errors)


def quantile_regression(
    apply: Callable[..., Any], kappa: float, cumulative_gamma: float
) -> Loss:
    """The loss of QR-DQN, by `quantile_huber` at the quantiles' midpoints.

    Dabney et al., "Distributional Reinforcement Learning with Quantile Regression",
    AAAI 2018. As in Dopamine, weights of prioritized replay are no part of it.

    Args:
        apply: of `(params, state)`; gives `q_values` [actions], and the quantiles'
            values as `logits` [actions, N].
        kappa: where Huber's loss turns linear.
        cumulative_gamma: the discount to the power of n.
    """

    def targets(params: Params, target_params: Params, batch: Batch) -> jax.Array:
        del params
        target = outputs_of(apply, target_params, batch, "next_state")
        values = _of_actions(target.logits, jnp.argmax(target.q_values, axis=1))
        return _discounted(batch, values, cumulative_gamma)

    def errors(params: Params, batch: Batch, targets: jax.Array) -> jax.Array:
        logits = outputs_of(apply, params, batch, "state").logits
        values = _of_actions(logits, batch["action"])
        num_atoms = values.shape[1]
        midpoints = (jnp.arange(num_atoms, dtype=jnp.float32) + 0.5) / num_atoms
        return quantile_huber(values, midpoints[None], targets, kappa)

    def error(params: Params, batch: Batch, targets: jax.Array) -> jax.Array:
        return jnp.mean(errors(params, batch, targets))

    return Loss(targets, error, errors)


def implicit_quantiles(
    apply: Callable[..., Any],
    kappa: float,
    cumulative_gamma: float,
    num_quantiles: tuple[int, int, int],
    choose: Choose = choice_of_target,
) -> Loss:
    """The loss of IQN: `quantile_huber` over kappa, at quantiles that are drawn.

    Dabney et al., "Implicit Quantile Networks for Distributional Reinforcement
    Learning", ICML 2018. Every state has quantiles of its own.

    Args:
        apply: of `(params, state, key, num_quantiles)`; gives `quantile_values`
            [N, actions] and `quantiles` [N, 1].
        kappa: where Huber's loss turns linear.
        cumulative_gamma: the discount to the power of n.
        num_quantiles: how many are drawn to predict, as targets, and to choose the
            next action.
        choose: the next actions.
    """
    num_predicted, num_targets, num_chosen_by = num_quantiles

    def outputs(params: Params, states: jax.Array, keys: jax.Array, num: int) -> Any:
        return jax.vmap(lambda x, key: apply(params, x, key=key, num_quantiles=num))(
            states, keys
        )

    def targets(params: Params, target_params: Params, batch: Batch) -> jax.Array:
        states = batch["next_state"]
        keys = jax.vmap(lambda key: jax.random.split(key, 3))(
            _keys(batch, "next_key", len(states))
        )
        online, target = (
            outputs(x, states, keys[:, 1], num_chosen_by).quantile_values.mean(axis=1)
            for x in (params, target_params)
        )
        values = outputs(target_params, states, keys[:, 2], num_targets).quantile_values
        chosen = _of_actions(jnp.moveaxis(values, 1, 2), choose(online, target))
        return _discounted(batch, chosen, cumulative_gamma)

    def errors(params: Params, batch: Batch, targets: jax.Array) -> jax.Array:
        keys = _keys(batch, "key", len(batch["state"]))
        found = outputs(params, batch["state"], keys, num_predicted)
        values = jnp.moveaxis(found.quantile_values, 1, 2)
        chosen = _of_actions(values, batch["action"])
        return quantile_huber(chosen, found.quantiles[..., 0], targets, kappa) / kappa

    return mean_error(targets, errors)


def quantile_huber(
    values: jax.Array, quantiles: jax.Array, targets: jax.Array, kappa: float
) -> jax.Array:
    r"""Huber's loss of quantiles against samples, by sign of the error.

    .. math:: \sum_i E_j \; |\tau_i - 1_{u_{ij} < 0}| \, L_\kappa(u_{ij}),
              \qquad u_{ij} = y_j - \theta_i

    Args:
        values: predicted θ [B, N].
        quantiles: τ of the predictions [B, N], or [1, N].
        targets: samples y [B, M].
        kappa: where L turns from the square to the linear.

    Returns:
        Errors [B].
    """
    difference = targets[:, None, :] - values[:, :, None]
    distance = jnp.abs(difference)
    huber = jnp.where(
        distance <= kappa, 0.5 * difference**2, kappa * (distance - 0.5 * kappa)
    )
    share = jnp.abs(quantiles[:, :, None] - (difference < 0).astype(jnp.float32))
    return jnp.sum(jnp.mean(share * huber, axis=2), axis=1)


def _keys(batch: Batch, name: str, num_states: int) -> jax.Array:
    """A key for each state; of a batch without one, the same keys every time."""
    key = batch[name] if name in batch else jax.random.PRNGKey(0)
    return jax.random.split(unrolled(key), num_states)


def _discounted(batch: Batch, values: jax.Array, cumulative_gamma: float) -> jax.Array:
    """Rewards [B] and the values [B, N] that follow."""
    not_terminal = 1.0 - batch["terminal"].astype(jnp.float32)
    discounts = discount_of(batch, cumulative_gamma) * not_terminal
    return batch["reward"][:, None] + discounts[:, None] * values


def _of_actions(values: jax.Array, actions: jax.Array) -> jax.Array:
    """Values [B, N] of actions [B], among those of all [B, actions, N]."""
    return jnp.take_along_axis(values, actions[:, None, None], axis=1)[:, 0]
