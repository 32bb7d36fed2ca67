"""Train epoch by epoch on fixed inputs, whose targets may change, and measure.

The update, the measurements and the interventions are those of every training loop
here (`redo_dopamine.plasticity`).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from redo_dopamine.core.checks import whole_setting
from redo_dopamine.core.graph import Params
from redo_dopamine.core.interventions import InterventionFactory, none
from redo_dopamine.core.jit import choose_runtime, compiled
from redo_dopamine.core.metrics.dormancy import DormancyRecord
from redo_dopamine.plasticity.layers import TrackedNetwork, declared_graph, known_layers
from redo_dopamine.plasticity.learner import Batch, Learner, Loss, make_fit
from redo_dopamine.plasticity.plasticity import Plasticity
from redo_dopamine.plasticity.tracker import Memories, Memory

# The random streams of a seed, apart from each other.
SAMPLES, ORDER, TARGETS, TRACKING, INTERVENTION = range(5)

# Of outputs and targets, both [B, ...], what a batch tells: scalars by name, among them
# `loss`, which is what the updates descend.
Objective = Callable[[Any, jax.Array], Mapping[str, jax.Array]]


def stream(seed: int, *numbers: int) -> np.random.Generator:
    """Begin one of a seed's random streams."""
    return np.random.default_rng([seed, *numbers])


def make_draw(network: Any, inputs: np.ndarray) -> Callable[[jax.Array], Params]:
    """Compile `key -> new parameters` of a network that takes one of the inputs."""
    blank = np.zeros(inputs.shape[1:], inputs.dtype)

    def draw(key: jax.Array) -> Params:
        return network.init(key, blank)

    choose_runtime(draw, jax.random.PRNGKey(0))
    return compiled(draw)


class Row(NamedTuple):
    """A line of `metrics.csv`."""

    epoch: int
    gradient_step: int
    name: str
    value: Any


class State(NamedTuple):
    """All that training changes, as checkpoints name it."""

    params: Params
    opt_state: optax.OptState
    intervention: Any  # The intervention's state.
    record: DormancyRecord  # What was found dormant so far, for the overlaps.


class EpochExperiment:
    """Train on all inputs, and measure at the end of every epoch.

    A subclass says what the targets are.

    Args:
        network: takes one input. It may have a `graph(input_shape)`, of height and
            width; without one its layers are derived.
        inputs: as the network takes them [N, ...].
        objective: what a batch's outputs are worth.
        optimizer: an optax transformation; one that takes a `value_fn` is given the
            batch's loss, as a function of parameters.
        params: to begin with; donated by the first update.
        draw_params: new parameters from a key.
        intervention: what to do against lost plasticity, such as `redo()`.
        taus: thresholds to measure dormancy at.
        checksum: tells the data from others.
        seed: of all random streams.
        num_epochs: passes over the inputs.
        batch_size: inputs an update; what does not fill a batch waits for the next
            epoch, which has another order.
        tracking_batch_size: inputs that a measurement averages over, the same ones
            always; all of them where there are no more.
        evaluations: how often an update evaluates the network on each of its inputs.
            An epoch has that many times fewer updates.

    Attributes:
        epoch: epochs made.
        learner: parameters and optimizer state.
        plasticity: measures and intervenes.
        network_notes: what is not recycled and why, a sentence each.

    Raises:
        ValueError: a setting out of its range, or a graph that does not fit.
    """

    def __init__(
        self,
        network: Any,
        inputs: np.ndarray,
        objective: Objective,
        optimizer: optax.GradientTransformation,
        params: Params,
        *,
        draw_params: Callable[[jax.Array], Params],
        intervention: InterventionFactory | None,
        taus: Sequence[float],
        checksum: int,
        seed: int,
        num_epochs: int,
        batch_size: int,
        tracking_batch_size: int,
        evaluations: int = 1,
    ):
        self.checksum = checksum
        self.seed = seed
        self.num_epochs = whole_setting("num_epochs", num_epochs)
        self._num_inputs = len(inputs)
        most = self._num_inputs // evaluations
        self._batch_size = whole_setting("batch_size", batch_size, high=most)
        self._evaluations = evaluations
        tracking_batch_size = whole_setting("tracking_batch_size", tracking_batch_size)
        order = stream(seed, TRACKING).permutation(self._num_inputs)
        self._tracked = order[:tracking_batch_size]
        self.epoch = 0
        self._inputs = jnp.asarray(inputs)
        self._optimizer = optax.with_extra_args_support(optimizer)
        self._draw_params = draw_params

        def result(params: Params, batch: Batch) -> Mapping[str, jax.Array]:
            outputs = jax.vmap(lambda x: network.apply(params, x))(batch["state"])
            return objective(outputs, batch["target"])

        # The inputs of a batch are taken within the update.
        self._update = make_fit(
            lambda params, batch: result(params, _take(**batch)), self._optimizer
        )
        blank = np.zeros(inputs.shape[1:], inputs.dtype)
        declared = declared_graph(network, inputs.shape[1:3])
        tracked = TrackedNetwork(network.apply, declared, draw_params, blank)
        known = known_layers(tracked, params)
        self.plasticity = Plasticity(
            network.apply,
            tracked.inputs,
            known.layers,
            params,
            Loss(
                lambda params, target_params, batch: batch["target"],
                lambda params, batch, targets: result(params, batch)["loss"],
            ),
            known.bound(intervention or none(), draw_params, self._optimizer),
            blank,
            taus=known.taus(taus, ()),
            tracking_period=self.updates_per_epoch,
            tracking_batch_size=len(self._tracked),
            seed=seed,
            streams=(TRACKING, INTERVENTION),
        )
        self.learner = Learner(params, self._optimizer.init(params))
        self.network_notes = known.notes

    def targets_at(self, epoch: int) -> np.ndarray:
        """The targets [N, ...] of all inputs in an epoch, from 0."""
        raise NotImplementedError

    @property
    def updates_per_epoch(self) -> int:
        """Gradient updates of one epoch."""
        return self._num_inputs // (self._batch_size * self._evaluations)

    @property
    def gradient_step(self) -> int:
        """Gradient updates of the epochs that are over."""
        return self.epoch * self.updates_per_epoch

    def run_epoch(self, between_steps: Callable[[], None] = lambda: None) -> list[Row]:
        """Train for one epoch, and measure at its end.

        Args:
            between_steps: is called before every update. Where it raises, the epoch
                does not count and only `load_state_tree` makes the object whole.

        Returns:
            What the objective gives, such as `loss`: means over the epoch's batches,
            each before its update; dormant fractions and overlaps; and where the
            intervention acted, its metrics and the fractions just before and after.
        """
        targets = jnp.asarray(self.targets_at(self.epoch))
        used = self.updates_per_epoch * self._batch_size
        order = stream(self.seed, ORDER, self.epoch).permutation(self._num_inputs)
        batches = order[:used].reshape(-1, self._batch_size)

        def draw(size: int, rng: np.random.Generator) -> Batch:
            index = rng.integers(self._num_inputs, size=size)
            return _take(self._inputs, targets, index)

        results: list[Mapping[str, jax.Array]] = []
        rows: list[Row] = []
        learner = self.learner
        for step, index in enumerate(batches, self.gradient_step + 1):
            between_steps()
            batch = {"inputs": self._inputs, "targets": targets, "index": index}
            learner, result = self._update(learner, batch)
            results.append(result)
            learner, found = self.plasticity.after_update(
                learner,
                None,
                step,
                draw,
                lambda *_: _take(self._inputs, targets, self._tracked),
            )
            if len(results) == len(batches):
                found = _means(results) | found
            rows.extend(Row(self.epoch, step, k, v) for k, v in found.items())
        self.learner = learner
        self.epoch += 1
        return rows

    def state_tree(self) -> dict[str, Any]:
        """What a checkpoint must hold, at the end of an epoch."""
        intervention, memories = self.plasticity.state
        state = State(*self.learner, intervention, memories.now.dormancy)
        return {"epoch": self.epoch, "state": state}

    def load_state_tree(self, tree: dict[str, Any]) -> None:
        """Go on from a `state_tree` of an experiment with the same settings."""
        self.epoch = int(tree["epoch"])
        state = jax.tree.map(jnp.array, tree["state"])
        self.learner = Learner(state.params, state.opt_state)
        memory = Memory(state.record, ())
        self.plasticity.state = state.intervention, Memories(memory, memory)


def _take(inputs: jax.Array, targets: jax.Array, index: np.ndarray) -> Batch:
    """The inputs and targets [B, ...] of an index [B]."""
    return {"state": inputs[index], "target": targets[index]}


def _means(results: Sequence[Mapping[str, jax.Array]]) -> dict[str, np.floating]:
    found = jax.device_get(list(results))
    return {name: np.mean([x[name] for x in found]) for name in found[0]}
