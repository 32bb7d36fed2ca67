"""What the commands of experiments share: their flags, a run, and its exit status.

What comes in: flags, as of `redo_dopamine.train`, and how to make the experiment. What
leaves: a directory like every other run's, where an iteration is an epoch. The exit
status is one of `redo_dopamine.cli.exit_status`.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from redo_dopamine.cli import exit_status, flags, paths
from redo_dopamine.config.gin_files import brief
from redo_dopamine.errors import NotFiniteError, UserError
from redo_dopamine.rundir import lock
from redo_dopamine.rundir.fresh_start import RunFinishedError
from redo_dopamine.rundir.signals import StopRequested
from redo_dopamine.supervised.experiment import EpochExperiment
from redo_dopamine.supervised.run import Run


class Made(NamedTuple):
    """An experiment from what was typed.

    Attributes:
        experiment: newly made, from gin's configuration.
        dataset: name of its data, for `run.json`.
    """

    experiment: EpochExperiment
    dataset: str


def parser(module: str, description: str) -> argparse.ArgumentParser:
    """A parser with the flags that every experiment has."""
    made = argparse.ArgumentParser(
        prog=f"python -m redo_dopamine.supervised.{module}",
        description=description,
        allow_abbrev=False,
    )
    add = made.add_argument
    add("--base_dir", required=True, help="made if missing, resumed if not")
    add("--gin_files", action="append", default=[], help="paths or shipped names")
    add("--gin_bindings", action="append", default=[], help="win over the files")
    add(
        "--scale",
        type=flags.scale,
        default=1.0,
        help="noted in status.json, no more",
    )
    return made


def main(
    options: argparse.ArgumentParser,
    arguments: Sequence[str] | None,
    configure: Callable[[argparse.Namespace], None],
    make: Callable[[], Made],
) -> int:
    """Run, or go on with, an experiment; returns the exit status.

    Args:
        options: from `parser`.
        arguments: in the place of the command line's.
        configure: loads gin's configuration; before there is a directory.
        make: makes the experiment of that configuration; with the directory in hand,
            so that of two processes one does no work.
    """
    try:
        found = options.parse_args(arguments)
        configure(found)
        directory = paths.writable_run("--base_dir", found.base_dir)
        with lock.held(directory):
            _run(directory, make(), found.scale)
    except RunFinishedError as error:
        print(error)
    except lock.DirectoryInUseError as error:
        print(f"error: {error}", file=sys.stderr)
        return exit_status.IN_USE
    except UserError as error:
        print(f"error: {brief(error)}", file=sys.stderr)
        return exit_status.USER_ERROR
    except NotFiniteError as error:
        print(f"error: {error}", file=sys.stderr)
        return exit_status.NOT_FINITE
    except OSError as error:
        print(
            f"error: The run's files could not be written or read ({error}). Fix that; "
            "the same command then goes on from the last checkpoint.",
            file=sys.stderr,
        )
        return exit_status.CRASHED
    except StopRequested as signal:
        print(f"Stopped by {signal}. The same command goes on from here.")
        return exit_status.STOPPED
    return exit_status.COMPLETE


def _run(directory: Path, made: Made, scale: float) -> None:
    run = Run(directory, made.experiment, made.dataset, scale)
    if run.finished:
        run.confirm_done()
        name = type(made.experiment).__name__
        print(
            f"{directory} is finished: all epochs are there. Raise {name}.num_epochs "
            "to prolong it, or give another --base_dir."
        )
        return
    run.complete()
    print(f"{directory} is finished.")
