"""What a metric is: a pure function of what it may look at, and a state.

A `Metric` has the form of an `Intervention` or an optax transformation, except that
it changes nothing. All metrics of an agent run in one jitted call, beside dormancy
tracking and on its batch. The ones that come with this package are in
`catalogue`; one of your own is three values:

    def largest(view, state):
        found = {f"largest/{k}": jnp.max(h) for k, h in view.activations.items()}
        return found, state

    Metric("largest", lambda graph, params: (), largest)
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax

from redo_dopamine.core.graph import NetworkGraph, Params
from redo_dopamine.core.metrics.gradients import Observe


class View(NamedTuple):
    """What a measurement may look at. What is not looked at is not computed.

    Attributes:
        graph: the network's layers.
        params: the parameters that are measured.
        batch: arrays [B, ...] of transitions.
        inputs: what of them the network takes, a pytree of arrays [B, ...].
        activations: post-activation outputs [B, ..., N] per layer, for these inputs.
        observe: activations for the same inputs as a function of parameters.
        apply: `(params, input) -> output` of the network for one input.
        loss: the loss on the batch as a function of parameters.
        loss_of: `(params, batch) -> loss` on another batch of such arrays.
    """

    graph: NetworkGraph
    params: Params
    batch: Mapping[str, jax.Array]
    inputs: Any
    activations: Mapping[str, jax.Array]
    observe: Observe
    apply: Callable[[Params, Any], Any]
    loss: Callable[[Params], jax.Array]
    loss_of: Callable[[Params, Mapping[str, jax.Array]], jax.Array]


State = Any
Measured = dict[str, jax.Array]


class Metric(NamedTuple):
    """Two pure functions and a name.

    Attributes:
        name: what errors and checkpoints call it; an agent has each name once.
        init: `(graph, params) -> state`, a pytree of arrays; () where none is
            needed. The parameters are those that a run starts with. A caller may
            overwrite their memory, so what is kept must be a copy.
        measure: `(view, state) -> (scalars by name, state)`. The names are columns
            of the run's metrics: `<metric>/<layer>`. What it keeps of `view.params`
            must be a copy too.
    """

    name: str
    init: Callable[[NetworkGraph, Params], State]
    measure: Callable[[View, State], tuple[Measured, State]]


def validate_metrics(metrics: Sequence[Metric]) -> None:
    """Check a list of metrics.

    Raises:
        TypeError: an entry that is not a `Metric`.
        ValueError: a name that stands twice.
    """
    for metric in metrics:
        if not isinstance(metric, Metric):
            raise TypeError(
                f"metrics must hold Metrics, but has {metric!r}. Call the function "
                "that makes one: stable_rank(), in gin @stable_rank()."
            )
    names = [metric.name for metric in metrics]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(
            f"metrics must differ in name, but {repeated} stand more than once in "
            f"{names}. Take each once."
        )


def measure_all(
    metrics: Sequence[Metric], view: View, states: Sequence[State]
) -> tuple[Measured, tuple[State, ...]]:
    """Take every measurement of one view.

    Args:
        metrics: what to measure.
        view: what to look at.
        states: the states of the metrics, in their order.

    Returns:
        All scalars by name, and the new states.

    Raises:
        ValueError: two metrics that give the same name.
    """
    found: Measured = {}
    new_states = []
    for metric, state in zip(metrics, states, strict=True):
        measured, new_state = metric.measure(view, state)
        taken = sorted(found.keys() & measured.keys())
        if taken:
            raise ValueError(
                f"Metrics must give names of their own, but {metric.name!r} gives "
                f"{taken}, as one before it does. Leave out either, or rename."
            )
        found |= measured
        new_states.append(new_state)
    return found, tuple(new_states)
