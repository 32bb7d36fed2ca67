"""Run one task of a Slurm job array, to its end or to a signal of Slurm's.

The task requeues itself where Slurm wants its place back before the run is done.
submitit executes it; what it does with signals there is put off until the run has
written its checkpoint.
"""

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from redo_dopamine import errors
from redo_dopamine.cli import process
from redo_dopamine.launch import common
from redo_dopamine.launch.slurm.options import WARNING_SIGNAL
from redo_dopamine.rundir import files
from redo_dopamine.rundir import status as run_status

_POLL_SECONDS = 0.5
# The end of the time is near; or, on clusters that say so, preemption.
WARNING = signal.Signals[f"SIG{WARNING_SIGNAL}"]
# Preemption elsewhere, a job that is cancelled, or a person.
STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
_MOST_IDLE_ATTEMPTS = 3


class RunFailedError(Exception):
    """A run has crashed too often; ends the task, which Slurm then calls failed."""


class _Signals:
    """Notes signals, in the place of whoever was told before."""

    def __init__(self) -> None:
        self.received: set[int] = set()
        self.before: dict[int, Any] = {}

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        def note(number: int, frame: FrameType | None) -> None:
            self.received.add(number)

        self.before = {x: signal.signal(x, note) for x in (WARNING, *STOPS)}
        try:
            yield
        finally:
            for number, handler in self.before.items():
                signal.signal(number, handler)


class RunTask:
    """What submitit calls, and asks how to go on after a requeue.

    Args:
        command: of the run; the same again goes on with it.
        directory: of the run.
        cpus: threads that it may use.
        minutes: the job's time limit.
        grace: seconds that a run has for its checkpoint.
        retries: how often a crashed run is started again.
    """

    def __init__(
        self,
        command: Sequence[str],
        directory: Path,
        cpus: int,
        minutes: int,
        grace: float,
        retries: int = 2,
    ):
        self._command = list(command)
        self._directory = directory
        self._cpus = cpus
        self._minutes = minutes
        self._grace = grace
        self._retries = retries
        self._idle_attempts = 0

    def checkpoint(self) -> Any:
        """What submitit puts into the queue again: the same, with what it counts."""
        import submitit

        return submitit.helpers.DelayedSubmission(self)

    def __call__(self) -> str:
        """Run; returns the state that the run is left in.

        Raises:
            RunFailedError: it has crashed too often.
        """
        process.protect_output()
        signals, crashes = _Signals(), 0
        begin, first_step = time.monotonic(), self._agent_step()
        with signals.listening():
            while not signals.received:
                code = self._attempt(signals)
                if code == errors.COMPLETE:
                    return run_status.DONE
                if signals.received:
                    break
                if code == errors.STOPPED:
                    return run_status.STOPPED  # Somebody has told the run, not us.
                if code == errors.IN_USE:
                    return common.TAKEN
                crashes += 1
                why = common.why(self._directory, code)
                print(f"{self._directory}: {why}", flush=True)
                if code in errors.FINAL or crashes > self._retries:
                    self._fail(why)
            if not self._has_to_return(signals):
                return run_status.STOPPED
            self._count_idle_attempts(time.monotonic() - begin, first_step)
            requeue = signals.before[WARNING]
            if callable(requeue):
                requeue(WARNING, None)  # submitit's; it ends this process.
        return run_status.STOPPED

    def _attempt(self, signals: _Signals) -> int:
        """Execute the command, passing signals on; returns its exit status."""
        process = self._start()
        first: float | None = None
        while process.poll() is None:
            if signals.received:
                now = time.monotonic()
                first = now if first is None else first
                late = now - first > self._grace
                # Until it is heeded: a run that has just begun is still deaf.
                common.send(process, signal.SIGKILL if late else signal.SIGTERM)
            time.sleep(_POLL_SECONDS)
        return process.returncode

    def _start(self) -> subprocess.Popen[bytes]:
        self._directory.mkdir(parents=True, exist_ok=True)
        with files.open_append(self._directory / common.LOG) as log:
            return subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=common.environment(self._cpus, shared=False),
                start_new_session=True,
                preexec_fn=_ignore_signals,
            )

    def _has_to_return(self, signals: _Signals) -> bool:
        """Whether the run is to go on in this job, later.

        Not if it was cancelled: requeued it would come back from the dead.
        """
        if WARNING in signals.received:
            return True
        return signal.SIGTERM in signals.received and _is_preempted()

    def _count_idle_attempts(self, seconds: float, first_step: int) -> None:
        """Give up a run that gets nowhere in the time there is, again and again."""
        if self._agent_step() > first_step:
            self._idle_attempts = 0
        elif seconds > self._minutes * 60 / 3:  # Else it had no chance.
            self._idle_attempts += 1
        if self._idle_attempts >= _MOST_IDLE_ATTEMPTS:
            self._fail(
                f"no new agent step in {self._idle_attempts} times {self._minutes} "
                "minutes; give a longer --time"
            )

    def _agent_step(self) -> int:
        status = run_status.read(self._directory)
        return 0 if status is None else status.agent_step

    def _fail(self, why: str) -> None:
        last = common.end_of_log(self._directory, lines=1)
        run_status.record_failure(
            self._directory, f"{why}; its log ends: {last}" if last else why
        )
        log = self._directory / common.LOG
        raise RunFailedError(
            f"{why}\n{log} ends:\n{common.end_of_log(self._directory)}"
        )


def _ignore_signals() -> None:
    """Ignore, in a run that is about to start, what Slurm sends to all processes.

    The run notes a signal from its first step on, once, and is as deaf again while it
    writes its checkpoint: so it may be told twice, by Slurm and by us.
    """
    for number in (WARNING, *STOPS):
        signal.signal(number, signal.SIG_IGN)


def _is_preempted() -> bool:
    """Whether Slurm wants this job's place for another, and has not yet taken it."""
    command = ["scontrol", "--oneliner", "show", "job", os.environ["SLURM_JOB_ID"]]
    try:
        said = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=60
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        print(f"Not known whether this is preemption: {error}", flush=True)
        return False
    found = dict(re.findall(r"(JobState|PreemptTime)=(\S+)", said))
    running = found.get("JobState") == "RUNNING"
    return running and found.get("PreemptTime", "None") not in ("None", "Unknown")
