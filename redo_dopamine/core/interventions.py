"""What is done to a network against lost plasticity, as one argument of an agent.

An intervention has the form of an optax transformation: two pure functions and a
state that is a pytree. Because it rewrites parameters and looks at a batch, it is
not itself one; it runs after the gradient update.

    intervention = redo(tau=0.1, period=1000)(graph, draw_params, optimizer)
    state = intervention.init(params)
    if intervention.schedule(gradient_step):
        activations = intervention.observe(observer)
        params, opt_state, state, metrics = intervention.apply(
            key, params, opt_state, state, activations, gradient_step)
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import optax

from redo_dopamine.core import masks, scores
from redo_dopamine.core.graph import NetworkGraph, Params
from redo_dopamine.core.recycle import recycle
from redo_dopamine.core.schedules import Periodic, Schedule, never

State = Any
Activations = Mapping[str, jax.Array]
Metrics = dict[str, jax.Array]
DrawParams = Callable[[jax.Array], Params]


class Observer(Protocol):
    """What a caller can look up for an intervention, on a batch of its own."""

    def activations(self, batch_size: int) -> Activations:
        """Post-activation outputs [B, ..., N] per layer."""

    def loss_gradients(self, batch_size: int) -> Activations:
        """Gradients of each example's loss in them [B, ..., N] per layer."""


def observe_nothing(observer: Observer) -> Activations:
    """For interventions that look at no batch."""
    del observer
    return {}


class Intervention(NamedTuple):
    """Two pure functions, and what a caller must know to feed them.

    Attributes:
        init: `params -> state`.
        apply: `(key, params, opt_state, state, activations, step) -> (params,
            opt_state, state, metrics)`. Outside its schedule it returns what it
            was given. `step` counts gradient updates made so far.
        schedule: the gradient steps at which `apply` does anything, so that a
            caller need not gather activations at the others.
        observe: asks an `Observer` for the `activations` of `apply`.
        constrain: `(params, opt_state, state) -> (params, opt_state)`, to be called
            after every gradient update; None where there is nothing to hold.
    """

    init: Callable[[Params], State]
    apply: Callable[..., tuple[Params, optax.OptState, State, Metrics]]
    schedule: Schedule
    observe: Callable[[Observer], Activations]
    constrain: Callable[..., tuple[Params, optax.OptState]] | None = None


# What an agent is given: the settings are fixed, the network is still to come.
InterventionFactory = Callable[
    [NetworkGraph, DrawParams, optax.GradientTransformation], Intervention
]


def none() -> InterventionFactory:
    """The baseline: never does anything.

    Returns:
        A function `(graph, draw_params, optimizer) -> Intervention`.
    """

    def build(
        graph: NetworkGraph,
        draw_params: DrawParams,
        optimizer: optax.GradientTransformation,
    ) -> Intervention:
        del graph, draw_params, optimizer

        def apply(key, params, opt_state, state, activations, step):
            del key, activations, step
            return params, opt_state, state, {}

        return Intervention(lambda params: (), apply, never, observe_nothing)

    return build


def redo(
    tau: float = 0.1,
    period: int = 1000,
    score_batch_size: int = 64,
    start: int = 0,
    stop: int | None = None,
) -> InterventionFactory:
    """ReDo: every `period` gradient steps, recycle all tau-dormant neurons.

    Sokar et al., ICML 2023, Algorithm 1, with the paper's settings as defaults.

    Args:
        tau: dormancy threshold >= 0. With 0 the outputs of a network without
            normalisation layers do not change on the states that were scored.
        period: gradient steps between two recycles.
        score_batch_size: states that the scores are averaged over.
        start: first gradient step at which neurons may be recycled.
        stop: gradient step from which on none are; None for never.

    Returns:
        A function `(graph, draw_params, optimizer) -> Intervention`, where
        `draw_params(key)` draws a new parameter tree (`network.init`). Its
        metrics are `recycled/<layer>`: how many neurons were recycled.

    Raises:
        ValueError: a setting out of its range.
    """
    masks.validate_threshold(tau)
    schedule = Periodic(period, start, stop)
    if score_batch_size < 1:
        raise ValueError(
            f"score_batch_size must be at least 1 state, but is {score_batch_size}. "
            "The paper uses 64, and saw no difference from 32 to 1024."
        )

    def build(
        graph: NetworkGraph,
        draw_params: DrawParams,
        optimizer: optax.GradientTransformation,
    ) -> Intervention:
        def find_dormant(activations: Activations) -> dict[str, jax.Array]:
            return {
                layer.name: masks.dormant(
                    scores.dormancy_score(activations[layer.name]), tau
                )
                for layer in graph.recyclable_layers
            }

        def apply(key, params, opt_state, state, activations, step):
            due = schedule(step)
            dormant = {k: m & due for k, m in find_dormant(activations).items()}
            params, opt_state = recycle(
                graph, dormant, params, draw_params(key), opt_state, optimizer
            )
            metrics = {f"recycled/{k}": jnp.sum(m) for k, m in dormant.items()}
            return params, opt_state, state, metrics

        def observe(observer: Observer) -> Activations:
            return observer.activations(score_batch_size)

        return Intervention(lambda params: (), apply, schedule, observe)

    return build
