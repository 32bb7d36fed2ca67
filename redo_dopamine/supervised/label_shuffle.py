"""One run: `python -m redo_dopamine.supervised.label_shuffle --base_dir=DIR`.

What comes in: flags, as of `redo_dopamine.train`, and a data set's files. What leaves:
a directory like every other run's, where an iteration is an epoch. The exit status is
one of `redo_dopamine.exit_status`.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import gin

from redo_dopamine import exit_status, run_lock
from redo_dopamine.errors import UserError
from redo_dopamine.gin_files import brief
from redo_dopamine.stopping import StopRequested
from redo_dopamine.supervised import gin_names
from redo_dopamine.supervised.running import Run

_DATASETS = ("fashion_mnist", "cifar10")


def train(base_dir: str, scale: float = 1.0) -> None:
    """Run, or go on with, the experiment that gin's configuration describes.

    Args:
        base_dir: where the run is written; this process alone has it meanwhile.
        scale: what part of its study's length the run is, for `status.json`.

    Raises:
        UserError: a directory that cannot be written, a setting out of its range,
            images that cannot be read, or a checkpoint that does not fit.
        DirectoryInUseError: another process has the directory.
    """
    directory = _made(base_dir)
    with run_lock.held(directory):
        dataset = gin.query_parameter("LabelShuffle.dataset")
        run = Run(
            directory,
            gin_names.experiment(),
            getattr(dataset, "selector", str(dataset)).rpartition(".")[2],
            scale,
        )
        if run.finished:
            run.confirm_done()
            print(
                f"{base_dir} is finished: all epochs are there. Raise "
                "LabelShuffle.num_epochs to prolong it, or give another --base_dir."
            )
            return
        run.complete()
    print(f"{base_dir} is finished.")


def _made(base_dir: str) -> Path:
    directory = Path(base_dir)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise UserError(
            f"--base_dir must be a directory that can be written, but {base_dir!r} "
            f"cannot: {error.strerror}. Give another one."
        ) from error
    return directory


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m redo_dopamine.supervised.label_shuffle",
        description="Train a classifier on labels that are reshuffled now and then.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--base_dir", required=True, help="made if missing, resumed if not")
    add("--dataset", choices=_DATASETS, help="default: what gin says; fashion_mnist")
    add("--data_dir", help="folder of the data set's files")
    add("--gin_files", action="append", default=[], help="paths or shipped names")
    add("--gin_bindings", action="append", default=[], help="win over the files")
    add("--scale", type=float, default=1.0, help="noted in status.json, no more")
    return parser.parse_args(arguments)


def _load(options: argparse.Namespace) -> None:
    bindings = list(options.gin_bindings)
    if options.dataset is not None:
        bindings.append(f"LabelShuffle.dataset = @{options.dataset}")
    if options.data_dir is not None:
        bindings += [f"{name}.data_dir = {options.data_dir!r}" for name in _DATASETS]
    gin_names.load(options.gin_files, bindings)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    options = _parse(arguments)
    try:
        _load(options)
        train(options.base_dir, options.scale)
    except run_lock.DirectoryInUseError as error:
        print(f"error: {error}", file=sys.stderr)
        return exit_status.IN_USE
    except UserError as error:
        print(f"error: {brief(error)}", file=sys.stderr)
        return exit_status.USER_ERROR
    except StopRequested as signal:
        print(f"Stopped by {signal}. The same command goes on from here.")
        return exit_status.STOPPED
    return exit_status.COMPLETE


if __name__ == "__main__":
    sys.exit(main())
