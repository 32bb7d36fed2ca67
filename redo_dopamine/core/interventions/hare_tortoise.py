"""Hare and tortoise: now and then, set the weights back to their slow average."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from redo_dopamine.core.checks import is_number, whole
from redo_dopamine.core.graph import NetworkGraph, Params
from redo_dopamine.core.interventions.base import (
    Activations,
    Applied,
    DrawParams,
    Intervention,
    InterventionFactory,
    observe_nothing,
    require_bound,
)
from redo_dopamine.core.moments import refuse_copies
from redo_dopamine.core.schedules import Periodic, Step


class Tortoise(NamedTuple):
    """What hare and tortoise remember.

    Attributes:
        params: the average.
        begun: whether anything has been averaged yet.
    """

    params: Params
    begun: jax.Array


def hare_and_tortoise(
    momentum: float = 0.999,
    period: int = 2_000,
    average_period: int = 1,
    start: int = 0,
    stop: int | None = None,
) -> InterventionFactory:
    r"""Every `period` gradient steps, set the weights back to their running average.

    .. math:: \theta_t \leftarrow \mu \theta_t + (1 - \mu) \theta_h
              \text{ after every update}, \qquad
              \theta_h \leftarrow \theta_t \text{ every } T

    where the hare is the network that learns and acts, and the tortoise the average of
    its weights. The optimizer's state goes on.

    Lee, Cho, Kim, Kim, Kim, Min, Choo and Lyle, "Slow and Steady Wins the Race:
    Maintaining Plasticity with Hare and Tortoise Networks", ICML 2024. The authors'
    public code is of image classification: the momentum is as there, the optimizer goes
    on as it does there within a task, and the default period is about the ten epochs
    there, of all of CIFAR-10 in batches of 256. There the average begins with the
    weights before the first update, here with those after it. What they set on Atari
    could not be read. A reimplementation for DQN takes the target network for the
    tortoise and begins the optimizer again; here the target network stays as it is, and
    follows at its own next update.

    Args:
        momentum: mu in [0, 1], the share of the average that stays.
        period: T, gradient steps between two returns; a multiple of `average_period`.
        average_period: gradient steps between two that are averaged.
        start: first gradient step that counts; the average begins there.
        stop: gradient step from which on none does; None for never.

    Returns:
        A function `(graph, draw_params, optimizer) -> Intervention`. Its metric is
        `tortoise_distance`: the Euclidean norm of hare minus tortoise, before a return.

    Raises:
        ValueError: a setting out of its range.
    """
    if not (is_number(momentum) and 0 <= momentum <= 1):
        raise ValueError(
            f"momentum must be in [0, 1], but is {momentum}. The authors' code has "
            "0.999; 0 changes nothing."
        )
    returns = Periodic(period, start, stop)
    every = whole(
        average_period,
        1,
        "average_period must be a whole number of steps",
        "With 1 the weights after every update are averaged.",
    )
    if returns.period % every:
        raise ValueError(
            f"period must be a multiple of average_period, {every}, but is "
            f"{returns.period}. Leave average_period at 1."
        )
    schedule = Periodic(every, start, stop)

    def build(
        graph: NetworkGraph,
        draw_params: DrawParams,
        optimizer: optax.GradientTransformation,
    ) -> Intervention:
        require_bound(graph, draw_params, optimizer)

        def init(params: Params) -> Tortoise:
            refuse_copies(optimizer, params)
            return Tortoise(jax.tree.map(jnp.copy, params), jnp.zeros([], bool))

        def apply(
            key: jax.Array,
            params: Params,
            opt_state: optax.OptState,
            state: Tortoise,
            activations: Activations,
            step: Step,
        ) -> Applied:
            del key, activations
            due, back = schedule(step), returns(step)

            def average(slow: jax.Array, fast: jax.Array) -> jax.Array:
                mixed = momentum * slow + (1 - momentum) * fast
                new = jnp.where(state.begun, mixed.astype(slow.dtype), fast)
                return jnp.where(due, new, slow)

            slow = jax.tree.map(average, state.params, params)
            distance = optax.tree.norm(jax.tree.map(jnp.subtract, params, slow))
            params = jax.tree.map(lambda x, y: jnp.where(back, x, y), slow, params)
            left = Tortoise(slow, state.begun | due)
            return params, opt_state, left, {"tortoise_distance": distance}

        return Intervention(init, apply, schedule, observe_nothing)

    return build
