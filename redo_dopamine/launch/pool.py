"""Run commands in a pool of processes that survives each of them.

Gives a `Task` per run with how it ended. Touches processes, clocks and each run's
`log.txt`.
"""

import collections
import contextlib
import dataclasses
import signal
import subprocess
import time
from collections.abc import Callable, Sequence

from redo_dopamine import errors
from redo_dopamine.launch import common
from redo_dopamine.rundir import status as run_status
from redo_dopamine.studies.plan import Run

_POLL_SECONDS = 0.2
# The run's own answer to a signal, and its end by one that came before it listened.
_STOPPED = (
    errors.STOPPED,
    *(-x for x in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)),
)


@dataclasses.dataclass
class Task:
    """A run in the pool.

    Attributes:
        run: what is to be done.
        state: a state of `run_status`, or one of `common`.
        crashes: how often it has crashed in this launch.
        interruptions: how often somebody else has stopped it in this launch.
        given_up: whether this launch does no more for it, though it is not done.
        agent_step: agent steps made.
        message: why it is not done.
    """

    run: Run
    state: str = common.MISSING
    crashes: int = 0
    interruptions: int = 0
    given_up: bool = False
    agent_step: int = 0
    message: str = ""


@dataclasses.dataclass
class _Active:
    """A task and the process that works on it."""

    task: Task
    process: subprocess.Popen[bytes]
    cores: Sequence[int]
    last_step: int
    last_progress: float
    ended_by: str = ""  # Why we ended it, if we did.
    kill_at: float = float("inf")


class Pool:
    """Runs tasks in processes of their own, some at a time.

    Args:
        runs: what to run; finished ones are skipped.
        command: a run's command.
        core_sets: the cores of each worker; as many runs go at a time.
        time_limit: seconds without a new agent step after which a run has hung.
        retries: how often a run that crashed, or was stopped by somebody else, is
            started again.
        grace: seconds between asking a process to end and killing it.
        on_event: told in a sentence what happened.
        on_poll: called often, to draw.
    """

    def __init__(
        self,
        runs: Sequence[Run],
        command: Callable[[Run], list[str]] = common.command,
        *,
        core_sets: Sequence[Sequence[int]],
        time_limit: float,
        retries: int = 2,
        grace: float = 60.0,
        on_event: Callable[[str], None] = print,
        on_poll: Callable[["Pool"], None] = lambda pool: None,
    ):
        self.tasks = [Task(run) for run in runs]
        self._command = command
        self._core_sets = list(core_sets)
        self._time_limit = time_limit
        self._retries = retries
        self._grace = grace
        self._on_event = on_event
        self._on_poll = on_poll
        self._waiting = collections.deque(self.tasks)
        self._active: list[_Active] = []
        self._stops = 0

    @property
    def running(self) -> list[Task]:
        """The tasks at work."""
        return [active.task for active in self._active]

    def stop(self) -> None:
        """Ask all runs to end, and start no more; the second time, end them."""
        # Only a note: this is called by a signal, in the midst of anything.
        self._stops += 1

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stops > 0

    def run(self) -> list[Task]:
        """Work until nothing is left or `stop` was called; returns all tasks."""
        for task in self.tasks:
            with contextlib.suppress(OSError):  # Its start will say so.
                self._look(task)
        try:
            self._work()
        finally:
            for active in self._active:  # Only if we fail ourselves.
                common.send(active.process, signal.SIGTERM)
        for task in self.tasks:
            if task.state == common.TAKEN:
                self._look(task)  # Its other process may have brought it to an end.
                if task.state != common.TAKEN:
                    task.message = "another process was at it"
        return self.tasks

    def _work(self) -> None:
        free = collections.deque(self._core_sets)
        while self._waiting or self._active:
            if self._stops:
                self._end_all()
            while self._waiting and free:
                if self._start(self._waiting.popleft(), free[0]):
                    free.popleft()
            for active in list(self._active):
                self._check(active)
                if active.process.poll() is not None:
                    self._active.remove(active)
                    free.append(active.cores)
                    self._finish(active)
            self._on_poll(self)
            if self._active:
                time.sleep(_POLL_SECONDS)

    def _look(self, task: Task) -> None:
        """Read what the run's own files say."""
        task.state = common.state(task.run)
        status = run_status.read(task.run.directory)
        if status is not None:
            task.agent_step = status.agent_step

    def _start(self, task: Task, cores: Sequence[int]) -> bool:
        """Start a run; False if it needs none, or could not be."""
        try:
            self._look(task)
            if task.state in (run_status.DONE, common.TAKEN):
                if task.state == common.TAKEN:
                    self._leave(task)
                return False
            process = common.start(
                self._command(task.run),
                task.run.directory,
                cores,
                shared=len(self._core_sets) > 1,
            )
        # No memory, no space, no permission: others may fare better.
        except OSError as error:
            self._give_up(task, run_status.FAILED, f"not started: {error}")
            return False
        task.state = run_status.RUNNING
        again = " again" if task.crashes + task.interruptions else ""
        crashed = f", {task.crashes} crashed" if task.crashes else ""
        self._on_event(f"{task.run.name}: started{again}{crashed}")
        now = time.monotonic()
        self._active.append(_Active(task, process, cores, task.agent_step, now))
        return True

    def _check(self, active: _Active) -> None:
        """Note progress, and end a run that makes none."""
        now = time.monotonic()
        status = run_status.read(active.task.run.directory)
        if status is not None:
            active.task.agent_step = status.agent_step
        if active.task.agent_step != active.last_step:
            active.last_step, active.last_progress = active.task.agent_step, now
        if now - active.last_progress > self._time_limit and not active.ended_by:
            self._end(active, f"no new agent step for {self._time_limit:g} s")
        if now > active.kill_at:
            common.send(active.process, signal.SIGKILL)

    def _end_all(self) -> None:
        self._waiting.clear()
        for active in self._active:
            if not active.ended_by:
                self._end(active, "stopped by hand")
            if self._stops > 1:
                active.kill_at = 0

    def _end(self, active: _Active, why: str) -> None:
        active.ended_by = active.ended_by or why
        active.kill_at = min(active.kill_at, time.monotonic() + self._grace)
        common.send(active.process, signal.SIGTERM)

    def _finish(self, active: _Active) -> None:
        """Book a run whose process has ended."""
        task, code = active.task, active.process.returncode
        if code == errors.COMPLETE:
            task.state, task.message = run_status.DONE, ""
            self._look_at_steps(task)
            self._on_event(f"{task.run.name}: done")
        elif self._stops:
            task.state, task.message = run_status.STOPPED, active.ended_by
        elif code == errors.IN_USE:
            self._leave(task)
        else:
            why = active.ended_by or common.why(task.run.directory, code)
            # One that we had to end, for no progress, is no better than a crash.
            stopped = code in _STOPPED and not active.ended_by
            self._try_again(task, why, stopped, code not in errors.FINAL)

    def _try_again(self, task: Task, why: str, stopped: bool, any_use: bool) -> None:
        """Put a run that did not end well into the line again, unless it was enough.

        Args:
            task: whose process has ended.
            why: it did.
            stopped: whether somebody else has asked it to; then it is in order.
            any_use: whether it might fare better another time.
        """
        task.interruptions += stopped
        task.crashes += not stopped
        # One count for both: whatever sends signals may do so for ever.
        if any_use and task.crashes + task.interruptions <= self._retries:
            task.state, task.message = run_status.STOPPED, why
            self._waiting.append(task)
            self._on_event(f"{task.run.name}: {why}; to be tried again")
        elif stopped:
            self._give_up(task, run_status.STOPPED, why)
        else:
            self._give_up(task, run_status.FAILED, why)
            run_status.record_failure(task.run.directory, why)

    def _give_up(self, task: Task, state: str, why: str) -> None:
        task.state, task.message, task.given_up = state, why, True
        self._on_event(f"{task.run.name}: {state}, {why}")

    def _leave(self, task: Task) -> None:
        task.state, task.message = common.TAKEN, "another process is at it"
        task.given_up = True
        self._on_event(f"{task.run.name}: {common.TAKEN}")

    def _look_at_steps(self, task: Task) -> None:
        status = run_status.read(task.run.directory)
        task.agent_step = task.run.agent_steps if status is None else status.agent_step
