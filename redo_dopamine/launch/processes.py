"""A run's process: its cores, its environment, its end and its log."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from redo_dopamine.rundir import files

LOG = "log.txt"
_THREAD_SETTINGS = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
    *("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"),
)


def start(
    command: Sequence[str], directory: Path, cores: Sequence[int], shared: bool
) -> subprocess.Popen[bytes]:
    """Start a command on some cores, with its output at the end of the log.

    Args:
        command: what to execute.
        directory: of the run; made if missing.
        cores: that its threads may use.
        shared: whether there are other runs beside it.

    Raises:
        OSError: it could not be started.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with files.open_append(directory / LOG) as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment(len(cores), shared),
            start_new_session=True,  # Ctrl-C is for the launcher to pass on.
        )
    with contextlib.suppress(OSError):
        os.sched_setaffinity(process.pid, cores)  # Its threads will inherit it.
    return process


def divide_cores(workers: int, cores: Sequence[int]) -> list[list[int]]:
    """The cores of each worker: shared out evenly, each at least one."""
    if workers >= len(cores):
        return [[cores[i % len(cores)]] for i in range(workers)]
    return [list(cores[i::workers]) for i in range(workers)]


def end_of_log(directory: Path, lines: int = 15) -> str:
    """The last lines of a run's log."""
    try:
        with files.open_read(directory / LOG) as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 20_000))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    # A progress bar redraws itself: of such a line the last state is enough.
    kept = [line.rpartition("\r")[2].rstrip() for line in text.split("\n")]
    return "\n".join([line for line in kept if line][-lines:])


def environment(num_cores: int, shared: bool) -> Mapping[str, str]:
    """Of a run on that many cores, beside others or alone."""
    settings = dict(os.environ) | dict.fromkeys(_THREAD_SETTINGS, str(num_cores))
    if shared:
        # Else the first run takes most of an accelerator's memory for itself.
        settings.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    return settings


def send(process: subprocess.Popen[bytes], number: int) -> None:
    """A signal to a process and its children, if it still is there."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)


def ended(code: int) -> str:
    """How a process ended, in words."""
    if code >= 0:
        return f"exit status {code}"
    if -code not in {*signal.Signals}:  # One that Python has no name for.
        return f"killed by signal {-code}"
    return f"killed by {signal.Signals(-code).name}"
