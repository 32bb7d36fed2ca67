"""Measure a network, and remember what the next measurement compares with."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax

from redo_dopamine.core import masks
from redo_dopamine.core.graph import NetworkGraph, Params
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
from redo_dopamine.plasticity import rehearsal
from redo_dopamine.plasticity.learner import Batch, Loss
from redo_dopamine.plasticity.watched import Watched


class Observer(NamedTuple):
    """Looks at a learner on batches of one random stream."""

    activations: Callable[[int], Activations]
    loss_gradients: Callable[[int], Activations]
    gradients: Callable[[int], Params]


def looking(
    activations: Callable[[Params, Batch], Any],
    loss_gradients: Callable[[Params, Params, Batch], Any],
    gradients: Callable[[Params, Params, Batch], Any],
    params: Params,
    target_params: Params,
    draw_batch: Callable[[int], Batch],
) -> Observer:
    """An observer by what looks at a batch, at which parameters, and a draw of it."""
    return Observer(
        lambda size: activations(params, draw_batch(size)),
        lambda size: loss_gradients(params, target_params, draw_batch(size)),
        lambda size: gradients(params, target_params, draw_batch(size)),
    )


class Subject(NamedTuple):
    """What is measured, apart from its parameters.

    Attributes:
        network: its layers, and the way to look at them.
        inputs: what the network takes of a batch.
        loss: the loss that the updates descend.
        widths: neurons per layer.
    """

    network: Watched
    inputs: Callable[[Batch], Any]
    loss: Loss
    widths: Mapping[str, int]

    @property
    def graph(self) -> NetworkGraph:
        """The network's layers."""
        return self.network.graph

    def activations(self, params: Params, inputs: Any) -> Activations:
        """Post-activation outputs [B, ..., N] per layer."""
        return self.network.activations(params, inputs)

    def loss_gradients(
        self, params: Params, target_params: Params, batch: Batch
    ) -> Activations:
        """Gradients of each example's loss in them [B, ..., N] per layer."""
        return self.network.loss_gradients(
            self.loss, self.inputs, params, target_params, batch
        )

    def gradients(self, params: Params, target_params: Params, batch: Batch) -> Params:
        """Gradients of the loss in the parameters."""
        return jax.grad(self.loss.__call__)(params, target_params, batch)


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
        validate_metrics(metrics)
        self.subject = subject
        self.taus = masks.thresholds(taus)
        self.metrics = tuple(metrics)
        self.begin_with(params)
        observe = subject.activations
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

    def with_metrics(
        self,
        params: Params,
        *,
        taus: Sequence[float],
        metrics: Sequence[Metric],
        before: bool = False,
    ) -> "Tracking":
        """Make a tracking of the same network at other taus, by other metrics.

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
            return subject.activations(params, inputs)

        view = View(
            graph=subject.graph,
            params=params,
            batch=batch,
            inputs=inputs,
            activations=observe(params),
            observe=observe,
            apply=subject.network.apply,
            loss=lambda params: subject.loss(params, target_params, batch),
            loss_of=lambda params, other: subject.loss(params, target_params, other),
        )
        found, record = measure_dormancy(view.activations, self.taus, memory.dormancy)
        more, states = measure_all(self.metrics, view, memory.states)
        return found | more, Memory(record, states)
