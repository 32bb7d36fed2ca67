"""The form of every intervention."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import jax
import optax

from redo_dopamine.core.checks import whole
from redo_dopamine.core.graph import NetworkGraph, Params, require_graph
from redo_dopamine.core.moments import require_optimizer
from redo_dopamine.core.schedules import Schedule, Step, never

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

    def gradients(self, batch_size: int) -> Params:
        """Gradients of the loss in the parameters."""


# Given to `apply` as it is: activations or gradients per layer, or a tree of both.
Observe = Callable[[Observer], Any]

# Of the metrics of an intervention that scores: by layer, of how many neurons the
# magnitude is not finite.
NOT_FINITE = "not_finite"


def observe_nothing(observer: Observer) -> Activations:
    """For interventions that look at no batch."""
    del observer
    return {}


def observe_activations(batch_size: int) -> Observe:
    """For interventions that look at activations.

    Args:
        batch_size: states that the scores are averaged over.

    Raises:
        ValueError: fewer than one state.
    """
    size = whole_batch_size(batch_size)
    return lambda observer: observer.activations(size)


def whole_batch_size(score_batch_size: float) -> int:
    """How many states to score neurons on.

    Raises:
        ValueError: no whole number of them, or fewer than one.
    """
    return whole(
        score_batch_size,
        1,
        "score_batch_size must be a whole number of states",
        "The paper uses 64, and saw no difference from 32 to 1024.",
    )


# What `apply` gives.
Applied = tuple[Params, optax.OptState, State, Metrics]


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
    apply: Callable[..., Applied]
    schedule: Schedule
    observe: Observe
    constrain: Callable[..., tuple[Params, optax.OptState]] | None = None


def require_bound(graph: Any, draw_params: Any, optimizer: Any) -> None:
    """Refuse what an intervention cannot be bound to.

    Raises:
        TypeError: no graph, no function, or no optimizer.
        ValueError: the graph has no layer.
    """
    require_graph(graph)
    if not callable(draw_params):
        raise TypeError(
            "draw_params must be a function of a random key that draws a parameter "
            f"tree, such as network.init, but is a {type(draw_params).__name__}."
        )
    require_optimizer(optimizer)


def require_recyclable(graph: NetworkGraph) -> None:
    """Refuse a graph of which no neuron can be recycled.

    Raises:
        ValueError: it has layers to track alone.
    """
    if not graph.recyclable_layers:
        names = [layer.name for layer in graph.layers]
        raise ValueError(
            "Recycling needs a layer whose neurons can be recycled one by one, but of "
            f"the graph's layers {names} none can: all are recyclable=False. Use "
            "none() to track them."
        )


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

        def apply(
            key: jax.Array,
            params: Params,
            opt_state: optax.OptState,
            state: State,
            activations: Activations,
            step: Step,
        ) -> Applied:
            del key, activations, step
            return params, opt_state, state, {}

        return Intervention(lambda params: (), apply, never, observe_nothing)

    return build
