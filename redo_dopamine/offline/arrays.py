"""Read and write a gzipped .npy file as a stream of rows.

No more of the file is in memory than a block of rows. The checksum at its end is
always compared.
"""

import contextlib
import gzip
import math
import re
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from redo_dopamine.errors import UserError
from redo_dopamine.rundir import files
from redo_dopamine.rundir.files import atomic_write

ARRAYS = ("observation", "action", "reward", "terminal")
EPISODE_END = "episode_end"  # Ours; may be missing.
ADD_COUNT, INVALID_RANGE = "add_count", "invalid_range"
_OBSERVATIONS = re.compile(r"\$store\$_observation_ckpt\.(0|[1-9][0-9]*)\.gz")


def directory_of(root: str | Path, game: str, run: int | str) -> Path:
    """The directory of a game's splits.

    Args:
        root: of the data set.
        game: in Dopamine's spelling, as DemonAttack.
        run: the public data set has 1 to 5, of five agents.
    """
    return Path(root) / game / str(run) / "replay_logs"


def array_path(directory: Path, name: str, split: int) -> Path:
    """The file of an array with one entry per row."""
    return directory / f"$store$_{name}_ckpt.{split}.gz"


def note_path(directory: Path, name: str, split: int) -> Path:
    """The file of `ADD_COUNT` or `INVALID_RANGE`."""
    return directory / f"{name}_ckpt.{split}.gz"


def required_paths(directory: Path, split: int) -> list[Path]:
    """The files without which a split cannot be read."""
    return [
        *(array_path(directory, name, split) for name in ARRAYS),
        note_path(directory, ADD_COUNT, split),
        note_path(directory, INVALID_RANGE, split),
    ]


def splits_in(directory: Path) -> list[int]:
    """The numbers of the splits of which there are observations, in order."""
    if not directory.is_dir():
        return []
    matches = (_OBSERVATIONS.fullmatch(path.name) for path in directory.iterdir())
    return sorted(int(match[1]) for match in matches if match)


def files_in(directory: Path) -> list[str]:
    """The names of all files that are of a split, whole or not, in order."""
    if not directory.is_dir():
        return []
    names = sorted(path.name for path in directory.iterdir())
    return [name for name in names if "_ckpt." in name]


def invalid_rows(cursor: int, rows: int, stack_size: int, horizon: int) -> list[int]:
    """The rows about a ring's cursor that no state may end with, by Dopamine's rule.

    Before the cursor, the next state n steps later is not there yet; from it on,
    the frames before are gone.

    Args:
        cursor: the row that is written next.
        rows: of the ring.
        stack_size: frames per state.
        horizon: n of n-step returns.
    """
    return [(cursor - horizon + i) % rows for i in range(stack_size + horizon)]


_BLOCK_BYTES = 8 * 1024**2
# Frames of games are large and repetitive: higher levels gain 5% and take far longer.
_COMPRESSION = 6


def damaged(path: Path, reason: object) -> UserError:
    """The error of a file that is not what it should be."""
    return UserError(
        f"A data set's file must be a whole gzipped .npy array, but {path} is not: "
        f"{reason}. Download or record it again."
    )


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    # Damaged bytes lead gzip, zlib and NumPy to whatever they raise.
    except Exception as error:
        raise damaged(path, error) from error


class RowStream:
    """An array [rows, ...] in a file, read from its first row to its last.

    Args:
        path: of the file.

    Attributes:
        shape: of the whole.
        dtype: of one entry.
        checksum: CRC-32 of what has been read.

    Raises:
        UserError: the file does not begin as a gzipped .npy array does.
    """

    def __init__(self, path: Path):
        self._path = path
        with _reading(path):
            self._compressed = files.open_read(path)
        self._file = gzip.GzipFile(fileobj=self._compressed)
        self.checksum = 0
        with _reading(path):
            self.shape, self.dtype = self._read_header()

    def __enter__(self) -> "RowStream":
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()
        self._compressed.close()

    def _read_header(self) -> tuple[tuple[int, ...], np.dtype]:
        version = np.lib.format.read_magic(self._file)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if read is None:
            raise ValueError(f"its .npy format is version {version}")
        shape, fortran_order, dtype = read(self._file)
        if dtype.hasobject or (fortran_order and len(shape) > 1):
            raise ValueError(f"it holds {dtype} in an order that cannot be read")
        return shape, dtype

    def blocks(self) -> Iterator[np.ndarray]:
        """The rows in order, as arrays [n, ...] that are filled again every time.

        Raises:
            UserError: the file ends early, late, or is damaged.
        """
        row_bytes = math.prod(self.shape[1:]) * self.dtype.itemsize
        length = max(1, min(self.shape[0], _BLOCK_BYTES // max(1, row_bytes)))
        buffer = np.empty((length, *self.shape[1:]), self.dtype)
        for start in range(0, self.shape[0], length):
            block = buffer[: self.shape[0] - start]
            with _reading(self._path):
                self._fill(block)
            yield block
        with _reading(self._path):
            # The end of the file is where its checksum is compared.
            if self._file.read(1):
                raise ValueError(f"it goes on behind an array of shape {self.shape}")

    def _fill(self, block: np.ndarray) -> None:
        content = memoryview(block).cast("B")  # type: ignore[arg-type]
        filled = 0
        while filled < len(content):
            count = self._file.readinto(content[filled:])
            if not count:
                raise EOFError(
                    f"it ends early, though its array is of shape {self.shape}"
                )
            filled += count
        self.checksum = zlib.crc32(content, self.checksum)


def read(path: Path, kinds: str) -> np.ndarray:
    """A whole array.

    Args:
        path: of the file.
        kinds: of numbers that are right, as in `numpy.dtype.kind`.

    Raises:
        UserError: it is damaged, or its numbers are of another kind.
    """
    with RowStream(path) as stream:
        if stream.dtype.kind not in kinds:
            raise damaged(path, f"its numbers are {stream.dtype}")
        if stream.shape == ():
            stream.shape = (1,)
        if stream.shape[0] < 1:
            raise damaged(path, f"its array is of shape {stream.shape}")
        return np.concatenate([block.copy() for block in stream.blocks()])


def write(path: Path, array: npt.ArrayLike) -> None:
    """Write a whole array, so that the file is there whole or not at all."""
    with (
        atomic_write(path) as whole,
        gzip.open(whole, "wb", compresslevel=_COMPRESSION) as file,
    ):
        np.lib.format.write_array(file, np.asarray(array), allow_pickle=False)


class RowFile:
    """Writes an array [rows, ...] row by row, however many there will be.

    The header, which has their number, comes first in the file but is known last. A
    gzip file may consist of several parts, so it is made as one of its own.

    Args:
        path: of the file, which is there once `close` has been called.
        shape: of a row.
        dtype: of an entry.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: npt.DTypeLike):
        self._path = path
        self._shape = shape
        self._dtype = np.dtype(dtype)
        self._body = path.with_name(path.name + ".rows.part")
        self._compressed = files.open_new(self._body)
        self._file = gzip.GzipFile(
            fileobj=self._compressed, mode="wb", compresslevel=_COMPRESSION
        )
        self._rows = 0

    def append(self, row: npt.ArrayLike) -> None:
        """Write the next row."""
        self._file.write(np.ascontiguousarray(row, self._dtype).tobytes())
        self._rows += 1

    def discard(self) -> None:
        """Let go of the file, which its owner deletes."""
        with contextlib.suppress(OSError, ValueError):
            self._compressed.close()

    def close(self) -> None:
        """Put the header before the rows, and the file in its place."""
        self._file.close()
        self._compressed.close()
        header = {
            "descr": np.lib.format.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (self._rows, *self._shape),
        }
        with atomic_write(self._path) as whole:
            with gzip.open(whole, "wb") as file:
                np.lib.format.write_array_header_1_0(file, header)
            with files.open_read(self._body) as rows:
                shutil.copyfileobj(rows, whole)
        self._body.unlink()
