"""`metrics.csv` of an experiment: one line a number, only ever longer.

What comes in: numbers with the clocks of their run. What leaves: the file, in the
format of every run's (`redo_dopamine.rundir.metrics_csv`).
"""

import csv
import io
import math
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import tqdm

from redo_dopamine.core.checks import not_finite
from redo_dopamine.errors import NotFiniteError, UserError
from redo_dopamine.rundir import (
    checkpoint,
    fresh_start,
    lock,
    metrics_csv,
    provenance,
    status,
)
from redo_dopamine.rundir.config_diff import check_same_config
from redo_dopamine.rundir.signals import StopSwitch
from redo_dopamine.supervised.experiment import EpochExperiment, Row

# The last one, and two to fall back on where that is damaged.
_KEEP = 3
# More epochs prolong a run, and the same data may lie elsewhere.
_MAY_CHANGE = (".num_epochs", ".data_dir", ".lesson")


class Run:
    """A run of an experiment, taken up where its directory's last checkpoint is.

    Args:
        directory: of the run, whose lock the caller holds.
        experiment: newly made, from gin's configuration.
        dataset: name of the data, for `run.json`.
        scale: what part of its study's length it is, for `status.json`.

    Raises:
        UserError: a checkpoint of other settings or data, or none that is whole; or
            there is none, and to begin would lose what lies there.
        RunFinishedError: there is none, but the run is done.
    """

    def __init__(
        self,
        directory: Path,
        experiment: EpochExperiment,
        dataset: str,
        scale: float = 1.0,
    ):
        self._directory = directory
        self._checkpoints = directory / "checkpoints"
        self._experiment = experiment
        self._dataset = dataset
        self._config = _comparable(provenance.operative_config())
        self._checksum = experiment.checksum
        self._metrics = MetricsFile(directory)
        self._resume()
        self._status = status.Reporter(
            directory,
            agent_step=lambda: experiment.gradient_step,
            agent_steps=experiment.num_epochs * experiment.updates_per_epoch,
            scale=scale,
        )

    @property
    def finished(self) -> bool:
        """Whether all epochs are there."""
        return self._experiment.epoch >= self._experiment.num_epochs

    def confirm_done(self) -> None:
        """For a run that is found finished: have `status.json` say so."""
        self._status.confirm_done()

    def complete(self) -> None:
        """Run the epochs that are left.

        Raises:
            StopRequested: a signal has come.
            NotFiniteError: a loss or a parameter is NaN or infinite.
        """
        experiment, stop = self._experiment, StopSwitch()
        progress = tqdm.tqdm(
            total=experiment.num_epochs,
            initial=experiment.epoch,
            unit="epoch",
            dynamic_ncols=True,
            # A log file gets a line now and then, a terminal a lively bar.
            mininterval=0.2 if sys.stderr.isatty() else 30,
        )
        with self._status, stop.listening(), progress:
            provenance.record_start(
                str(self._directory),
                seed=experiment.seed,
                game=self._dataset,
                agent=type(experiment).__name__,
            )
            while not self.finished:
                rows = experiment.run_epoch(between_steps=stop.check)
                self._check_finite(rows)
                self._metrics.append(rows)
                self._save()
                progress.set_postfix_str(_summary(rows), refresh=False)
                progress.update()
            provenance.record_end(str(self._directory))

    def _check_finite(self, rows: list[Row]) -> None:
        found = {row.name: float(row.value) for row in rows}
        where = next(not_finite(self._experiment.params), None)
        if where is not None or not math.isfinite(found["loss"]):
            raise NotFiniteError(
                "The losses and parameters of a run must be finite, but in epoch "
                f"{self._experiment.epoch} the loss is {found['loss']:.3g} "
                f"({where or 'all parameters are finite'}). Lower the learning rate."
            )

    def _save(self) -> None:
        lock.check(self._directory)
        self._checkpoints.mkdir(exist_ok=True)
        arrays = checkpoint.flatten(self._experiment.state_tree(), "experiment")
        meta = {
            "config": self._config,
            "data": self._checksum,
            **metrics_csv.position(self._directory),
        }
        checkpoint.write(self._checkpoints, self._experiment.epoch, arrays, meta)
        provenance.record_checkpoint(self._directory)
        checkpoint.delete_all_but(self._checkpoints, _KEEP)

    def _resume(self) -> None:
        """Take up the newest checkpoint that is whole, if there is any."""
        numbers = checkpoint.numbers(self._checkpoints)
        for number in numbers:
            try:
                self._restore(checkpoint.path_of(self._checkpoints, number))
                return
            except checkpoint.DamagedCheckpointError as error:
                print(
                    f"warning: {error} The checkpoint before it is used.",
                    file=sys.stderr,
                )
            except ValueError as error:  # Of a newer format, or another experiment.
                raise UserError(str(error)) from error
        if numbers:
            raise UserError(
                "A run is resumed from a checkpoint that is whole, but none in "
                f"{self._checkpoints} is. Start over with another --base_dir."
            )
        saved = fresh_start.read_config(self._directory)
        if saved is not None:  # It was stopped before its first checkpoint.
            path = self._directory / "config.gin"
            check_same_config(_comparable(saved), self._config, str(path))
        experiment = self._experiment
        agent_steps = experiment.num_epochs * experiment.updates_per_epoch
        config = provenance.operative_config()
        fresh_start.check(self._directory, config, agent_steps)
        self._metrics.cut_back(0)

    def _restore(self, path: Path) -> None:
        arrays, meta = checkpoint.read(path)
        checkpoint.check_meta(meta, path, ("data",))
        metrics_csv.check_position(self._directory, meta, path)
        check_same_config(meta["config"], self._config, str(path))
        if meta["data"] != self._checksum:
            raise UserError(
                "A run must resume on the data it was started with, but those of "
                f"{path} have checksum {meta['data']} and these {self._checksum}. "
                "Say where they are, or start over with another --base_dir."
            )
        template = self._experiment.state_tree()
        tree = checkpoint.unflatten(template, arrays, "experiment")
        self._experiment.load_state_tree(tree)
        self._metrics.cut_back(meta["metrics_size"])


def _comparable(config: str) -> str:
    """A configuration without the settings that may change."""
    lines = [x.partition(" = ") for x in config.splitlines()]
    return "\n".join("".join(x) for x in lines if not x[0].endswith(_MAY_CHANGE))


def _summary(rows: list[Row]) -> str:
    """What an epoch's objective was, such as its loss."""
    found = {row.name: float(row.value) for row in rows}
    parts = [f"loss {found['loss']:.3g}"]
    if "train/accuracy" in found:
        parts.append(f"accuracy {found['train/accuracy']:.1%}")
    return ", ".join(parts)


class MetricsFile:
    """Appends to `metrics.csv`.

    Args:
        directory: of the run.
    """

    def __init__(self, directory: Path):
        self._directory = directory

    @property
    def size(self) -> int:
        """Length in bytes; 0 where there is no file."""
        return metrics_csv.current_size(self._directory)

    def cut_back(self, size: int) -> None:
        """Shorten the file to its first `size` bytes, if it is longer."""
        metrics_csv.cut_back(self._directory, size)

    def append(self, rows: Iterable[tuple[int, int, str, Any]]) -> None:
        """Add `(iteration, gradient_step, name, value)`, and have them on the disk.

        Without an agent, an agent step is a gradient step.
        """
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        if self.size == 0:
            writer.writerow(metrics_csv.COLUMNS)
        for iteration, step, name, value in rows:
            number = metrics_csv.plain_decimal(value)
            writer.writerow((iteration, step, step, name, number))
        waiting = text.getvalue().encode("utf-8")
        with metrics_csv.open_append(self._directory) as file:
            while waiting:
                waiting = waiting[file.write(waiting) :]
        metrics_csv.sync(self._directory)
