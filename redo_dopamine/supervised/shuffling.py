"""Labels that do not stay: a classifier whose targets are reshuffled now and then.

What comes in: images, a network and an intervention. What leaves: metrics, epoch by
epoch, and a state to go on from.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from redo_dopamine.core.interventions import InterventionFactory, none
from redo_dopamine.networks.classifier import ConvClassifier
from redo_dopamine.supervised import images as images_lib
from redo_dopamine.supervised.classification import Classification, Result
from redo_dopamine.supervised.idx import fashion_mnist
from redo_dopamine.supervised.images import Images

# The random streams of a seed, apart from each other.
_SAMPLES, _ORDER, _LABELS, _TRACKING, _INTERVENTION = range(5)


class Row(NamedTuple):
    """One number: a line of `metrics.csv`."""

    epoch: int
    gradient_step: int
    name: str
    value: Any


def shuffled_labels(
    labels: np.ndarray, epoch: int, shuffle_every: int | None, seed: int
) -> np.ndarray:
    """The labels that hold in an epoch.

    Until the first shuffle they are the true ones. Each shuffle deals the true labels
    out anew, so that every class keeps its number of images.

    Args:
        labels: the true ones [N].
        epoch: from 0.
        shuffle_every: epochs between two shuffles; None for none.
        seed: of the shuffles, which draw from a stream of their own.
    """
    num_shuffles = 0 if shuffle_every is None else epoch // shuffle_every
    if num_shuffles == 0:
        return labels
    return np.random.default_rng([seed, _LABELS, num_shuffles]).permutation(labels)


class LabelShuffle:
    """A classifier trained on labels that are reshuffled every few epochs.

    Sokar et al., ICML 2023 (arXiv 2302.12902), section 3: with fixed labels the
    dormant fraction falls, with reshuffled ones it peaks after every shuffle. The
    numbers of samples, epochs and shuffles are the paper's; the optimizer's settings
    and the batch are choices of this project, since the paper's are not known.

    Two experiments of a seed that differ in `shuffle_every` or `intervention` have
    the same images, initial weights and order of the data.

    Args:
        dataset: gives the images: `fashion_mnist` or `cifar10`.
        network: makes the network from a number of classes.
        intervention: what to do against lost plasticity, such as `redo()`.
        seed: of all random streams.
        num_samples: images drawn from the data set, to train on.
        num_epochs: passes over them.
        shuffle_every: epochs between two shuffles of the labels; None for labels
            that stay.
        batch_size: images an update; what does not fill a batch waits for the next
            epoch, which has another order.
        learning_rate: of stochastic gradient descent.
        momentum: of the same, in [0, 1).
        taus: thresholds to measure dormancy at, at the end of every epoch.
        tracking_batch_size: images that a measurement averages over, the same ones
            always; all samples where there are no more.

    Attributes:
        epoch: epochs made.
        gradient_step: gradient updates made in them.

    Raises:
        UserError: images that cannot be read.
        ValueError: a setting out of its range.
    """

    def __init__(
        self,
        dataset: Callable[[], Images] = fashion_mnist,
        network: Callable[[int], Any] = ConvClassifier,
        intervention: InterventionFactory | None = None,
        *,
        seed: int = 0,
        num_samples: int = 10_000,
        num_epochs: int = 100,
        shuffle_every: int | None = 20,
        batch_size: int = 64,
        learning_rate: float = 0.01,
        momentum: float = 0.9,
        taus: Sequence[float] = (0.0, 0.025, 0.1),
        tracking_batch_size: int = 1024,
    ):
        num_samples = _whole("num_samples", num_samples)
        _check("learning_rate", learning_rate, learning_rate > 0, "> 0")
        _check("momentum", momentum, 0 <= momentum < 1, "in [0, 1)")
        self.seed = _whole("seed", seed, low=0)
        self.num_epochs = _whole("num_epochs", num_epochs)
        self._batch_size = _whole("batch_size", batch_size, high=num_samples)
        self._shuffle_every = (
            None if shuffle_every is None else _whole("shuffle_every", shuffle_every)
        )
        tracking_batch_size = _whole("tracking_batch_size", tracking_batch_size)
        self.images = images_lib.choose(dataset(), num_samples, self._rng(_SAMPLES))
        self._problem = Classification(
            network(images_lib.NUM_CLASSES),
            images_lib.standardise(self.images.pixels),
            optax.sgd(learning_rate, momentum),
            intervention or none(),
            taus,
        )
        order = self._rng(_TRACKING).permutation(num_samples)
        self._tracked = order[:tracking_batch_size]
        key = jax.random.PRNGKey(self.seed)
        self._key = jax.random.fold_in(key, _INTERVENTION)
        self._state = self._problem.init(key)
        self.epoch = 0

    @property
    def updates_per_epoch(self) -> int:
        """Gradient updates of one epoch."""
        return len(self.images.labels) // self._batch_size

    @property
    def gradient_step(self) -> int:
        """Gradient updates of the epochs that are over."""
        return self.epoch * self.updates_per_epoch

    def labels_at(self, epoch: int) -> np.ndarray:
        """The labels [N] of the samples in an epoch."""
        return shuffled_labels(
            self.images.labels, epoch, self._shuffle_every, self.seed
        )

    def run_epoch(self, between_steps: Callable[[], None] = lambda: None) -> list[Row]:
        """Train for one epoch, and measure at its end.

        Args:
            between_steps: is called before every update. Where it raises, the epoch
                does not count and only `load_state_tree` makes the object whole.

        Returns:
            `loss` and `train/accuracy`, which are means over the epoch's batches as
            each was before its update; dormant fractions and overlaps; and the
            intervention's metrics, at the steps it acted at.
        """
        labels = jnp.asarray(self.labels_at(self.epoch))
        used = self.updates_per_epoch * self._batch_size
        order = self._rng(_ORDER, self.epoch).permutation(len(self.images.labels))
        batches = order[:used].reshape(-1, self._batch_size)
        results: list[Result] = []
        rows: list[Row] = []

        def report(step: int, found: dict[str, Any]) -> None:
            values = jax.device_get(found)
            rows.extend(Row(self.epoch, step, k, v) for k, v in values.items())

        state = self._state
        for step, index in enumerate(batches, self.gradient_step + 1):
            between_steps()
            state, result = self._problem.update(state, labels, index)
            results.append(result)
            if len(results) == len(batches):
                report(step, _means(results))
                state, found = self._problem.measure(state, self._tracked)
                report(step, found)
            if self._problem.acts_at(step):
                key = jax.random.fold_in(self._key, step)
                rng = self._rng(_INTERVENTION, step)
                state, found = self._problem.intervene(state, labels, step, key, rng)
                report(step, found)
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

    def _rng(self, *stream: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *stream])


def _means(results: Sequence[Result]) -> dict[str, np.floating]:
    losses, accuracies = zip(*jax.device_get(results), strict=True)
    return {"loss": np.mean(losses), "train/accuracy": np.mean(accuracies)}


def _whole(name: str, value: Any, low: int = 1, high: float = math.inf) -> int:
    """A setting as an int: gin may hand over 1e4."""
    number = isinstance(value, int | float) and math.isfinite(value)
    whole = number and value == int(value)
    _check(name, value, whole and low <= value <= high, f"whole and in [{low}, {high}]")
    return int(value)


def _check(name: str, value: Any, fits: bool, rule: str) -> None:
    if not fits:
        raise ValueError(f"{name} must be {rule}, but is {value!r}. Give another.")
