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
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.console import Console

from redo_dopamine import errors
from redo_dopamine.cli import flags, process
from redo_dopamine.errors import UserError
from redo_dopamine.launch import common, display, processes
from redo_dopamine.launch.pool import Pool
from redo_dopamine.rundir import status
from redo_dopamine.studies.plan import Run

_TIME_LIMIT = "3600"  # seconds
_MOST_WORKERS = 10_000


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
    shown = display.Display(Console())
    pool = Pool(
        runs,
        command,
        core_sets=processes.divide_cores(workers, cores),
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


if __name__ == "__main__":
    process.run(main)
