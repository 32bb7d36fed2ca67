"""`metrics.csv` of an experiment: one line a number, only ever longer.

What comes in: numbers with the clocks of their run. What leaves: the file, in the
format of every run's (`redo_dopamine.metrics_file`).
"""

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from redo_dopamine import metrics_file


class MetricsFile:
    """Appends to `metrics.csv`.

    Args:
        directory: of the run.
    """

    def __init__(self, directory: Path):
        self._directory = directory

    @property
    def size(self) -> int:
        """Length in bytes; 0 where there is no file."""
        return metrics_file.current_size(self._directory)

    def cut_back(self, size: int) -> None:
        """Shorten the file to its first `size` bytes, if it is longer."""
        metrics_file.cut_back(self._directory, size)

    def append(self, rows: Iterable[tuple[int, int, str, Any]]) -> None:
        """Add `(iteration, gradient_step, name, value)`, and have them on the disk.

        Without an agent, an agent step is a gradient step.
        """
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        if self.size == 0:
            writer.writerow(metrics_file.COLUMNS)
        for iteration, step, name, value in rows:
            number = metrics_file.plain_decimal(value)
            writer.writerow((iteration, step, step, name, number))
        waiting = text.getvalue().encode("utf-8")
        with metrics_file.open_append(self._directory) as file:
            while waiting:
                waiting = waiting[file.write(waiting) :]
        metrics_file.sync(self._directory)
