"""Labelled images in memory, and what every reader of them needs.

What comes in: files of a data set, read by `idx` or `cifar`. What leaves: arrays.
"""

import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from redo_dopamine import run_files
from redo_dopamine.errors import UserError

# Fashion-MNIST and CIFAR-10 both have ten.
NUM_CLASSES = 10


class Images(NamedTuple):
    """Images and their classes.

    Attributes:
        pixels: bytes [N, H, W, C].
        labels: classes [N], int32, each in [0, NUM_CLASSES).
    """

    pixels: np.ndarray
    labels: np.ndarray

    @property
    def checksum(self) -> int:
        """Tells these images, in this order, from others."""
        return zlib.crc32(self.labels.tobytes(), zlib.crc32(self.pixels.tobytes()))


def choose(images: Images, num_samples: int, rng: np.random.Generator) -> Images:
    """Some of the images, drawn without replacement.

    Raises:
        ValueError: fewer than one, or more than there are.
    """
    available = len(images.labels)
    if not 1 <= num_samples <= available:
        raise ValueError(
            f"num_samples must be in [1, {available}], the number of images, but is "
            f"{num_samples}. The paper uses 10,000."
        )
    index = rng.permutation(available)[:num_samples]
    return Images(images.pixels[index], images.labels[index])


def averaged(pixels: np.ndarray, block: int) -> np.ndarray:
    """Images of fewer pixels, each the mean of a square block of the given ones.

    Args:
        pixels: [N, H, W, C].
        block: side of a block; must divide height and width. 1 leaves them as they are.

    Returns:
        Pixels [N, H / block, W / block, C], float32 where anything is averaged.

    Raises:
        ValueError: it does not divide them.
    """
    if block == 1:
        return pixels
    number, height, width, colours = pixels.shape
    if height % block or width % block:
        raise ValueError(
            f"pixel_block must divide the images' height and width, {height} and "
            f"{width}, but is {block}. 2 makes images of 28x28 pixels 14x14."
        )
    blocks = (number, height // block, block, width // block, block, colours)
    return pixels.reshape(blocks).mean(axis=(2, 4), dtype=np.float32)


def standardise(pixels: np.ndarray) -> np.ndarray:
    r"""Pixels with mean 0 and standard deviation 1 in each colour.

    .. math:: (x - \text{mean}_c) / \text{std}_c

    Args:
        pixels: [N, H, W, C]; the statistics are those of all N images.

    Returns:
        Floats [N, H, W, C], float32; a colour that never changes is 0.
    """
    axes = (0, 1, 2)
    mean = pixels.mean(axes, dtype=np.float64).astype(np.float32)
    std = pixels.std(axes, dtype=np.float64).astype(np.float32)
    return (pixels - mean) / np.where(std == 0, np.float32(1), std)


def read_bytes(path: Path, remedy: str) -> bytes:
    """The content of a file of a data set.

    Args:
        path: the file.
        remedy: how to get it, for the message.

    Raises:
        UserError: it is not there or cannot be read.
    """
    try:
        return run_files.read_bytes(path)
    except OSError as error:
        raise UserError(
            f"A data set must have all of its files, but {path} cannot be read: "
            f"{error.strerror}. {remedy}"
        ) from error


def check_labels(labels: np.ndarray, path: Path, remedy: str) -> None:
    """Check that all labels are classes.

    Args:
        labels: as stored [N].
        path: the file they are from.
        remedy: how to get a right one, for the message.

    Raises:
        UserError: one is none.
    """
    wrong = np.flatnonzero(labels >= NUM_CLASSES)
    if wrong.size:
        raise UserError(
            f"A label must be in 0 to {NUM_CLASSES - 1}, but image {wrong[0]} of "
            f"{path} has label {labels[wrong[0]]}: the file is damaged or another "
            f"one. {remedy}"
        )
