"""Run an experiment by a command, in a directory like every run's.

An iteration of such a run is an epoch.
"""

import argparse
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import gin
import tqdm

from redo_dopamine.cli import flags, process
from redo_dopamine.cli.process import StopSwitch
from redo_dopamine.config import checking, gin_files, names
from redo_dopamine.config.gin_files import brief
from redo_dopamine.core import jit
from redo_dopamine.core.checks import not_finite
from redo_dopamine.errors import NotFiniteError, UserError
from redo_dopamine.rundir import (
    checkpoint,
    lock,
    metrics_csv,
    operative,
    provenance,
    resume,
    status,
)
from redo_dopamine.rundir.resume import check_same_config
from redo_dopamine.supervised.experiment import EpochExperiment, Row

_NAME = "experiment"  # Of the arrays of a checkpoint.


class Command(NamedTuple):
    """What the command of an experiment must know of it."""

    module: str  # `python -m redo_dopamine.supervised.<module>`.
    kind: type[EpochExperiment]  # Gin knows it by its name.
    description: str  # For --help.
    # Gin names besides the class and those that agents have too.
    names: Mapping[str, Callable[..., Any]]
    # Bindings that hold unless others do, so that gin knows what is used where nothing
    # is bound: `ConvClassifier.width` is not passed over.
    defaults: str
    dataset: Callable[[], str]  # The name of the data, for `run.json`.
    # Adds flags to those of every experiment; the second makes bindings of them.
    add_flags: Callable[[argparse.ArgumentParser], None] = lambda parser: None
    bindings: Callable[[argparse.Namespace], list[str]] = lambda options: []

    def gin_names(self) -> dict[str, Callable[..., Any]]:
        """All names that gin knows, by what they name."""
        return {self.kind.__name__: self.kind, **self.names, **names.SHARED}

    def load(self, files: Sequence[str], bindings: Sequence[str]) -> None:
        """Parse gin files and bindings, strictly; see `checking.load`.

        Raises:
            UserError: a file that is not there or not gin, or a name nobody knows.
        """
        known = self.gin_names()
        for name, thing in known.items():
            gin.external_configurable(thing, name, module="redo_dopamine")
        checking.load(
            *(self.defaults, files, bindings),
            explain=lambda error: (
                f"{gin_files.explain(error, bindings)}\n"
                f"Known names are {', '.join(known)}."
            ),
        )

    def build(self) -> Any:
        """Make the experiment that gin's current configuration describes.

        Raises:
            UserError: a setting out of its range, or data that cannot be read.
        """
        try:
            return gin.get_configurable(self.kind)()
        except (UserError, ValueError, TypeError) as error:
            raise UserError(brief(error)) from error

    def parser(self) -> argparse.ArgumentParser:
        """A parser of the command's flags."""
        made = flags.Parser(
            prog=f"python -m redo_dopamine.supervised.{self.module}",
            description=self.description,
        )
        add = made.add_argument
        add("--base_dir", required=True, help="made if missing, resumed if not")
        add("--gin_files", action="append", default=[], help="paths or shipped names")
        add("--gin_bindings", action="append", default=[], help="win over the files")
        add("--scale", type=flags.scale, default=1.0, help="noted in status.json only")
        self.add_flags(made)
        return made

    def main(self, arguments: Sequence[str] | None = None) -> int:
        """Run or resume the experiment; returns the exit status."""
        jit.ignore_environment()
        return process.status_of_training(lambda: self._train(arguments), brief)

    def configure(self, arguments: Sequence[str] | None) -> argparse.Namespace:
        """Parse flags, and load the gin configuration that they name.

        Raises:
            UserError: a wrong value, and as `load`.
        """
        options = self.parser().parse_args(arguments)
        self.load(options.gin_files, [*options.gin_bindings, *self.bindings(options)])
        return options

    def _train(self, arguments: Sequence[str] | None) -> None:
        options = self.configure(arguments)  # Before there is a directory.
        directory = flags.writable_run("--base_dir", options.base_dir)
        # With the directory in hand, so that of two processes one does no work.
        with lock.held(directory):
            dataset = self.dataset()
            try:
                run(directory, self.build(), dataset, options.scale)
            except resume.RunFinishedError as error:
                print(error)


def run(
    directory: Path, experiment: EpochExperiment, dataset: str, scale: float = 1.0
) -> None:
    """Run the epochs that are left, from the last checkpoint in the directory.

    Args:
        directory: of the run, whose lock the caller holds.
        experiment: newly made, from gin's configuration.
        dataset: name of the data, for `run.json`.
        scale: what part of its study's length it is, for `status.json`.

    Raises:
        UserError: a checkpoint of other settings or data, or none that is whole; or
            there is none, and to begin would lose what lies there.
        RunFinishedError: there is none, but the run is done.
        StopRequested: a signal has come.
        NotFiniteError: a loss or a parameter is NaN or infinite.
    """
    config = operative.operative_config()
    steps = experiment.num_epochs * experiment.updates_per_epoch

    def restore(number: int) -> int:
        _restore(directory, number, experiment, config)
        return number

    if resume.restore_newest(directory, restore) is None:
        resume.begin(directory, config, steps)
    reporter = status.Reporter(
        directory,
        agent_step=lambda: experiment.gradient_step,
        agent_steps=steps,
        scale=scale,
    )
    name, stop = type(experiment).__name__, StopSwitch()
    if experiment.epoch >= experiment.num_epochs:
        reporter.confirm_done()
        print(
            f"{directory} is finished: all epochs are there. Raise {name}.num_epochs "
            "to prolong it, or give another --base_dir."
        )
        return
    for note in experiment.network_notes:
        print(note)
    with reporter, stop.listening(), _progress(experiment) as progress:
        provenance.record_start(
            str(directory), seed=experiment.seed, game=dataset, agent=name
        )
        while experiment.epoch < experiment.num_epochs:
            rows = experiment.run_epoch(between_steps=stop.check)
            _check_finite(experiment, rows)
            metrics_csv.append(directory, rows)
            _save(directory, experiment, config)
            progress.set_postfix_str(_summary(rows), refresh=False)
            progress.update()
        provenance.record_end(str(directory))
    print(f"{directory} is finished.")


def _save(directory: Path, experiment: EpochExperiment, config: str) -> None:
    arrays = checkpoint.flatten(experiment.state_tree(), _NAME)
    meta = {
        "config": config,
        "data": experiment.checksum,
        **metrics_csv.position(directory),
    }
    resume.write(directory, experiment.epoch, arrays, meta)
    resume.note_written(directory)


def _restore(
    directory: Path, number: int, experiment: EpochExperiment, config: str
) -> None:
    path = checkpoint.path_of(resume.directory_of(directory), number)
    try:
        arrays, meta = checkpoint.read(path)
        checkpoint.check_meta(meta, path, ("data",))
        metrics_csv.check_position(directory, meta, path)
        check_same_config(meta["config"], config, str(path))
        if meta["data"] != experiment.checksum:
            raise UserError(
                "A run must resume on the data it was started with, but those of "
                f"{path} have checksum {meta['data']} and these {experiment.checksum}. "
                "Say where they are, or start over with another --base_dir."
            )
        tree = checkpoint.unflatten(experiment.state_tree(), arrays, _NAME)
    except checkpoint.DamagedCheckpointError:
        raise
    except ValueError as error:  # Of a newer format, or another experiment.
        raise UserError(str(error)) from error
    experiment.load_state_tree(tree)
    metrics_csv.cut_back(directory, meta["metrics_size"])


def _check_finite(experiment: EpochExperiment, rows: list[Row]) -> None:
    loss = next(float(row.value) for row in rows if row.name == "loss")
    where = next(not_finite(experiment.learner.params), None)
    if where is not None or not math.isfinite(loss):
        raise NotFiniteError(
            "The losses and parameters of a run must be finite, but in epoch "
            f"{experiment.epoch} the loss is {loss:.3g} "
            f"({where or 'all parameters are finite'}). Lower the learning rate."
        )


def _progress(experiment: EpochExperiment) -> tqdm.tqdm:
    return tqdm.tqdm(
        total=experiment.num_epochs,
        initial=experiment.epoch,
        unit="epoch",
        **process.bar_size(),
        # A log file gets a line now and then, a terminal a lively bar.
        mininterval=0.2 if sys.stderr.isatty() else 30,
    )


def _summary(rows: list[Row]) -> str:
    """What an epoch's objective was, such as its loss."""
    found = {row.name: float(row.value) for row in rows}
    parts = [f"loss {found['loss']:.3g}"]
    if "train/accuracy" in found:
        parts.append(f"accuracy {found['train/accuracy']:.1%}")
    return ", ".join(parts)
