"""Write statistics to `metrics.csv`, to TensorBoard's events and to a progress bar.

`metrics.csv` only grows, but is cut back to its length at the last checkpoint when a
run resumes. A full disk does not stop a run here: it stops its checkpoints, until all
rows are in the file.
"""

import contextlib
import functools
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import tensorflow as tf
import tqdm
from dopamine.metrics import (
    collector,
    collector_dispatcher,
    statistics_instance,
    tensorboard_collector,
)

from redo_dopamine.cli import process
from redo_dopamine.rundir import lock
from redo_dopamine.rundir.metrics_csv import (
    COLUMNS,
    FILE_NAME,
    lines,
    open_append,
    plain_decimal,
)
from redo_dopamine.runners.wandb_collector import WandbCollector


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


def register(clock: Callable[[], Clock]) -> None:
    """Have Dopamine's dispatcher make these by their names in gin, with that clock."""
    csv_collector = functools.partial(CsvCollector, clock=clock)
    collector_dispatcher.add_collector("csv", csv_collector)
    collector_dispatcher.add_collector("tensorboard", TensorboardCollector)
    wandb_collector = functools.partial(WandbCollector, clock=clock)
    collector_dispatcher.add_collector("wandb", wandb_collector)


class CsvCollector(collector.Collector):
    """Appends every scalar to `metrics.csv`, stamped with the run's clock.

    Args:
        base_dir: the run's directory.
        clock: tells where the run is.
    """

    def __init__(self, base_dir: str, clock: Callable[[], Clock]):
        super().__init__(None)  # No directory of its own: one file in base_dir.
        self._clock = clock
        self._directory = Path(base_dir)
        self._path = self._directory / FILE_NAME
        # Without a buffer, so that it is known what of a row a full disk has taken.
        self._file = open_append(base_dir)
        self._waiting = b""
        self._warning = _Warning()
        if self._path.stat().st_size == 0:
            self._waiting = lines([COLUMNS])
            self.flush()

    def get_name(self) -> str:
        """The name by which `CollectorDispatcher.collectors` asks for it."""
        return "csv"

    def write(
        self, statistics: Sequence[statistics_instance.StatisticsInstance]
    ) -> None:
        """Append one line per scalar; other types are left to other collectors.

        Where the disk does not take them, they are kept for the next attempt.
        """
        clock = self._clock()
        self._waiting += lines(
            (*clock, x.name, plain_decimal(x.value))
            for x in statistics
            if self.check_type(x.type)
        )
        try:
            self.flush()
        except OSError as error:
            self._warning.say(
                f"Rows of {self._path} could not be written ({error}); the run goes on "
                "and tries again."
            )

    def flush(self) -> None:
        """Hand what was written to the operating system.

        Raises:
            OSError: it does not take all of it; the rest is kept.
            LockLostError: the directory is no longer this process's.
        """
        lock.check(self._directory)
        while self._waiting:
            written = self._file.write(self._waiting)
            self._waiting = self._waiting[written:]
        self._warning.over()

    def close(self) -> None:
        """Close the file, with all that was written in it.

        Raises:
            OSError: as `flush`.
        """
        try:
            self.flush()
        finally:
            self._file.close()


class TensorboardCollector(tensorboard_collector.TensorboardCollector):
    """Dopamine's; what the disk does not take is said, and no reason to stop.

    `metrics.csv` has the same numbers, and is what a checkpoint counts on.
    """

    def __init__(self, base_dir: str):
        super().__init__(base_dir)
        self._warning = _Warning()

    def write(
        self, statistics: Sequence[statistics_instance.StatisticsInstance]
    ) -> None:
        """Write every scalar to the event file."""
        # After a failure the next flush tries again: TensorFlow itself says a lot of
        # each one.
        if not self._warning.said:
            with self._failures_said():
                super().write(statistics)

    def flush(self) -> None:
        """Hand what was written to the operating system."""
        with self._failures_said():
            super().flush()
            self._warning.over()

    @contextlib.contextmanager
    def _failures_said(self) -> Iterator[None]:
        try:
            yield
        except tf.errors.OpError as error:
            self._warning.say(
                f"Events for TensorBoard could not be written to {self._base_dir} "
                f"({type(error).__name__}); the run goes on, and some are lost."
            )


class _Warning:
    """Said once until what it is about is over."""

    def __init__(self) -> None:
        self.said = False

    def say(self, message: str) -> None:
        if not self.said:
            print(f"warning: {message}", file=sys.stderr)
        self.said = True

    def over(self) -> None:
        self.said = False


_FORMAT = (
    "{{desc}}{{percentage:3.0f}}%|{{bar}}| {{n_fmt}}/{{total_fmt}} {unit} "
    "[{{elapsed}}<{{remaining}}, {{rate_fmt}}{{postfix}}]"
)


class Progress:
    """Iteration, agent steps per second, time left, last return, dormant fraction.

    It begins with what the run waits for. An iteration ends with an episode, so it may
    have more steps than it was meant to; the total grows with them.

    Args:
        unit: what is counted.
    """

    def __init__(self, unit: str = "agent steps") -> None:
        self._format = _FORMAT.format(unit=unit)
        self._bar: tqdm.tqdm | None = None
        self._num_iterations = 0
        self._steps_per_iteration = 0
        self._steps_left = 0
        self._doing = ""
        self._episode_return = math.nan
        self._dormant_fraction = math.nan
        self._tau = math.nan

    @contextlib.contextmanager
    def over(
        self,
        start_iteration: int,
        num_iterations: int,
        steps_per_iteration: int,
        steps_done: int,
        steps_of_iteration: int = 0,
        tau: float = math.nan,
    ) -> Iterator[None]:
        """Show the bar while the block runs.

        Args:
            start_iteration: the iteration that the run is in, from 0.
            num_iterations: of the run.
            steps_per_iteration: that an iteration is meant to have.
            steps_done: of the run so far.
            steps_of_iteration: how many of these are of the iteration that it is in.
            tau: the threshold of the dormant fraction; NaN where none is measured.
        """
        self._tau = tau
        self._num_iterations = num_iterations
        self._steps_per_iteration = steps_per_iteration
        with tqdm.tqdm(
            total=steps_done + self._steps_to_come(start_iteration, steps_of_iteration),
            initial=steps_done,
            unit=" steps",
            bar_format=self._format,
            # A log file gets a line now and then, a terminal a lively bar.
            mininterval=0.2 if process.is_watched() else 30,
            **process.bar_size(),
        ) as self._bar:
            yield
        self._bar = None

    def _steps_to_come(self, iteration: int, steps_of_iteration: int) -> int:
        """Steps that the run is still meant to have, from a place in an iteration."""
        self._steps_left = max(0, self._steps_per_iteration - steps_of_iteration)
        later = max(0, self._num_iterations - iteration - 1)
        return self._steps_left + later * self._steps_per_iteration

    def start_iteration(self, iteration: int, steps_done: int = 0) -> None:
        """Name the iteration and allow for what it has left of its steps."""
        to_come = self._steps_to_come(iteration, steps_done)
        if self._bar is not None:
            # Not what was planned: a run that went back to a checkpoint has more.
            self._bar.total = self._bar.n + to_come
            self._bar.set_description(
                f"Iteration {iteration + 1}/{self._num_iterations}", refresh=False
            )

    def start_evaluation(self, iteration: int) -> None:
        """Say that the steps to come do not count."""
        if self._bar is not None:
            self._bar.set_description(
                f"Evaluating {iteration + 1}/{self._num_iterations}"
            )

    def advance(self, dormant_fraction: float, waiting_for: str = "") -> None:
        """Count one step, and show what is new.

        Args:
            dormant_fraction: when last measured; NaN before.
            waiting_for: what the run does before its first update.
        """
        if self._bar is None:
            return
        doing = waiting_for
        if self._steps_left > 0:
            self._steps_left -= 1
        else:
            self._bar.total += 1
            doing = doing or "until the episode ends"
        measured = dormant_fraction >= 0 and dormant_fraction != self._dormant_fraction
        if measured:
            self._dormant_fraction = dormant_fraction
        if measured or doing != self._doing:
            # At once where it is new: what comes next may take a while.
            self._show(refresh=doing != self._doing and bool(waiting_for), doing=doing)
        self._bar.update()

    def end_episode(self, episode_return: float) -> None:
        """Show the return of the last episode."""
        self._episode_return = episode_return
        self._show(refresh=False, doing=self._doing)

    def _show(self, *, refresh: bool, doing: str) -> None:
        self._doing = doing
        if self._bar is not None:
            dormant = f"dormant {self._dormant_fraction:.1%} (τ {self._tau:g})"
            seen = {
                f"return {self._episode_return:g}": self._episode_return,
                dormant: self._dormant_fraction,
            }
            known = [text for text, value in seen.items() if not math.isnan(value)]
            told = [*([doing] if doing else []), *known]
            self._bar.set_postfix_str(", ".join(told), refresh=refresh)
