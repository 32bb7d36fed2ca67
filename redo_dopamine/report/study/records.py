"""Finds the runs of a study, and says of each what became of it.

In: a study and its directory, with runs at `<arm>/<game>/<seed>/`. Out: one `Record`
per run that the study asked for, whether it is there or not.
"""

import dataclasses
from pathlib import Path

from redo_dopamine.errors import UserError
from redo_dopamine.report import metrics_csv
from redo_dopamine.report.runs import CONFIG, METRICS, Run, load_run
from redo_dopamine.report.study.spec import Study
from redo_dopamine.rundir import files

STATUS = "status.json"
_STATES = ("running", "done", "stopped", "failed")


@dataclasses.dataclass(frozen=True, eq=False)
class Record:
    """What became of one run of the study.

    Attributes:
        arm: its name.
        game: its name.
        seed: as the directory is called.
        state: `done`, `running`, `stopped`, `failed`, `missing` or `damaged`; `no
            score` for a run that is done and has none.
        reason: why it is not counted; for a run that is done, what else is to know.
        run: what it left; None where that could not be read.
    """

    arm: str
    game: str
    seed: str
    state: str
    reason: str = ""
    run: Run | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """Arm, game and seed."""
        return self.arm, self.game, self.seed

    @property
    def counts(self) -> bool:
        """Whether the run is finished and whole."""
        return self.state == "done"


def find_records(base_dir: Path, study: Study) -> list[Record]:
    """Loads every run that the study asked for, in the study's order."""
    return [
        _record(base_dir / arm.name / game / seed, (arm.name, game, seed), study)
        for arm in study.arms
        for game in study.games
        for seed in study.seeds
    ]


def unexpected_runs(base_dir: Path, records: list[Record]) -> list[str]:
    """Returns the run directories there that the study did not ask for."""
    known = {"/".join(record.key) for record in records}
    found = {
        path.parent.relative_to(base_dir).as_posix()
        for path in base_dir.glob(f"*/*/*/{METRICS}")
    }
    return sorted(found - known)


def _record(path: Path, key: tuple[str, str, str], study: Study) -> Record:
    if not path.is_dir() or not any(path.iterdir()):
        return Record(
            *key, "missing", "there is no such run directory, or an empty one"
        )
    state, message = _status(path)
    try:
        run = load_run(path)
        run = dataclasses.replace(run, units_per_step=study.units_per_step)
    except (UserError, OSError, ValueError) as error:
        if state != "done" and not (path / METRICS).exists():
            reason = message or f"it has written no {METRICS}"
            return Record(*key, state or "damaged", reason)
        return Record(*key, "damaged", str(error))
    if not state:
        state = "done" if run.info.get("end") else "stopped"
    if run.config is None:
        return Record(*key, "damaged", f"{CONFIG} is missing", run=None)
    damage = [note for note in run.notes if metrics_csv.is_damage(note)]
    if state == "done":
        if damage:
            return Record(*key, "damaged", " ".join(damage))
        return Record(*key, state, run=run)
    return Record(*key, state, message or _progress(run), run)


def _status(path: Path) -> tuple[str, str]:
    """Returns the state in `status.json` and its message; empty where unknown."""
    try:
        status = files.read_json(path / STATUS)
        state = str(status["state"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", ""
    return state if state in _STATES else "", str(status.get("message") or "")


def _progress(run: Run) -> str:
    steps = run.metrics["agent_step"].max() if len(run.metrics) else 0
    return f"it had written up to agent step {int(steps):,}"
