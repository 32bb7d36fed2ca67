"""Finds and loads run directories.

In: the path of one run, or of a directory of runs. Out: `Run` values, which hold all
that the rest of the package uses; nothing after this module reads a run's files.
"""

import dataclasses
from pathlib import Path
from typing import Any

import pandas as pd

from redo_dopamine.errors import UserError
from redo_dopamine.report.metrics_csv import read_metrics
from redo_dopamine.rundir import files

METRICS = "metrics.csv"
INFO = "run.json"
CONFIG = "config.gin"
FRAMES_PER_AGENT_STEP = 4


@dataclasses.dataclass(frozen=True, eq=False)
class Run:
    """What one training run left.

    Attributes:
        label: the name of its directory, by which figures and tables call it.
        path: its directory.
        metrics: columns `iteration`, `agent_step`, `gradient_step`, `name`, `value`.
        info: the content of `run.json`; empty where that file is missing or unreadable.
        config: the content of `config.gin`; None where that file is missing.
        notes: sentences about what is missing or was left out.
        units_per_step: how many frames, or units of its study, an agent step is.
    """

    label: str
    path: Path
    metrics: pd.DataFrame
    info: dict[str, Any]
    config: str | None = None
    notes: tuple[str, ...] = ()
    units_per_step: int = FRAMES_PER_AGENT_STEP


def load_run(path: str | Path) -> Run:
    """Loads the run that wrote its files into `path`.

    Args:
        path: a directory that holds a `metrics.csv`; `run.json` and `config.gin` are
            used where they are there, and missed in the notes where not.

    Returns:
        The run, labelled with the name of the directory.

    Raises:
        UserError: there is no `metrics.csv`, or it has a wrong header.
    """
    path = Path(path)
    if not (path / METRICS).is_file():
        raise UserError(
            f"a run directory must hold a {METRICS}; {path} holds none. "
            "Give the base_dir of a run of redo_dopamine.train."
        )
    info, info_notes = _read_info(path / INFO)
    resumed = info.get("resumed")
    resumes = len(resumed) if isinstance(resumed, list) else None
    metrics, notes = read_metrics(path / METRICS, resumes)
    config = None
    config_notes: tuple[str, ...] = ()
    if (path / CONFIG).is_file():
        config = (path / CONFIG).read_text(encoding="utf-8", errors="replace")
    else:
        config_notes = (f"{CONFIG} is missing: the configuration is not known.",)
    return Run(
        label=_text(path.resolve().name),
        path=path,
        metrics=metrics,
        info=info,
        config=config,
        notes=notes + info_notes + config_notes,
    )


def _text(name: str) -> str:
    """A file's name with what is no text in it shown as escapes."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def find_runs(base_dir: str | Path) -> list[Run]:
    """Loads the run in `base_dir`, or else the runs in its sub-directories.

    Args:
        base_dir: a run directory, or a directory of run directories.

    Returns:
        At least one run, in the order of their names.

    Raises:
        UserError: there is no such directory, or no run in it.
    """
    base_dir = Path(base_dir)
    if not base_dir.is_dir():
        raise UserError(
            f"base_dir must be an existing directory; there is none at {base_dir}. "
            "Check the spelling, or train first with redo_dopamine.train."
        )
    if (base_dir / METRICS).is_file():
        return [load_run(base_dir)]
    found = sorted(
        (entry for entry in base_dir.iterdir() if (entry / METRICS).is_file()),
        key=lambda entry: entry.name,
    )
    if not found:
        raise UserError(
            f"base_dir must hold a {METRICS}, or sub-directories that each hold one; "
            f"{base_dir} has neither. Give the base_dir of a run of "
            "redo_dopamine.train, or the directory that contains such runs."
        )
    return [load_run(entry) for entry in found]


def _read_info(path: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Returns the content of `run.json`, and notes about it."""
    if not path.is_file():
        return {}, (f"{INFO} is missing: versions, seed and command are not known.",)
    try:
        info = files.read_json(path)
    except ValueError as error:
        return {}, (f"{INFO} is not valid JSON ({error}) and was left out.",)
    if not isinstance(info, dict):
        kind = type(info).__name__
        return {}, (f"{INFO} must hold an object, not a {kind}; it was left out.",)
    if info.get("end") is None:
        return info, (
            f"Unfinished: {INFO} gives no end. The run is still going or was stopped; "
            "the numbers are what it had written by now.",
        )
    return info, ()
