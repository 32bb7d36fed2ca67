"""What an agent measures of its network, and what it remembers in between.

What comes in: parameters and a batch of transitions. What leaves: metrics by name.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from redo_dopamine.core import graph as graph_lib
from redo_dopamine.core import masks
from redo_dopamine.core.graph import NetworkGraph, Params, of_layers
from redo_dopamine.core.interventions import Activations
from redo_dopamine.core.jit import compiled
from redo_dopamine.core.metrics.base import (
    Measured,
    Metric,
    State,
    View,
    measure_all,
    validate_metrics,
)
from redo_dopamine.core.metrics.dormancy import (
    DormancyRecord,
    dormant_fractions,
    dormant_fractions_after,
    measure_dormancy,
    no_record,
)
from redo_dopamine.networks.capture import collect, loss_gradients
from redo_dopamine.plasticity import rehearsal
from redo_dopamine.plasticity.learner import Batch, Loss


class Observer(NamedTuple):
    """Looks at a learner on batches of one random stream."""

    activations: Callable[[int], Activations]
    loss_gradients: Callable[[int], Activations]


def gradients_of_layers(
    apply: Callable[..., Any],
    inputs: Callable[[Batch], Any],
    graph: graph_lib.NetworkGraph,
    loss: Loss,
) -> Callable[[Params, Params, Batch], Activations]:
    """Gradients of each example's loss, of `(params, target_params, batch)`."""
    return lambda params, target_params, batch: graph_lib.of_layers(
        graph.layers,
        loss_gradients(
            apply,
            lambda p, b: loss(p, target_params, b),
            params,
            batch,
            inputs,
        ),
    )


def looking(
    activations: Callable[[Params, Batch], Any],
    loss_gradients: Callable[[Params, Params, Batch], Any],
    params: Params,
    target_params: Params,
    draw_batch: Callable[[int], Batch],
) -> Observer:
    """An observer by what looks at a batch, at which parameters, and a draw of it."""
    return Observer(
        lambda size: activations(params, draw_batch(size)),
        lambda size: loss_gradients(params, target_params, draw_batch(size)),
    )


def recorded_widths(
    apply: Callable[..., Any],
    graph: graph_lib.NetworkGraph,
    params: graph_lib.Params,
    example: Any,
) -> dict[str, int]:
    """Neurons per layer, after a check that the network records what graph says."""
    inputs = jax.tree.map(lambda x: jnp.asarray(x)[None], example)
    shapes = jax.eval_shape(lambda p, x: collect(apply, p, x), params, inputs)
    kernels = graph_lib.leaves_by_path(params)
    widths = {layer.name: kernels[layer.kernel].shape[-1] for layer in graph.layers}
    for name, width in widths.items():
        found = shapes[name].shape if name in shapes else None
        if found is None or found[-1] != width:
            raise ValueError(
                f"The network must record an activation [..., {width}] for layer "
                f"{name!r} of its graph, but it recorded {found} there (in all: "
                f"{sorted(shapes)}). Call record(self, {name!r}, activation) after "
                "the layer's activation function."
            )
    return widths


class Subject(NamedTuple):
    """A network, apart from its parameters.

    Attributes:
        apply: `(params, input) -> output` of the network for one input.
        inputs: what the network takes of a batch.
        graph: its layers.
        loss: the loss that the updates descend.
        widths: neurons per layer.
    """

    apply: Callable[..., Any]
    inputs: Callable[[Batch], Any]
    graph: NetworkGraph
    loss: Loss
    widths: Mapping[str, int]


class Memory(NamedTuple):
    """What the next measurement compares with.

    Attributes:
        dormancy: the dormant sets found so far, per tau.
        states: one per metric.
    """

    dormancy: DormancyRecord
    states: tuple[State, ...]


class Memories(NamedTuple):
    """What is remembered, and what was before the last measurement.

    With the second, that measurement can be made again from a checkpoint.
    """

    now: Memory
    before: Memory


class Tracking:
    """Measures a network at every tau, and by every metric.

    Args:
        subject: the network.
        params: those that the run starts with.
        taus: thresholds to measure dormancy at; empty for none.
        metrics: what to measure besides.

    Attributes:
        subject: as given.
        taus: as given.
        metrics: as given.
        memories: a pytree of arrays, for checkpoints.

    Raises:
        ValueError: a threshold out of its range, or a metric that stands twice.
        TypeError: metrics that are none.
    """

    def __init__(
        self,
        subject: Subject,
        params: Params,
        *,
        taus: Sequence[float],
        metrics: Sequence[Metric],
    ):
        for tau in taus:
            masks.validate_threshold(tau)
        validate_metrics(metrics)
        self.subject = subject
        self.taus = tuple(float(tau) for tau in taus)
        self.metrics = tuple(metrics)
        self.begin_with(params)
        apply, graph = subject.apply, subject.graph

        def observe(params: Params, inputs: Any) -> Activations:
            return of_layers(graph.layers, collect(apply, params, inputs))

        self._activations = compiled(observe)
        self._measure = compiled(self._take_all)
        self._dormant_fractions = compiled(
            lambda params, inputs: dormant_fractions(observe(params, inputs), self.taus)
        )
        self._dormant_after = compiled(
            lambda params, inputs: dormant_fractions_after(
                observe(params, inputs), self.taus
            )
        )

    def begin_with(self, params: Params) -> None:
        """Remember nothing but the parameters that the run starts with."""
        start = Memory(
            no_record(self.subject.widths, self.taus),
            tuple(metric.init(self.subject.graph, params) for metric in self.metrics),
        )
        self.memories = Memories(start, start)

    def activations(self, params: Params, batch: Batch) -> Activations:
        """Post-activation outputs [B, ..., N] per layer on a batch."""
        return self._activations(params, self.subject.inputs(batch))

    def measure(self, params: Params, target_params: Params, batch: Batch) -> Measured:
        """All metrics by name, of these parameters on this batch; remembers them."""
        memory = self.memories.now
        found, new = self._measure(params, target_params, batch, memory)
        self.memories = Memories(new, memory)
        return found

    def measure_dormant_fractions(self, params: Params, batch: Batch) -> Measured:
        """What is dormant just before an intervention, between two measurements.

        It is not remembered, so that overlaps stay a tracking period apart.
        """
        return self._dormant_fractions(params, self.subject.inputs(batch))

    def measure_after(self, params: Params, batch: Batch) -> Measured:
        """What an intervention has left dormant, on the batch from before.

        It is not remembered: the next measurement compares with the one before.
        """
        return self._dormant_after(params, self.subject.inputs(batch))

    def rehearse(self, params: Params, target_params: Params, batch: Batch) -> None:
        """Trace all measurements, of a batch's shapes.

        Raises:
            ValueError: a metric that cannot be taken of this network or batch.
        """
        now, inputs = self.memories.now, self.subject.inputs(batch)
        try:
            with rehearsal.of("metrics", "hold what this agent can measure"):
                found, new = jax.eval_shape(
                    self._measure, params, target_params, batch, now
                )
        except ValueError:
            self._find_wrong_metric(params, target_params, batch)
            raise
        rehearsal.check_scalars("metrics", found)
        rehearsal.check_same("metrics", "their states", now, new)
        if self.taus:
            jax.eval_shape(self._dormant_fractions, params, inputs)
            jax.eval_shape(self._dormant_after, params, inputs)

    def _find_wrong_metric(
        self, params: Params, target_params: Params, batch: Batch
    ) -> None:
        for metric in self.metrics if len(self.metrics) > 1 else ():
            alone = Tracking(self.subject, params, taus=(), metrics=[metric])
            alone.rehearse(params, target_params, batch)

    def others(
        self,
        params: Params,
        *,
        taus: Sequence[float],
        metrics: Sequence[Metric],
        before: bool = False,
    ) -> "Tracking":
        """Measure the same network otherwise.

        Args:
            params: those that the run started with.
            taus: thresholds.
            metrics: those of `self.metrics` among them.
            before: whether to stand where the last measurement stood.

        Returns:
            Another one. What it has in common with this one it remembers too; to
            all else its first measurement is the first.
        """
        other = Tracking(self.subject, params, taus=taus, metrics=metrics)
        own = self.memories.before if before else self.memories.now
        start = other.memories.now
        records = [
            tuple(
                mine[self.taus.index(tau)] if tau in self.taus else empty
                for tau, empty in zip(other.taus, sets, strict=True)
            )
            for mine, sets in zip(own.dormancy, start.dormancy, strict=True)
        ]
        states = dict(zip(self.metrics, own.states, strict=True))
        start = Memory(
            DormancyRecord(*records),
            tuple(
                states.get(metric, fresh)
                for metric, fresh in zip(other.metrics, start.states, strict=True)
            ),
        )
        other.memories = Memories(start, start)
        return other

    def _take_all(
        self, params: Params, target_params: Params, batch: Batch, memory: Memory
    ) -> tuple[Measured, Memory]:
        subject = self.subject
        inputs = subject.inputs(batch)

        def observe(params: Params) -> Activations:
            return of_layers(
                subject.graph.layers, collect(subject.apply, params, inputs)
            )

        view = View(
            graph=subject.graph,
            params=params,
            batch=batch,
            inputs=inputs,
            activations=observe(params),
            observe=observe,
            apply=subject.apply,
            loss=lambda params: subject.loss(params, target_params, batch),
        )
        found, record = measure_dormancy(view.activations, self.taus, memory.dormancy)
        more, states = measure_all(self.metrics, view, memory.states)
        return found | more, Memory(record, states)
