"""Train a classifier on labels that are reshuffled now and then.

`python -m redo_dopamine.supervised.label_shuffle --base_dir=DIR`.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gin
import jax
import jax.numpy as jnp
import numpy as np
import optax

from redo_dopamine.cli import flags, process
from redo_dopamine.core.checks import check_positive, check_setting, whole_setting
from redo_dopamine.core.interventions import InterventionFactory
from redo_dopamine.networks.nature import ConvClassifier
from redo_dopamine.supervised import images as images_lib
from redo_dopamine.supervised.command import Command
from redo_dopamine.supervised.experiment import (
    SAMPLES,
    TARGETS,
    EpochExperiment,
    make_draw,
    stream,
)
from redo_dopamine.supervised.images import Images, cifar10, fashion_mnist


def shuffled_labels(
    labels: np.ndarray, epoch: int, shuffle_every: int | None, seed: int
) -> np.ndarray:
    """Return the labels of an epoch.

    Until the first shuffle they are the true ones. Each shuffle permutes the true
    labels, so every class keeps its number of images.

    Args:
        labels: the true ones [N].
        epoch: from 0.
        shuffle_every: epochs between two shuffles; None for none.
        seed: of the shuffles, which draw from a stream of their own.
    """
    if shuffle_every is None or epoch < shuffle_every:
        return labels
    return stream(seed, TARGETS, epoch // shuffle_every).permutation(labels)


def cross_entropy(logits: jax.Array, labels: jax.Array) -> Mapping[str, jax.Array]:
    """Return `loss`, the mean cross-entropy in nats, and `train/accuracy`.

    Args:
        logits: of each class [B, classes].
        labels: classes [B].
    """
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    right = jnp.argmax(logits, axis=-1) == labels
    return {"loss": jnp.mean(losses), "train/accuracy": jnp.mean(right)}


class LabelShuffle(EpochExperiment):
    """Train a classifier on labels that are reshuffled every few epochs.

    Sokar et al., ICML 2023 (arXiv 2302.12902), section 3: with fixed labels the
    dormant fraction falls, with reshuffled ones it peaks after every shuffle. The
    numbers of samples, epochs and shuffles are the paper's; the optimizer's settings
    and the batch are choices of this project, since the paper's are not known.

    Two experiments of a seed that differ in `shuffle_every` or `intervention` have
    the same images, initial weights and order of the data.

    Args:
        dataset: gives the images: `fashion_mnist` or `cifar10`.
        network: makes the network from a number of classes.
        num_samples: images drawn from the data set, to train on.
        pixel_block: side of the blocks of pixels that are averaged into one; 2 makes
            28x28 images 14x14, at half the time an update. 1 for none.
        shuffle_every: epochs between two shuffles of the labels; None for labels
            that stay.
        learning_rate: of stochastic gradient descent.
        momentum: of the same, in [0, 1).
        The others are those of `EpochExperiment`.

    Attributes:
        images: the samples, with their true labels.

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
        pixel_block: int = 1,
        num_epochs: int = 100,
        shuffle_every: int | None = 20,
        batch_size: int = 64,
        learning_rate: float = 0.01,
        momentum: float = 0.9,
        taus: Sequence[float] = (0.0, 0.025, 0.1),
        tracking_batch_size: int = 1024,
    ):
        seed = whole_setting("seed", seed, low=0)
        num_samples = whole_setting("num_samples", num_samples)
        check_positive(learning_rate=learning_rate)
        check_setting(
            "momentum", momentum, lambda x: 0 <= x < 1, "a finite number in [0, 1)"
        )
        if shuffle_every is not None:
            shuffle_every = whole_setting("shuffle_every", shuffle_every)
        self._shuffle_every = shuffle_every
        self.images = images_lib.choose(dataset(), num_samples, stream(seed, SAMPLES))
        pixels = images_lib.averaged(
            self.images.pixels, whole_setting("pixel_block", pixel_block)
        )
        inputs = images_lib.standardize(pixels)
        made = network(images_lib.NUM_CLASSES)
        draw_params = make_draw(made, inputs)
        super().__init__(
            *(made, inputs, cross_entropy, optax.sgd(learning_rate, momentum)),
            draw_params(jax.random.PRNGKey(seed)),
            draw_params=draw_params,
            intervention=intervention,
            taus=taus,
            checksum=self.images.checksum,
            seed=seed,
            num_epochs=num_epochs,
            batch_size=batch_size,
            tracking_batch_size=tracking_batch_size,
        )

    def targets_at(self, epoch: int) -> np.ndarray:
        """The labels [N] of the samples in an epoch."""
        return shuffled_labels(
            self.images.labels, epoch, self._shuffle_every, self.seed
        )


_DATASETS = {"fashion_mnist": fashion_mnist, "cifar10": cifar10}


def _add_flags(parser: argparse.ArgumentParser) -> None:
    default = "default: what gin says; fashion_mnist"
    parser.add_argument("--dataset", choices=tuple(_DATASETS), help=default)
    parser.add_argument("--data_dir", help="folder of the data set's files")


def _bindings(options: argparse.Namespace) -> list[str]:
    found = []
    if options.dataset is not None:
        found.append(f"LabelShuffle.dataset = @{options.dataset}")
    data_dir = flags.optional("--data_dir", options.data_dir)
    if data_dir is not None:
        found += [f"{name}.data_dir = {data_dir!r}" for name in _DATASETS]
    return found


def _dataset() -> str:
    dataset = gin.query_parameter("LabelShuffle.dataset")
    return getattr(dataset, "selector", str(dataset)).rpartition(".")[2]


COMMAND = Command(
    module="label_shuffle",
    kind=LabelShuffle,
    description="Train a classifier on labels that are reshuffled now and then.",
    names={**_DATASETS, "ConvClassifier": ConvClassifier},
    defaults="""
LabelShuffle.dataset = @fashion_mnist
LabelShuffle.network = @ConvClassifier
LabelShuffle.intervention = @none()
""",
    dataset=_dataset,
    add_flags=_add_flags,
    bindings=_bindings,
)
main = COMMAND.main


if __name__ == "__main__":
    process.run(main)
