"""Read labeled images into memory: Fashion-MNIST and CIFAR-10 from their files."""

import gzip
import math
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from redo_dopamine.errors import UserError
from redo_dopamine.rundir import files

# Fashion-MNIST and CIFAR-10 both have ten.
NUM_CLASSES = 10


class Images(NamedTuple):
    """Images and their classes."""

    pixels: np.ndarray  # Bytes [N, H, W, C].
    labels: np.ndarray  # Classes [N], int32, each in [0, NUM_CLASSES).

    @property
    def checksum(self) -> int:
        """Tells these images, in this order, from others."""
        return zlib.crc32(self.labels.tobytes(), zlib.crc32(self.pixels.tobytes()))


def choose(images: Images, num_samples: int, rng: np.random.Generator) -> Images:
    """Draw some of the images without replacement.

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
    """Average square blocks of pixels.

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
    number, height, width, colors = pixels.shape
    if height % block or width % block:
        raise ValueError(
            f"pixel_block must divide the images' height and width, {height} and "
            f"{width}, but is {block}. 2 makes images of 28x28 pixels 14x14."
        )
    blocks = (number, height // block, block, width // block, block, colors)
    return pixels.reshape(blocks).mean(axis=(2, 4), dtype=np.float32)


def standardize(pixels: np.ndarray) -> np.ndarray:
    r"""Give pixels mean 0 and standard deviation 1 in each color.

    .. math:: (x - \text{mean}_c) / \text{std}_c

    Args:
        pixels: [N, H, W, C]; the statistics are those of all N images.

    Returns:
        Floats [N, H, W, C], float32; a color that never changes is 0.
    """
    axes = (0, 1, 2)
    mean = pixels.mean(axes, dtype=np.float64).astype(np.float32)
    std = pixels.std(axes, dtype=np.float64).astype(np.float32)
    return (pixels - mean) / np.where(std == 0, np.float32(1), std)


def _read_bytes(path: Path, remedy: str) -> bytes:
    try:
        return files.read_bytes(path)
    except OSError as error:
        raise UserError(
            f"A data set must have all of its files, but {path} cannot be read: "
            f"{error.strerror}. {remedy}"
        ) from error


def _check_labels(labels: np.ndarray, path: Path, remedy: str) -> None:
    """Check that all labels [N] are classes."""
    wrong = np.flatnonzero(labels >= NUM_CLASSES)
    if wrong.size:
        raise UserError(
            f"A label must be in 0 to {NUM_CLASSES - 1}, but image {wrong[0]} of "
            f"{path} has label {labels[wrong[0]]}: the file is damaged or another "
            f"one. {remedy}"
        )


# Parts of Fashion-MNIST: with what its files' names begin, and how many images it has.
Split = tuple[str, int]
TRAIN: Split = ("train", 60_000)
TEST: Split = ("t10k", 10_000)
_SIDE = 28
_UNSIGNED_BYTES = 0x0800
_GZIP = b"\x1f\x8b"
# Where Debian's package puts the files.
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
_REMEDY = (
    "Install Debian's package dataset-fashion-mnist, or give a folder with "
    "Fashion-MNIST's IDX files as --data_dir."
)


def fashion_mnist(data_dir: str | None = None) -> Images:
    """Read the training images of Fashion-MNIST, with pixels [60000, 28, 28, 1].

    Args:
        data_dir: folder of its IDX files; None for that of Debian's package.

    Raises:
        UserError: a file that is missing, truncated or another one.
    """
    return read_fashion_mnist(DEBIAN_FOLDER if data_dir is None else Path(data_dir))


def read_fashion_mnist(folder: Path, split: Split = TRAIN) -> Images:
    """Read one part of Fashion-MNIST from a folder of its IDX files, plain or `.gz`."""
    prefix, num_images = split
    labels_path = _find(folder, f"{prefix}-labels-idx1-ubyte")
    pixels = read_idx(
        _find(folder, f"{prefix}-images-idx3-ubyte"), (num_images, _SIDE, _SIDE)
    )
    labels = read_idx(labels_path, (num_images,))
    _check_labels(labels, labels_path, _REMEDY)
    return Images(pixels[..., None], labels.astype(np.int32))


def read_idx(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Read the array of bytes in an IDX file.

    Args:
        path: plain or compressed, whatever its name.
        shape: that it must have.

    Raises:
        UserError: it cannot be read, is no IDX file of bytes, has another shape, or
            is shorter or longer than its header says.
    """
    content = _decompressed(path)
    magic = int.from_bytes(content[:4], "big")
    expected = _UNSIGNED_BYTES + len(shape)
    start = 4 + 4 * len(shape)
    if magic != expected or len(content) < start:
        raise UserError(
            f"An IDX file of bytes with {len(shape)} axes must begin with the magic "
            f"number {expected}, but {path} begins with {magic} and has "
            f"{len(content)} bytes. {_REMEDY}"
        )
    found = tuple(np.frombuffer(content, ">u4", len(shape), offset=4).tolist())
    if found != shape:
        raise UserError(
            f"The data set's array must have shape {shape}, but {path} says {found}. "
            f"{_REMEDY}"
        )
    length = start + math.prod(shape)
    if len(content) != length:
        raise UserError(
            f"An IDX file of shape {shape} must have {length} bytes, but {path} has "
            f"{len(content)}: it is damaged. {_REMEDY}"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _find(folder: Path, name: str) -> Path:
    """Prefer the plain file over its compressed twin."""
    plain, compressed = folder / name, folder / f"{name}.gz"
    return compressed if compressed.exists() and not plain.exists() else plain


def _decompressed(path: Path) -> bytes:
    content = _read_bytes(path, _REMEDY)
    if not content.startswith(_GZIP):
        return content
    try:
        return gzip.decompress(content)  # Compares its checksum, too.
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(
            f"A compressed file must be whole, but {path} is not: {error}. {_REMEDY}"
        ) from error


TRAIN_FILES = tuple(f"data_batch_{i}.bin" for i in range(1, 6))
TEST_FILES = ("test_batch.bin",)

_CIFAR_SIDE, _COLORS = 32, 3
_RECORD = 1 + _COLORS * _CIFAR_SIDE * _CIFAR_SIDE  # bytes
_RECORDS = 10_000  # a file
_ARCHIVE_FOLDER = "cifar-10-batches-bin"
# Of a run that is given no folder, as by a launcher: below where it is started.
DEFAULT_FOLDER = Path("data")
_CIFAR_REMEDY = (
    "Get 'CIFAR-10 binary version' (cifar-10-binary.tar.gz) from the University of "
    f"Toronto's page on CIFAR, unpack it, and give its folder {_ARCHIVE_FOLDER} as "
    f"--data_dir, or put it into {DEFAULT_FOLDER}/ where the run is started."
)


def cifar10(data_dir: str | None = None) -> Images:
    """Read the training images of CIFAR-10, with pixels [50000, 32, 32, 3].

    Args:
        data_dir: folder of the binary version's files, or the one it was unpacked in;
            None for `DEFAULT_FOLDER`.

    Raises:
        UserError: a file that is missing, truncated or another one.
    """
    folder = DEFAULT_FOLDER if data_dir is None else Path(data_dir)
    if (folder / _ARCHIVE_FOLDER).is_dir():
        folder = folder / _ARCHIVE_FOLDER
    return read_cifar10(folder, TRAIN_FILES)


def read_cifar10(folder: Path, files: Sequence[str]) -> Images:
    """Read `TRAIN_FILES` or `TEST_FILES` from a folder, in order."""
    records = np.concatenate([_records(folder / name) for name in files])
    planes = records[:, 1:].reshape(-1, _COLORS, _CIFAR_SIDE, _CIFAR_SIDE)
    pixels = np.ascontiguousarray(planes.transpose(0, 2, 3, 1))
    return Images(pixels, records[:, 0].astype(np.int32))


def _records(path: Path) -> np.ndarray:
    """Bytes [10000, 3073]."""
    content = _read_bytes(path, _CIFAR_REMEDY)
    if len(content) != _RECORDS * _RECORD:
        raise UserError(
            f"A CIFAR-10 file must have {_RECORDS} records of {_RECORD} bytes, "
            f"{_RECORDS * _RECORD} in all, but {path} has {len(content)}: it is "
            f"truncated or another one. {_CIFAR_REMEDY}"
        )
    records = np.frombuffer(content, np.uint8).reshape(_RECORDS, _RECORD)
    _check_labels(records[:, 0], path, _CIFAR_REMEDY)
    return records
