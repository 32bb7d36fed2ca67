"""Shows how a launch goes: live lines on a terminal, plain ones elsewhere."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from redo_dopamine.launch import common, processes
from redo_dopamine.launch.pool import Pool, Task
from redo_dopamine.rundir import status

_SECONDS_BETWEEN_LINES = 60.0
_BAR_WIDTH = 30


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
                self.event(f"\n{task.run.directory / processes.LOG} ends:")
                self.event(processes.end_of_log(task.run.directory))
        steps = missing[0].run.steps
        table = Table("run", "state", steps, "why", title="Missing")
        for task in missing:
            state = common.MISSING if not task.state else task.state
            table.add_row(task.run.name, state, f"{task.agent_step:,}", task.message)
        self._console.print(table)
        self.event("The same command again goes on with what is missing.")
