"""Training epoch by epoch on fixed inputs: what every experiment of its kind does.

What comes in: a problem, and the targets of each epoch. What leaves: metrics, epoch by
epoch, and a state to go on from.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from redo_dopamine.core.graph import Params
from redo_dopamine.plasticity.plasticity import say_unscored
from redo_dopamine.supervised.problem import Problem, State
from redo_dopamine.supervised.settings import whole

# The random streams of a seed, apart from each other.
SAMPLES, ORDER, TARGETS, TRACKING, INTERVENTION = range(5)


def stream(seed: int, *numbers: int) -> np.random.Generator:
    """One of a seed's random streams, which begins anew at each call."""
    return np.random.default_rng([seed, *numbers])


class Row(NamedTuple):
    """One number: a line of `metrics.csv`."""

    epoch: int
    gradient_step: int
    name: str
    value: Any


class EpochExperiment:
    """Trains on all of a problem's inputs, and measures at the end of every epoch.

    A subclass says what the targets are.

    Args:
        problem: what is learned.
        state: that training starts with, from `problem.init`.
        checksum: tells the data from others.
        num_inputs: of the problem.
        seed: of all random streams.
        num_epochs: passes over the inputs.
        batch_size: inputs an update; what does not fill a batch waits for the next
            epoch, which has another order.
        tracking_batch_size: inputs that a measurement averages over, the same ones
            always; all of them where there are no more.
        evaluations: how often an update evaluates the network on each of its inputs.
            An epoch has that many times fewer updates.

    Attributes:
        checksum: tells the data from others.
        seed: of all random streams.
        num_epochs: passes over the inputs.
        epoch: epochs made.

    Raises:
        ValueError: a setting out of its range.
    """

    def __init__(
        self,
        problem: Problem,
        state: State,
        *,
        checksum: int,
        num_inputs: int,
        seed: int,
        num_epochs: int,
        batch_size: int,
        tracking_batch_size: int,
        evaluations: int = 1,
    ):
        self.checksum = checksum
        self.seed = seed
        self.num_epochs = whole("num_epochs", num_epochs)
        most = num_inputs // evaluations
        self._batch_size = whole("batch_size", batch_size, high=most)
        self._evaluations = evaluations
        self._num_inputs = num_inputs
        tracking_batch_size = whole("tracking_batch_size", tracking_batch_size)
        order = stream(seed, TRACKING).permutation(num_inputs)
        self._tracked = order[:tracking_batch_size]
        self._key = jax.random.fold_in(jax.random.PRNGKey(seed), INTERVENTION)
        self._problem = problem
        self._state = state
        self.epoch = 0

    def targets_at(self, epoch: int) -> np.ndarray:
        """The targets [N, ...] of all inputs in an epoch, from 0."""
        raise NotImplementedError

    @property
    def params(self) -> Params:
        """The network's parameters."""
        return self._state.params

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
            What the objective says, such as `loss`: means over the epoch's batches, as
            each was before its update; dormant fractions and overlaps; and, at the
            steps that the intervention acted at, its metrics and the dormant fractions
            just before and just after.
        """
        targets = jnp.asarray(self.targets_at(self.epoch))
        used = self.updates_per_epoch * self._batch_size
        order = stream(self.seed, ORDER, self.epoch).permutation(self._num_inputs)
        batches = order[:used].reshape(-1, self._batch_size)
        results: list[Mapping[str, jax.Array]] = []
        rows: list[Row] = []

        def report(step: int, found: Mapping[str, Any]) -> None:
            values = say_unscored(jax.device_get(found), step)
            rows.extend(Row(self.epoch, step, k, v) for k, v in values.items())

        state = self._state
        for step, index in enumerate(batches, self.gradient_step + 1):
            between_steps()
            state, result = self._problem.update(state, targets, index)
            results.append(result)
            if len(results) == len(batches):
                report(step, _means(results))
                state, found = self._problem.measure(state, self._tracked)
                report(step, found)
            if self._problem.acts_at(step):
                key = jax.random.fold_in(self._key, step)
                rng = stream(self.seed, INTERVENTION, step)
                if len(results) < len(batches):  # Else it has just been measured.
                    report(step, self._problem.measure_before(state, self._tracked))
                state, found = self._problem.intervene(state, targets, step, key, rng)
                report(step, found)
                report(step, self._problem.measure_after(state, self._tracked))
        self._state = state
        self.epoch += 1
        return rows

    def state_tree(self) -> dict[str, Any]:
        """What a checkpoint must hold, at the end of an epoch."""
        return {"epoch": self.epoch, "state": self._state}

    def load_state_tree(self, tree: dict[str, Any]) -> None:
        """Go on from a `state_tree` of an experiment with the same settings."""
        self.epoch = int(tree["epoch"])
        self._state = jax.tree.map(jnp.array, tree["state"])


def _means(results: Sequence[Mapping[str, jax.Array]]) -> dict[str, np.floating]:
    found = jax.device_get(list(results))
    return {name: np.mean([x[name] for x in found]) for name in found[0]}
