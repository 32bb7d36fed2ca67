"""A study on this machine: `redo-dopamine launch local --study=NAME --base_dir=DIR`.

Writes run directories, and `study.json` for the report. Finished runs are skipped and
others resumed, so the same command may be given again at any time. Exit status 0 if
all runs are done, 2 for a mistake in what was typed, 75 if a signal stopped it, else 1.
"""

import argparse
import contextlib
import os
import shlex
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from redo_dopamine import errors
from redo_dopamine.cli import flags, process
from redo_dopamine.errors import UserError
from redo_dopamine.launch import common
from redo_dopamine.launch.pool import Pool, Task
from redo_dopamine.rundir import status
from redo_dopamine.studies.plan import Run

_TIME_LIMIT = "3600"  # seconds
_MOST_WORKERS = 10_000
_SECONDS_BETWEEN_LINES = 60.0
_BAR_WIDTH = 30


def _workers(text: str, num_cores: int) -> int:
    if text == "auto":
        return num_cores
    workers = flags.as_whole(text, 1, _MOST_WORKERS)
    if workers is None:
        raise UserError(
            f"--workers must be a whole number >= 1 and <= {_MOST_WORKERS}, or auto, "
            f"but is {flags.shown(text)}. Give the number of runs at a time; "
            f"this machine has {num_cores} cores for them."
        )
    return workers


def _time_limit(text: str) -> float:
    seconds = flags.as_number(text)
    if not seconds > 0:
        raise UserError(
            "--time_limit must be > 0 seconds and finite, but is "
            f"{flags.shown(text)}. Give more than a run "
            f"needs to begin, such as {_TIME_LIMIT}."
        )
    return seconds


def _parser() -> argparse.ArgumentParser:
    options = common.parser(
        "redo-dopamine launch local", "Runs a study on this machine."
    )
    options.add_argument(
        "--workers",
        default="auto",
        metavar="N",
        help="runs at a time, among which the cores are divided; auto: one per core",
    )
    options.add_argument(
        "--time_limit",
        default=_TIME_LIMIT,
        metavar="SECONDS",
        help="end, and try again, a run that makes no agent step for so long; "
        f"compiling and evaluating make none (default: {_TIME_LIMIT})",
    )
    return options


def main(
    arguments: Sequence[str] | None = None,
    command: Callable[[Run], list[str]] = common.command,
) -> int:
    """Entry point; returns the exit status.

    Args:
        arguments: in the place of the command line's.
        command: gives the command that executes a run.
    """
    return common.main(_parser(), arguments, lambda options: _launch(options, command))


def _launch(options: argparse.Namespace, command: Callable[[Run], list[str]]) -> int:
    cores = sorted(os.sched_getaffinity(0))
    workers = _workers(options.workers, len(cores))
    time_limit = _time_limit(options.time_limit)
    runs = common.plan_from(options)
    if options.print_commands:
        common.print_commands(runs, command)
        return 0
    shown = Display(Console())
    pool = Pool(
        runs,
        command,
        core_sets=common.divide_cores(workers, cores),
        time_limit=time_limit,
        on_event=shown.event,
        on_poll=shown.poll,
    )
    with _stopped_by_signals(pool), shown.shown():
        tasks = pool.run()
    shown.summary(tasks)
    study = Path(options.base_dir) / runs[0].study
    print(f"Report: redo-dopamine report --base_dir={shlex.quote(str(study))}")
    if all(task.state == status.DONE for task in tasks):
        return errors.COMPLETE
    return errors.STOPPED if pool.stopped else errors.CRASHED


@contextlib.contextmanager
def _stopped_by_signals(pool: Pool) -> Iterator[None]:
    def stop(number: int, frame: object) -> None:
        pool.stop()

    # Not those that we were started to ignore, as by nohup.
    heeded = [x for x in process.SIGNALS if signal.getsignal(x) != signal.SIG_IGN]
    before = {x: signal.signal(x, stop) for x in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Forecast:
    """Time left, from what was done since the first look."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._begin: tuple[float, float] | None = None

    def seconds_left(self, done: float, total: float) -> float | None:
        """Seconds until `done` is `total`; None while there is nothing to go by."""
        now = self._clock()
        if self._begin is None:
            self._begin = (now, done)
        start, done_before = self._begin
        if done <= done_before or now <= start:
            return None
        return (total - done) * (now - start) / (done - done_before)


def part_done(task: Task) -> float:
    """In [0, 1]."""
    if task.state == status.DONE:
        return 1.0
    return min(task.agent_step / task.run.agent_steps, 1.0)


def total_line(tasks: Sequence[Task], forecast: Forecast) -> str:
    """How far all runs are; a slow run weighs more than a fast one."""
    done = sum(task.run.seconds * part_done(task) for task in tasks)
    total = sum(task.run.seconds for task in tasks)
    given_up = sum(
        task.run.seconds * (1 - part_done(task)) for task in tasks if task.given_up
    )
    left = forecast.seconds_left(done, total - given_up)
    num_done = sum(task.state == status.DONE for task in tasks)
    num_failed = sum(task.state == status.FAILED for task in tasks)
    failed = f", {num_failed} failed" if num_failed else ""
    rest = "" if left is None else f", {duration(left)} left"
    return f"{num_done}/{len(tasks)} runs done{failed}, {done / total:.0%}{rest}"


def duration(seconds: float) -> str:
    """Such as 1:02:03."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"


class Display:
    """What a pool tells, on a console.

    Args:
        console: a terminal gets live lines, anything else a line now and then.
    """

    def __init__(self, console: Console):
        self._console = console
        self._forecast = Forecast()
        self._live: Live | None = None
        self._next_line = 0.0

    @contextlib.contextmanager
    def shown(self) -> Iterator[None]:
        """Show live lines while the block runs, where there is a terminal."""
        if not self._console.is_terminal:
            yield
            return
        # Redrawn by the pool: a thread of its own has no place beside forks.
        with Live(
            console=self._console, auto_refresh=False, transient=True
        ) as self._live:
            yield
        self._live = None

    def event(self, text: str) -> None:
        """Say what happened."""
        self._console.print(text, soft_wrap=True, markup=False, highlight=False)

    def poll(self, pool: Pool) -> None:
        """Draw the runs at work and the total."""
        if self._live is not None:
            self._live.update(self._table(pool), refresh=True)
        elif time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + _SECONDS_BETWEEN_LINES
            self.event(total_line(pool.tasks, self._forecast))

    def _table(self, pool: Pool) -> Table:
        table = Table.grid(padding=(0, 1))
        for _ in range(3):
            table.add_column(no_wrap=True)
        for task in pool.running:
            bar = ProgressBar(1.0, part_done(task), width=_BAR_WIDTH)
            steps = f"{task.agent_step:,}/{task.run.agent_steps:,} {task.run.steps}"
            table.add_row(task.run.name, bar, steps)
        done = sum(task.run.seconds * part_done(task) for task in pool.tasks)
        total = sum(task.run.seconds for task in pool.tasks)
        table.add_row(
            "all",
            ProgressBar(total, done, width=_BAR_WIDTH),
            total_line(pool.tasks, self._forecast),
        )
        return table

    def summary(self, tasks: Sequence[Task]) -> None:
        """What is missing, and the end of the log of what failed."""
        missing = [task for task in tasks if task.state != status.DONE]
        done = len(tasks) - len(missing)
        self.event(f"{done} of {len(tasks)} runs are done.")
        if not missing:
            return
        for task in missing:
            if task.state == status.FAILED:
                self.event(f"\n{task.run.directory / common.LOG} ends:")
                self.event(common.end_of_log(task.run.directory))
        steps = missing[0].run.steps
        table = Table("run", "state", steps, "why", title="Missing")
        for task in missing:
            state = common.MISSING if not task.state else task.state
            table.add_row(task.run.name, state, f"{task.agent_step:,}", task.message)
        self._console.print(table)
        self.event("The same command again goes on with what is missing.")


if __name__ == "__main__":
    process.run(main)
