"""What all launchers share: their options, the plan, and the command of a run.

A launcher is `main` with what it does with its options: `plan_from(options)`, then
`command(run)` for every run, wherever that is executed; `run_status` tells how each
stands.
"""

import argparse
import contextlib
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from redo_dopamine import errors
from redo_dopamine.cli import flags, process
from redo_dopamine.errors import UserError
from redo_dopamine.rundir import files, lock
from redo_dopamine.rundir import status as run_status
from redo_dopamine.studies import STUDIES, plan, record
from redo_dopamine.studies.__main__ import add_selection_options, warnings

TAKEN = "taken elsewhere"
MISSING = "not started"


# Without --study: every combination of the swept values is an arm.
_SWEEP: Mapping[str, dict[str, Any]] = {
    "sweep": {
        "metavar": "NAME=A,B",
        "help": "instead of --study: a gin setting and its values, as in "
        "redo.tau=0,0.025,0.1; may be given several times, for every combination",
    },
    "gin_files": {"metavar": "FILE", "help": "of a sweep: what all its runs share"},
    "gin_bindings": {"metavar": "BINDING", "help": "of a sweep: likewise"},
}


def parser(command: str, description: str) -> argparse.ArgumentParser:
    """A parser with the options that say what to run and where."""
    options = flags.Parser(
        prog=command,
        description=description,
        epilog=f"example: {command} --study=laptop_replay_ratio --base_dir=runs "
        "--games=SpaceInvaders --seeds=1",
    )
    options.add_argument(
        "--study",
        metavar="NAME",
        help=f"one of {', '.join(STUDIES)}, or a Python file that makes a Study",
    )
    options.add_argument(
        "--base_dir",
        required=True,
        metavar="DIR",
        help="runs are written to DIR/<study>/<arm>/<game>/<seed>",
    )
    add_selection_options(options)
    for name, text in _SWEEP.items():
        options.add_argument(f"--{name}", action="append", default=[], **text)
    options.add_argument(
        "--name",
        default="sweep",
        help="of a sweep, in the place of <study> (default: %(default)s)",
    )
    options.add_argument(
        "--print_commands",
        action="store_true",
        help="print a shell line per run, for any other scheduler; writes study.json, "
        "which the report needs, and runs nothing",
    )
    return options


def main(
    options: argparse.ArgumentParser,
    arguments: Sequence[str] | None,
    launch: Callable[[argparse.Namespace], int],
) -> int:
    """Launch with what is on the command line; returns the exit status.

    Args:
        options: the launcher's parser.
        arguments: in the place of the command line's.
        launch: does what the options ask for, and returns the exit status.
    """

    def run() -> int:
        found = options.parse_args(arguments)
        found.base_dir = flags.given("--base_dir", found.base_dir)
        swept = [f"--{name}" for name in _SWEEP if getattr(found, name)]
        if bool(swept) == (found.study is not None):
            raise UserError(
                "A launch must be of a study by --study or of a sweep by --gin_files "
                f"and --sweep, but has {' and '.join(swept)} and --study."
                if swept
                else "A launch must be of a study by --study, or of a sweep by "
                "--gin_files and --sweep, but has neither. Give one of them."
            )
        if swept:
            with process.importing():  # Seconds: after the flags.
                from redo_dopamine.launch import sweep
            found.study = sweep.study(found)
        return launch(found)

    return process.status_of(run)


def plan_from(options: argparse.Namespace) -> list[plan.Run]:
    """The runs that the options ask for; writes `study.json`.

    Raises:
        UserError: an option that makes no sense, or a directory of other settings.
    """
    selection = plan.select(
        options.study, options.arms, options.games, options.seeds, options.scale
    )
    record.write(selection, options.base_dir)
    for line in warnings(selection):
        print(f"note: {line}", file=sys.stderr)
    return plan.runs(selection, options.base_dir)


def command(run: plan.Run) -> list[str]:
    """What executes a run; again, to go on with it."""
    return [
        *(sys.executable, "-m", run.module),
        f"--base_dir={run.directory}",
        f"--scale={run.scale:g}",
        *(f"--gin_files={name}" for name in run.gin_files),
        *(f"--gin_bindings={binding}" for binding in run.gin_bindings),
    ]


def print_commands(
    runs: Sequence[plan.Run], command: Callable[[plan.Run], list[str]]
) -> None:
    """A line per run that a shell can execute."""
    print("\n".join(shlex.join(command(run)) for run in runs))


def state(run: plan.Run) -> str:
    """How a run stands, by its files: a state of `run_status`, or one of ours."""
    found = run_status.actual_state(run.directory)
    if found != run_status.DONE and lock.holder(run.directory) is not None:
        return TAKEN
    return found or MISSING


def why(directory: Path, code: int) -> str:
    """Why a run's process ended as it did: its exit status, and its own words."""
    if code == errors.USER_ERROR:  # Said before there was a status to write.
        said = end_of_log(directory, lines=1)
        return f"{ended(code)}: {said}" if said else ended(code)
    status = run_status.read(directory)
    if status is None:
        return ended(code)
    if code == errors.STOPPED and status.state == run_status.STOPPED:
        return status.message
    failed = status.state == run_status.FAILED
    return ended(code) + (f": {status.message}" if failed else "")


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
