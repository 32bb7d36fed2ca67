"""CIFAR-10 from the files of its binary version.

A file is 10,000 records of one label and 3 x 32 x 32 pixels, a byte each: the red
ones row by row, then the green and the blue ones (Krizhevsky, "Learning Multiple
Layers of Features from Tiny Images", 2009).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from redo_dopamine.errors import UserError
from redo_dopamine.supervised.images import Images, check_labels, read_bytes

TRAIN_FILES = tuple(f"data_batch_{i}.bin" for i in range(1, 6))
TEST_FILES = ("test_batch.bin",)

_SIDE, _COLOURS = 32, 3
_RECORD = 1 + _COLOURS * _SIDE * _SIDE  # bytes
_RECORDS = 10_000  # a file
_ARCHIVE_FOLDER = "cifar-10-batches-bin"
# Of a run that is given no folder, as by a launcher: below where it is started.
DEFAULT_FOLDER = Path("data")
_REMEDY = (
    "Get 'CIFAR-10 binary version' (cifar-10-binary.tar.gz) from the University of "
    f"Toronto's page on CIFAR, unpack it, and give its folder {_ARCHIVE_FOLDER} as "
    f"--data_dir, or put it into {DEFAULT_FOLDER}/ where the run is started."
)


def cifar10(data_dir: str | None = None) -> Images:
    """The 50,000 training images of CIFAR-10.

    Args:
        data_dir: folder of the binary version's files, or the one it was unpacked in;
            None for `DEFAULT_FOLDER`.

    Returns:
        Images with pixels [50000, 32, 32, 3].

    Raises:
        UserError: a file that is missing, truncated or another one.
    """
    folder = DEFAULT_FOLDER if data_dir is None else Path(data_dir)
    if (folder / _ARCHIVE_FOLDER).is_dir():
        folder = folder / _ARCHIVE_FOLDER
    return read_cifar10(folder, TRAIN_FILES)


def read_cifar10(folder: Path, files: Sequence[str]) -> Images:
    """The images of some files, in order.

    Args:
        folder: where they lie.
        files: `TRAIN_FILES` or `TEST_FILES`.

    Raises:
        UserError: a file that is missing, truncated or another one.
    """
    records = np.concatenate([_records(folder / name) for name in files])
    planes = records[:, 1:].reshape(-1, _COLOURS, _SIDE, _SIDE)
    pixels = np.ascontiguousarray(planes.transpose(0, 2, 3, 1))
    return Images(pixels, records[:, 0].astype(np.int32))


def _records(path: Path) -> np.ndarray:
    """Bytes [10000, 3073]."""
    content = read_bytes(path, _REMEDY)
    if len(content) != _RECORDS * _RECORD:
        raise UserError(
            f"A CIFAR-10 file must have {_RECORDS} records of {_RECORD} bytes, "
            f"{_RECORDS * _RECORD} in all, but {path} has {len(content)}: it is "
            f"truncated or another one. {_REMEDY}"
        )
    records = np.frombuffer(content, np.uint8).reshape(_RECORDS, _RECORD)
    check_labels(records[:, 0], path, _REMEDY)
    return records
