"""Track a network and intervene on it, in any training loop.

A loop calls `Plasticity.after_update` once per gradient update, with the number of
updates made so far. It passes a learner and a way to draw batches, and gets back a
learner and the metrics of this step, which are mostly none.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import logging

from redo_dopamine.core import graph as graph_lib
from redo_dopamine.core.checks import whole
from redo_dopamine.core.interventions import NOT_FINITE, Intervention
from redo_dopamine.core.jit import compiled
from redo_dopamine.core.metrics.base import Metric
from redo_dopamine.core.schedules import Periodic, Schedule, never
from redo_dopamine.plasticity import rehearsal
from redo_dopamine.plasticity.learner import Batch, Learner, Loss
from redo_dopamine.plasticity.tracker import (
    Memories,
    Subject,
    Tracking,
    looking,
)
from redo_dopamine.plasticity.watched import watched
from redo_dopamine.tracing.traced import TracedNetwork

# A batch of transitions, states as the network takes them, from `(batch_size, rng)`.
DrawBatch = Callable[[int, np.random.Generator], Batch]

# An agent's random streams, apart from each other and from training's.
_TRACKING, _INTERVENTION = 1, 2


class Plasticity:
    """Tracks the dormant neurons of a network and intervenes against them.

    Both run on their own random streams, folded from the seed and the gradient
    step, so that runs with different interventions see the same data until the
    first one acts.

    Args:
        apply: `(params, input) -> output` of the network for one input.
        inputs: what the network takes of a batch.
        graph: the network's layers; must fit `params` (`core.graph.validate`). Or what
            `trace_network` returned: then the network need not record anything, and
            takes one input or a batch, as it did when it was traced.
        params: the network's parameters.
        loss: the loss that the updates descend.
        intervention: what to do, and when.
        example: one network input, for shapes only.
        taus: thresholds to track dormancy at; empty for none.
        tracking_period: gradient steps between two measurements.
        tracking_batch_size: states that a measurement averages over.
        seed: of the random streams.
        metrics: what to measure besides, on the same batches, such as `srank()`.
        streams: numbers of the random streams of tracking and of interventions.

    Attributes:
        tracking: what is measured, and what was found before.
        tracking_batch_size: states that a measurement averages over.
        dormant_fraction: pooled over layers at the largest tau, when last measured;
            NaN before.

    Raises:
        ValueError: a setting out of its range, a graph that does not fit, or a
            layer whose activations the network does not record.
        TypeError: a setting of another kind, or metrics that are none.
    """

    def __init__(
        self,
        apply: Callable[..., Any],
        inputs: Callable[[Batch], Any],
        graph: graph_lib.NetworkGraph | TracedNetwork,
        params: graph_lib.Params,
        loss: Loss,
        intervention: Intervention,
        example: Any,
        *,
        taus: Sequence[float],
        tracking_period: int,
        tracking_batch_size: int,
        seed: int,
        metrics: Sequence[Metric] = (),
        streams: tuple[int, int] = (_TRACKING, _INTERVENTION),
    ):
        for name, function in (("apply", apply), ("inputs", inputs), ("loss", loss)):
            if not callable(function):
                raise TypeError(f"{name} must be a function, but is {function!r}.")
        if not isinstance(intervention, Intervention):
            raise TypeError(
                "intervention must be bound to its network, as "
                f"redo()(graph, draw_params, optimizer) is, but is {intervention!r}."
            )
        self._tracking_stream, self._intervention_stream = streams
        self.tracking_batch_size = whole(
            tracking_batch_size,
            1,
            "tracking_batch_size must be a whole number of states",
            "The paper scores on 64.",
        )
        network = watched(apply, graph)
        if network.graph.layers or taus or metrics:  # Else there is nothing to look at.
            graph_lib.validate(network.graph, params)
        subject = Subject(network, inputs, loss, network.widths(params, example))
        self.tracking = Tracking(
            subject,
            params,
            taus=taus,
            metrics=metrics,
        )
        measures = bool(self.tracking.taus or self.tracking.metrics)
        self._tracking_due: Schedule = Periodic(tracking_period) if measures else never
        self._intervention = intervention
        self._intervention_state = intervention.init(params)
        if not isinstance(seed, int | np.integer) or not 0 <= seed < 2**63:
            raise ValueError(
                f"seed must be a whole number from 0 to 2^63 - 1, but is {seed!r}."
            )
        self._seed = int(seed)
        self.dormant_fraction = float("nan")
        self._loss_gradients = compiled(subject.loss_gradients)
        self._gradients = compiled(subject.gradients)
        # The learner is donated, as in an update.
        self._intervene = compiled(intervention.apply, donate_argnums=(1, 2))
        self._constrain = intervention.constrain and compiled(intervention.constrain)

    def tracks_at(self, gradient_step: int) -> bool:
        """Whether there is a measurement after that update."""
        return self._tracking_due(gradient_step)

    def tracking_rng(self, gradient_step: int) -> np.random.Generator:
        """What that measurement's batch is drawn with."""
        return self._rng(self._tracking_stream, gradient_step)

    def intervenes_at(self, gradient_step: int) -> bool:
        """Whether the intervention acts after that update, and any measurement."""
        return bool(self._intervention.schedule(gradient_step))

    def _is_alone(self, gradient_step: int) -> bool:
        """Whether it acts neither one step earlier nor one later."""
        return not any(map(self.intervenes_at, (gradient_step - 1, gradient_step + 1)))

    def after_update(
        self,
        learner: Learner,
        target_params: graph_lib.Params,
        gradient_step: int,
        draw_batch: DrawBatch,
        draw_tracked: DrawBatch | None = None,
    ) -> tuple[Learner, dict[str, np.number]]:
        """Measure, then intervene, where the schedules say so.

        Dormancy is measured just before and just after every intervention, on the
        same batch, whatever the tracking period. But one that acts at every step is
        measured, and says something of itself, only where a measurement is due.

        Args:
            learner: parameters and optimizer state after the update; donated.
            target_params: parameters of the target network.
            gradient_step: how many updates have been made, this one included.
            draw_batch: gives transitions to look at.
            draw_tracked: gives those that are measured; None where `draw_batch` does.

        Returns:
            The learner, and metrics by name: what was measured, what the intervention
            says of itself, and what was measured after it.
        """
        if self._constrain is not None:
            held = self._constrain(*learner, self._intervention_state)
            learner = Learner(*held)
        found: list[Mapping[str, jax.Array]] = []
        tracks = self.tracks_at(gradient_step)
        intervenes = self.intervenes_at(gradient_step)
        shown = tracks or (intervenes and self._is_alone(gradient_step))
        tracked: Batch | None = None
        if tracks or (shown and self.tracking.taus):
            rng = self.tracking_rng(gradient_step)
            tracked = (draw_tracked or draw_batch)(self.tracking_batch_size, rng)
            found.append(self._measure(learner.params, target_params, tracked, tracks))
        if intervenes:
            rng = self._rng(self._intervention_stream, gradient_step)
            observer = looking(
                *(self.tracking.activations, self._loss_gradients, self._gradients),
                *(learner.params, target_params),
                lambda size: draw_batch(size, rng),
            )
            stream = jax.random.fold_in(
                jax.random.PRNGKey(self._seed), self._intervention_stream
            )
            params, opt_state, self._intervention_state, done = self._intervene(
                jax.random.fold_in(stream, gradient_step),
                learner.params,
                learner.opt_state,
                self._intervention_state,
                self._intervention.observe(observer),
                jnp.int32(gradient_step),
            )
            learner = Learner(params, opt_state)
            if shown:
                found.append(done)
            if tracked is not None:
                found.append(self.tracking.measure_after(learner.params, tracked))
        values = {k: v for part in jax.device_get(found) for k, v in part.items()}
        told = say_unscored(values, gradient_step)
        return learner, {k: v[()] for k, v in told.items()}

    def rehearse(
        self,
        learner: Learner,
        target_params: graph_lib.Params,
        example: Callable[[int], Batch],
    ) -> None:
        """Trace what `after_update` does, for a `draw_batch` that gives shapes.

        Raises:
            ValueError: a metric or an intervention that this network cannot do.
        """
        params = learner.params
        if self.tracking.taus or self.tracking.metrics:
            batch = example(self.tracking_batch_size)
            self.tracking.rehearse(params, target_params, batch)
        observer = looking(
            functools.partial(jax.eval_shape, self.tracking.activations),
            functools.partial(jax.eval_shape, self._loss_gradients),
            functools.partial(jax.eval_shape, self._gradients),
            *(params, target_params, example),
        )
        rehearsal.intervening(
            self._intervention._replace(apply=self._intervene),
            *(learner, self._intervention_state, observer),
        )

    def _measure(
        self,
        params: graph_lib.Params,
        target_params: graph_lib.Params,
        batch: Batch,
        tracks: bool,
    ) -> dict[str, jax.Array]:
        """All that is tracked, or between two such measurements dormancy alone."""
        if tracks:
            found = self.tracking.measure(params, target_params, batch)
        else:
            found = self.tracking.measure_dormant_fractions(params, batch)
        if self.tracking.taus:
            largest = max(self.tracking.taus)
            self.dormant_fraction = float(found[f"dormant_fraction/{largest}"])
        return found

    def _rng(self, stream: int, gradient_step: int) -> np.random.Generator:
        return np.random.default_rng([self._seed, stream, gradient_step])

    def begin_with(self, params: graph_lib.Params) -> None:
        """Begin with other parameters than those given at first."""
        self._intervention_state = self._intervention.init(params)
        self.tracking.begin_with(params)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must hold, as numpy arrays."""
        leaves = [np.asarray(x) for x in jax.tree.leaves(self.state)]
        return {"leaves": leaves, "seed": self._seed, "metrics": self._metric_names}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Restore the state of a checkpoint.

        Raises:
            ValueError: it belongs to other layers, thresholds, interventions or
                metrics.
        """
        leaves, structure = jax.tree.flatten(self.state)
        shapes = [x.shape for x in leaves]
        saved_shapes = [x.shape for x in saved["leaves"]]
        saved_names = [str(name) for name in saved["metrics"]]
        if shapes != saved_shapes or saved_names != self._metric_names:
            raise ValueError(
                "A checkpoint's plasticity state must be of this network, "
                f"intervention and taus, and of metrics {self._metric_names}: "
                f"expected arrays {shapes}, found {saved_shapes} with metrics "
                f"{saved_names}. Restore the settings of that run."
            )
        self.state = jax.tree.unflatten(structure, map(jnp.asarray, saved["leaves"]))
        self._seed = int(saved["seed"])

    @property
    def state(self) -> tuple[Any, Memories]:
        """The intervention's state, and what measurements compare with."""
        return self._intervention_state, self.tracking.memories

    @state.setter
    def state(self, state: tuple[Any, Memories]) -> None:
        self._intervention_state, self.tracking.memories = state

    @property
    def _metric_names(self) -> list[str]:
        return [metric.name for metric in self.tracking.metrics]


def say_unscored(metrics: Mapping[str, Any], gradient_step: int) -> dict[str, Any]:
    """Warn of layers in which an intervention could not score the neurons.

    Args:
        metrics: of the intervention and whatever else, on the host.
        gradient_step: at which it acted.

    Returns:
        The metrics to log: `not_finite/<layer>` only where it is not 0.
    """
    told = {
        name: value
        for name, value in metrics.items()
        if value or name.partition("/")[0] != NOT_FINITE
    }
    layers = [x.partition("/")[2] for x in told if x.partition("/")[0] == NOT_FINITE]
    if layers:
        logging.warning(
            "Nothing is recycled in %s at gradient step %d: what neurons are scored by "
            "is not finite there, or too large to be added up.",
            ", ".join(layers),
            gradient_step,
        )
    return told
