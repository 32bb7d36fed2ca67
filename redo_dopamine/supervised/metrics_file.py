"""`metrics.csv` of an experiment: one line a number, only ever longer.

What comes in: numbers with the clocks of their run. What leaves: the file, in the
format of `redo_dopamine.collectors`, which needs Dopamine.
"""

import csv
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

COLUMNS = ("iteration", "agent_step", "gradient_step", "name", "value")


class MetricsFile:
    """Appends to `metrics.csv`.

    Args:
        directory: of the run.
    """

    def __init__(self, directory: Path):
        self._path = directory / "metrics.csv"

    @property
    def size(self) -> int:
        """Length in bytes; 0 where there is no file."""
        return self._path.stat().st_size if self._path.exists() else 0

    def cut_back(self, size: int) -> None:
        """Shorten the file to its first `size` bytes, if it is longer."""
        if self.size > size:
            os.truncate(self._path, size)

    def append(self, rows: Iterable[tuple[int, int, str, Any]]) -> None:
        """Add `(iteration, gradient_step, name, value)`, and hand them over.

        Without an agent, an agent step is a gradient step.
        """
        with self._path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            if file.tell() == 0:
                writer.writerow(COLUMNS)
            for iteration, step, name, value in rows:
                writer.writerow((iteration, step, step, name, _plain_decimal(value)))


def _plain_decimal(value: Any) -> str:
    """A number without an exponent, as few digits as identify it: `0.000025`."""
    number: Any = np.asarray(value)[()]
    if isinstance(number, np.integer | np.bool_):
        return str(int(number))
    return np.format_float_positional(number, trim="-")
