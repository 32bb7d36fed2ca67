"""A Dopamine collector that writes `metrics.csv`.

What comes in: statistics from the agent and the runner. What leaves: one line each
in `<base_dir>/metrics.csv`, which only ever grows, but is cut back to its length at
the last checkpoint when a run resumes.
"""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from dopamine.metrics import collector, statistics_instance

# Those who ask this module for the rest of the file go on finding it here.
from redo_dopamine.metrics_file import COLUMNS
from redo_dopamine.metrics_file import FILE_NAME as FILE_NAME
from redo_dopamine.metrics_file import checksum as checksum
from redo_dopamine.metrics_file import current_size as current_size
from redo_dopamine.metrics_file import cut_back as cut_back
from redo_dopamine.metrics_file import plain_decimal as plain_decimal


class Clock(NamedTuple):
    """Where a run is.

    Attributes:
        iteration: of the runner, from 0.
        agent_step: training steps of the agent; one is four frames.
        gradient_step: gradient updates made.
    """

    iteration: int
    agent_step: int
    gradient_step: int


class CsvCollector(collector.Collector):
    """Appends every scalar to `metrics.csv`, stamped with the run's clock.

    Args:
        base_dir: the run's directory.
        clock: tells where the run is.
    """

    def __init__(self, base_dir: str, clock: Callable[[], Clock]):
        super().__init__(None)  # No directory of its own: one file in base_dir.
        self._clock = clock
        path = Path(base_dir) / FILE_NAME
        self._file = path.open("a", newline="", encoding="utf-8")
        self._writer = csv.writer(self._file, lineterminator="\n")
        if path.stat().st_size == 0:
            self._writer.writerow(COLUMNS)
            self.flush()

    def get_name(self) -> str:
        """The name by which `CollectorDispatcher.collectors` asks for it."""
        return "csv"

    def write(
        self, statistics: Sequence[statistics_instance.StatisticsInstance]
    ) -> None:
        """Append one line per scalar; other types are left to other collectors."""
        clock = self._clock()
        for statistic in statistics:
            if self.check_type(statistic.type):
                value = plain_decimal(statistic.value)
                self._writer.writerow((*clock, statistic.name, value))
        self.flush()

    def flush(self) -> None:
        """Hand what was written to the operating system."""
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
