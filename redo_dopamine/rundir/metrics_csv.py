"""Write `metrics.csv` row by row, and cut it to what a checkpoint counts on.

Its columns, numbers and length are defined here. Knows nothing of agents.
"""

import csv
import io
import os
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from redo_dopamine.errors import UserError, shortened
from redo_dopamine.rundir import checkpoint, files, lock

COLUMNS = ("iteration", "agent_step", "gradient_step", "name", "value")
FILE_NAME = "metrics.csv"
HEADER = f"{','.join(COLUMNS)}\n".encode()
_ROW = re.compile(rb"(\d+,){3}.+,[-.0-9a-z]+")
_CUT_SHORT = re.compile(rb"(\d+,){0,2}\d*|(\d+,){3}.*")
_PART = 1 << 20  # bytes


def plain_decimal(value: Any) -> str:
    """A number without an exponent, as few digits as identify it: `0.000025`."""
    number: Any = np.asarray(value)[()]
    if isinstance(number, np.integer | np.bool_):
        return str(int(number))
    return np.format_float_positional(number, trim="-")


def lines(rows: Iterable[Sequence[Any]]) -> bytes:
    """The bytes of rows, each of the `COLUMNS`."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8")


def append(base_dir: str | Path, rows: Iterable[tuple[int, int, str, Any]]) -> None:
    """Add rows of a run without an agent, and have them on the disk.

    Args:
        base_dir: of the run, whose lock the caller holds.
        rows: `(iteration, gradient_step, name, value)`. Without an agent, an agent
            step is a gradient step.

    Raises:
        OSError: the disk does not take them.
        LockLostError: the directory is no longer this process's.
    """
    waiting = HEADER if current_size(base_dir) == 0 else b""
    waiting += lines((i, step, step, x, plain_decimal(v)) for i, step, x, v in rows)
    with open_append(base_dir) as file:
        while waiting:
            waiting = waiting[file.write(waiting) :]
    sync(base_dir)


def open_append(base_dir: str | Path) -> IO[bytes]:
    """Open `metrics.csv` to write at its end, without a buffer; made if missing.

    Raises:
        NotOrdinaryError: it is a link, or no file.
        LockLostError: the directory is no longer this process's.
    """
    lock.check(base_dir)
    return files.open_append(Path(base_dir) / FILE_NAME)


def cut_back(base_dir: str | Path, size: int) -> None:
    """Shorten `metrics.csv` to its first `size` bytes, if it is longer.

    Raises:
        UserError: it would lose lines that are no rows of a run.
    """
    if current_size(base_dir) > size:
        _check_rows(Path(base_dir) / FILE_NAME, size)
        with open_append(base_dir) as file:
            os.truncate(file.fileno(), size)


def _check_rows(path: Path, size: int) -> None:
    """What is behind the first bytes must be ours, so far as it can be told."""
    with files.open_read(path) as file:
        file.seek(size)
        lines = file.read(files.LARGEST_JSON).split(b"\n")
    if size == 0 and HEADER.startswith(lines[0]):
        del lines[0]
    for number, line in enumerate(lines, start=1):
        # The last one may be cut short, and a power cut may leave zeros.
        row = _CUT_SHORT if number == len(lines) else _ROW
        if not row.fullmatch(line) and b"\0" not in line:
            text = shortened(line.decode("utf-8", "replace"))
            raise UserError(
                f"A run that goes on cuts {path.name} to its rows at the checkpoint, "
                f"but {path} has lines after them that no run writes, such as "
                f"{text!r}. Move those lines to another file, or give another "
                "--base_dir."
            )


def sync(base_dir: str | Path) -> None:
    """Have what was written to `metrics.csv` on the disk; where it is missing, nothing.

    Before a checkpoint that counts on it: else a power cut could take the rows alone.
    """
    try:
        with files.open_read(Path(base_dir) / FILE_NAME) as file:
            os.fsync(file.fileno())
    except FileNotFoundError:
        pass


def current_size(base_dir: str | Path) -> int:
    """Length of `metrics.csv` in bytes; 0 where there is none."""
    path = Path(base_dir) / FILE_NAME
    return path.stat().st_size if path.exists() else 0


def position(base_dir: str | Path) -> dict[str, int | None]:
    """How far `metrics.csv` is, for a checkpoint that counts on its rows."""
    size = current_size(base_dir)
    return {"metrics_size": size, "metrics_crc": checksum(base_dir, size)}


def check_position(base_dir: str | Path, meta: Mapping[str, Any], path: Path) -> None:
    """Check that the rows that a checkpoint counts on are still there.

    Args:
        base_dir: of the run.
        meta: what the checkpoint says, `position` among it.
        path: of the checkpoint.

    Raises:
        DamagedCheckpointError: they are not, or are others.
    """
    size, expected = meta["metrics_size"], meta.get("metrics_crc")
    if expected is None:  # Of a version that did not note it.
        return
    if checksum(base_dir, size) != expected:
        raise checkpoint.DamagedCheckpointError(
            f"The first {size} bytes of {FILE_NAME} must be as they were when {path} "
            "was written, but are not."
        )


def checksum(base_dir: str | Path, size: int) -> int | None:
    """CRC-32 of the first `size` bytes of `metrics.csv`.

    Returns:
        None if there are fewer bytes; 0 for none at all.
    """
    left, found = size, 0
    try:
        with files.open_read(Path(base_dir) / FILE_NAME) as file:
            # A part at a time: what is there may be larger than the memory.
            while left and (part := file.read(min(left, _PART))):
                found, left = zlib.crc32(part, found), left - len(part)
    except FileNotFoundError:
        pass
    return None if left else found
