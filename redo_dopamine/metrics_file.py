"""`metrics.csv`, whoever writes it: its columns, its numbers, and its length.

What comes in: a run's directory. What leaves: the file, cut back to what a checkpoint
counts on. Knows nothing of agents.
"""

import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np

COLUMNS = ("iteration", "agent_step", "gradient_step", "name", "value")
FILE_NAME = "metrics.csv"


def plain_decimal(value: Any) -> str:
    """A number without an exponent, as few digits as identify it: `0.000025`."""
    number: Any = np.asarray(value)[()]
    if isinstance(number, np.integer | np.bool_):
        return str(int(number))
    return np.format_float_positional(number, trim="-")


def cut_back(base_dir: str | Path, size: int) -> None:
    """Shorten `metrics.csv` to its first `size` bytes, if it is longer."""
    path = Path(base_dir) / FILE_NAME
    if path.exists() and path.stat().st_size > size:
        os.truncate(path, size)


def current_size(base_dir: str | Path) -> int:
    """Length of `metrics.csv` in bytes; 0 where there is none."""
    path = Path(base_dir) / FILE_NAME
    return path.stat().st_size if path.exists() else 0


def checksum(base_dir: str | Path, size: int | None = None) -> int | None:
    """CRC-32 of the first `size` bytes of `metrics.csv`, or of all of it.

    Returns:
        None if there are fewer bytes; 0 for none at all.
    """
    path = Path(base_dir) / FILE_NAME
    content = path.read_bytes() if path.exists() else b""
    if size is not None and len(content) < size:
        return None
    return zlib.crc32(content[:size])
