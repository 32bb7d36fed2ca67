"""Finds and loads run directories; nothing else reads the files of a run.

And says what became of each run of a study, whether it is there or not.
"""

import dataclasses
import difflib
import itertools
import re
from pathlib import Path
from typing import Any

import pandas as pd

from redo_dopamine.cli import flags
from redo_dopamine.errors import UserError
from redo_dopamine.report.metrics_csv import is_damage, read_metrics
from redo_dopamine.rundir import files, status
from redo_dopamine.rundir.metrics_csv import FILE_NAME as METRICS
from redo_dopamine.studies.spec import StudySpec
from redo_dopamine.studies.study import FRAMES_PER_AGENT_STEP

Key = tuple[str, str, str]  # Of a run: arm, game and seed.
INFO = "run.json"
CONFIG = "config.gin"
# Of MinAtar and of robots an agent step is one of the environment.
_OTHER_ENVIRONMENT = re.compile(r"create_(minatar|control)_environment\b")


class NoRunError(UserError):
    """There is no run at a place: none yet, perhaps."""

    def __init__(self, place: Path, message: str):
        super().__init__(message)
        self.place = place


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
    """Load the run that wrote its files into `path`.

    Args:
        path: a directory that holds a `metrics.csv`; `run.json` and `config.gin` are
            used where they are there, and missed in the notes where not.

    Returns:
        The run, labelled with the name of the directory.

    Raises:
        UserError: there is no `metrics.csv`, or it has a wrong header.
    """
    path = Path(flags.usable("path", str(path)))
    if not (path / METRICS).is_file():
        raise UserError(
            f"a run directory must hold a {METRICS}; {path} holds none. "
            "Give the base_dir of a run of 'redo-dopamine train'."
        )
    info, note = _read_info(path / INFO)
    resumed = info.get("resumed")
    resumes = len(resumed) if isinstance(resumed, list) else None
    metrics, notes = read_metrics(path / METRICS, resumes)
    config, lacking = None, f"{CONFIG} is missing: the configuration is not known."
    if (path / CONFIG).is_file():
        lacking = ""
        config = (path / CONFIG).read_text(encoding="utf-8", errors="replace")
    other = _OTHER_ENVIRONMENT.search(config or "")
    return Run(
        # What is no text in the name, as escapes.
        label=path.resolve().name.encode("utf-8", "backslashreplace").decode("utf-8"),
        path=path,
        metrics=metrics,
        info=info,
        config=config,
        notes=(*notes, *filter(None, [note, lacking])),
        units_per_step=1 if other else FRAMES_PER_AGENT_STEP,
    )


def find_runs(base_dir: str | Path) -> list[Run]:
    """Load the run in `base_dir`, or else the runs in its sub-directories.

    Args:
        base_dir: a run directory, or a directory of run directories.

    Returns:
        At least one run, in the order of their names.

    Raises:
        NoRunError: there is no such directory, or no run in it.
        UserError: it is no directory.
    """
    base_dir = Path(flags.usable("base_dir", str(base_dir)))
    if not base_dir.is_dir():
        there = filter(Path.is_dir, base_dir.parent.glob("*"))
        near = difflib.get_close_matches(base_dir.name, [x.name for x in there], 1)
        hint = "Check the spelling, or train first with 'redo-dopamine train'."
        if near:
            hint = f"Did you mean {base_dir.parent / near[0]}?"
        said = f"base_dir must be an existing directory; there is none at {base_dir}. "
        if base_dir.exists():
            raise UserError(said + hint)
        raise NoRunError(base_dir, said + hint)
    if (base_dir / METRICS).is_file():
        return [load_run(base_dir)]
    found = [entry for entry in base_dir.iterdir() if (entry / METRICS).is_file()]
    if not found:
        raise NoRunError(
            base_dir,
            f"base_dir must hold a {METRICS}, or sub-directories that each hold one; "
            f"{base_dir} has neither. Give the base_dir of a run of "
            "'redo-dopamine train', or the directory that contains such runs.",
        )
    return [load_run(entry) for entry in sorted(found, key=lambda entry: entry.name)]


def _read_info(path: Path) -> tuple[dict[str, Any], str]:
    """Return the content of `run.json`, and a note about it."""
    if not path.is_file():
        return {}, f"{INFO} is missing: versions, seed and command are not known."
    try:
        info = files.read_json(path)
    except ValueError as error:
        return {}, f"{INFO} is not valid JSON ({error}) and was left out."
    if not isinstance(info, dict):
        kind = type(info).__name__
        return {}, f"{INFO} must hold an object, not a {kind}; it was left out."
    if info.get("end") is None:
        return info, (
            f"Unfinished: {INFO} gives no end. The run is still going or was stopped; "
            "the numbers are what it had written by now."
        )
    return info, ""


@dataclasses.dataclass(frozen=True, eq=False)
class Record:
    """What became of one run of the study.

    Its state is one of `rundir.status.STATES`, `missing` or `damaged`, or `no score`
    where it is done and has none; the reason is why it is not counted. `run` is what it
    left, None where that could not be read.
    """

    arm: str
    game: str
    seed: str
    state: str
    reason: str = ""
    run: Run | None = None

    @property
    def key(self) -> Key:
        """Arm, game and seed."""
        return self.arm, self.game, self.seed

    @property
    def counts(self) -> bool:
        """Whether the run is finished and whole."""
        return self.state == status.DONE


def find_records(base_dir: Path, study: StudySpec) -> list[Record]:
    """Load every run that the study asked for, at `<arm>/<game>/<seed>/`, in order."""
    arms = [arm.name for arm in study.arms]
    keys = itertools.product(arms, study.games, study.seeds)
    return [_record(base_dir.joinpath(*key), key, study) for key in keys]


def unexpected_runs(base_dir: Path, records: list[Record]) -> list[str]:
    """Return the run directories there that the study did not ask for."""
    there = [path.parent for path in base_dir.glob(f"*/*/*/{METRICS}")]
    found = {path.relative_to(base_dir).as_posix() for path in there}
    return sorted(found - {"/".join(record.key) for record in records})


def _record(path: Path, key: Key, study: StudySpec) -> Record:
    try:
        return Record(*key, *_read(path, study.units_per_step))
    except OSError as error:
        return Record(*key, "damaged", f"it cannot be read: {error.strerror}")


def _read(path: Path, units_per_step: int) -> tuple[str, str, Run | None]:
    """Return state, reason and what was left of a run."""
    if not path.is_dir() or not any(path.iterdir()):
        return "missing", "there is no such run directory, or an empty one", None
    found = status.read(path)
    state, message = (found.state, found.message) if found else ("", "")
    try:
        run = dataclasses.replace(load_run(path), units_per_step=units_per_step)
    except (UserError, OSError, ValueError) as error:
        if state != status.DONE and not (path / METRICS).exists():
            return state or "damaged", message or f"it has written no {METRICS}", None
        return "damaged", str(error), None
    if run.config is None:
        return "damaged", f"{CONFIG} is missing", None
    state = state or (status.DONE if run.info.get("end") else status.STOPPED)
    if state != status.DONE:
        steps = run.metrics["agent_step"].max() if len(run.metrics) else 0
        progress = f"it had written up to agent step {int(steps):,}"
        return state, message or progress, run
    damage = [note for note in run.notes if is_damage(note)]
    return ("damaged", " ".join(damage), None) if damage else (state, "", run)
