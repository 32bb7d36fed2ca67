"""Write and read `status.json`: where a run stands, for launchers and reports.

The file is always whole. Only the process that holds the run's lock writes it.
"""

import contextlib
import dataclasses
import math
import os
import socket
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from redo_dopamine.errors import UserError
from redo_dopamine.rundir import files, lock

NAME = "status.json"
FORMAT = 1
RUNNING, DONE, STOPPED, FAILED = STATES = ("running", "done", "stopped", "failed")
_SECONDS_BETWEEN_UPDATES = 10.0
_LARGEST_COUNT = 2**63


@dataclasses.dataclass(frozen=True)
class Status:
    """The content of `status.json`.

    Attributes:
        state: one of `STATES`.
        agent_step: agent steps made.
        agent_steps: agent steps that the run was meant to have; it may end with a
            few more, because an iteration ends with an episode.
        attempts: how many processes have worked on the run.
        scale: what part of its study's length the run has; 1 for all of it.
        message: why it failed or stopped.
        pid: of the last process.
        host: where that process ran.
        started: when the first process began.
        updated: when this was written.
        format: version of this list.
    """

    state: str
    agent_step: int = 0
    agent_steps: int = 0
    attempts: int = 0
    scale: float = 1.0
    message: str = ""
    pid: int = 0
    host: str = ""
    started: str = ""
    updated: str = ""
    format: int = FORMAT


def write(directory: str | Path, status: Status) -> None:
    """Write `status.json`, with this process and the time in it.

    Raises:
        OSError: it cannot be written.
        LockLostError: the directory is no longer this process's.
    """
    lock.check(directory)
    status = dataclasses.replace(
        status, pid=os.getpid(), host=socket.gethostname(), updated=_now()
    )
    files.write_json(Path(directory) / NAME, dataclasses.asdict(status))


def read(directory: str | Path) -> Status | None:
    """What `status.json` says; None if it is missing or makes no sense."""
    try:
        found = files.read_json(Path(directory) / NAME)
    except (OSError, ValueError):
        return None
    if not isinstance(found, dict) or found.get("state") not in STATES:
        return None
    fields = {field.name: field.default for field in dataclasses.fields(Status)}
    known = {name: value for name, value in found.items() if name in fields}
    if not all(_is_like(fields[name], value) for name, value in known.items()):
        return None
    return Status(**known)


def _is_like(default: Any, value: Any) -> bool:
    """Whether a value is of its field's kind; the state, without default, is text."""
    if isinstance(value, bool):
        return False
    if isinstance(default, int):
        return isinstance(value, int) and 0 <= value < _LARGEST_COUNT
    if isinstance(default, float):
        return isinstance(value, int | float) and 0 <= value < math.inf
    return isinstance(value, str)


def actual_state(directory: str | Path) -> str | None:
    """The state; a run that says it is running, but has no process, has stopped."""
    status = read(directory)
    if status is None:
        return None
    if status.state == RUNNING and lock.holder(directory) is None:
        return STOPPED
    return status.state


def record_failure(directory: str | Path, message: str) -> None:
    """Note that a run failed, where its process could not: it was refused or killed.

    Does nothing for a run that is done or in use, or where the disk does not take it.
    """
    # A lock that is no file is what the run itself was refused for.
    with contextlib.suppress(OSError, UserError):
        Path(directory).mkdir(parents=True, exist_ok=True)
        with lock.held(directory):
            before = read(directory) or Status(FAILED)
            if before.state != DONE:
                failed = dataclasses.replace(before, state=FAILED, message=message)
                write(directory, failed)


class Reporter:
    """Keeps `status.json` up to date while a block runs: running, then how it ended.

    A thread of its own writes, so that a run need not think of it.

    Args:
        directory: of the run, whose lock the caller holds.
        agent_step: gives the agent steps made so far.
        agent_steps: how many the run is meant to have.
        scale: see `Status`.
        every: seconds between two updates.
    """

    def __init__(
        self,
        directory: str | Path,
        agent_step: Callable[[], int],
        agent_steps: int,
        scale: float = 1.0,
        every: float = _SECONDS_BETWEEN_UPDATES,
    ):
        self._directory = directory
        self._agent_step = agent_step
        self._every = every
        before = read(directory)
        if before is None:
            files.set_aside(Path(directory) / NAME)
            before = Status(RUNNING)
        self._status = Status(
            RUNNING,
            agent_steps=agent_steps,
            attempts=before.attempts + 1,
            scale=scale,
            started=before.started or _now(),
        )
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep_writing, daemon=True)

    def __enter__(self) -> "Reporter":
        self._write(RUNNING)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()
        if error is None:
            self._write(DONE)
            return
        state, message = FAILED, f"{type(error).__name__}: {error}"
        if not isinstance(error, Exception):  # Ctrl-C or a signal: not the run's fault.
            named = isinstance(error, KeyboardInterrupt) and str(error)
            state, message = STOPPED, f"stopped by {named or type(error).__name__}"
        # Where a full disk does not take it, or the directory is another one's by now,
        # the run still ends as it would have.
        with contextlib.suppress(OSError, lock.LockLostError):
            self._write(state, message)

    def confirm_done(self) -> None:
        """For a run that is found finished: says so, if the file does not yet."""
        before = read(self._directory)
        if before is None or before.state != DONE:
            self._write(DONE)

    def _keep_writing(self) -> None:
        while not self._over.wait(self._every):
            # A full disk, or a directory that is gone, is for the run to report.
            with contextlib.suppress(OSError, lock.LockLostError):
                self._write(RUNNING)

    def _write(self, state: str, message: str = "") -> None:
        step = int(self._agent_step())
        status = dataclasses.replace(
            self._status, state=state, message=message, agent_step=step
        )
        write(self._directory, status)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
