"""Fashion-MNIST from IDX files, plain or compressed by gzip.

A file is a magic number (0, 0, 8 for unsigned bytes, the number of axes), the length
of each axis as a big-endian 32-bit integer, and the bytes (LeCun's page on MNIST;
Xiao et al., "Fashion-MNIST", 2017, arXiv 1708.07747).
"""

import gzip
import math
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from redo_dopamine.errors import UserError
from redo_dopamine.supervised.images import Images, check_labels, read_bytes


class Split(NamedTuple):
    """A part of the data set.

    Attributes:
        prefix: with which its files' names begin.
        num_images: how many it has.
    """

    prefix: str
    num_images: int


TRAIN, TEST = Split("train", 60_000), Split("t10k", 10_000)

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
    """The 60,000 training images of Fashion-MNIST.

    Args:
        data_dir: folder of its IDX files; None for that of Debian's package.

    Returns:
        Images with pixels [60000, 28, 28, 1].

    Raises:
        UserError: a file that is missing, truncated or another one.
    """
    return read_fashion_mnist(DEBIAN_FOLDER if data_dir is None else Path(data_dir))


def read_fashion_mnist(folder: Path, split: Split = TRAIN) -> Images:
    """The images of one part of Fashion-MNIST.

    Args:
        folder: of its IDX files; a name may end in `.gz`.
        split: `TRAIN` or `TEST`.

    Raises:
        UserError: a file that is missing, truncated or another one.
    """
    pixels_path = _find(folder, f"{split.prefix}-images-idx3-ubyte")
    labels_path = _find(folder, f"{split.prefix}-labels-idx1-ubyte")
    pixels = read_idx(pixels_path, (split.num_images, _SIDE, _SIDE))
    labels = read_idx(labels_path, (split.num_images,))
    check_labels(labels, labels_path, _REMEDY)
    return Images(pixels[..., None], labels.astype(np.int32))


def read_idx(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """The array of bytes in an IDX file.

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
    """The file, or its compressed twin where there is only that."""
    plain, compressed = folder / name, folder / f"{name}.gz"
    return compressed if compressed.exists() and not plain.exists() else plain


def _decompressed(path: Path) -> bytes:
    content = read_bytes(path, _REMEDY)
    if not content.startswith(_GZIP):
        return content
    try:
        return gzip.decompress(content)  # Compares its checksum, too.
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(
            f"A compressed file must be whole, but {path} is not: {error}. {_REMEDY}"
        ) from error
