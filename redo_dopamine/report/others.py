"""Scores of other people's runs, to stand beside ours.

A CSV with columns `game`, `seed` and `score`, a row a run; a `progress.csv` of Stable
Baselines3 at `<game>/<seed>/progress.csv`, or a directory of such.
"""

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from redo_dopamine.cli import flags
from redo_dopamine.errors import UserError, shortened
from redo_dopamine.report.runs import Record, Run
from redo_dopamine.report.summary import EVALUATION, TRAINING
from redo_dopamine.rundir import files, status
from redo_dopamine.studies.spec import ArmSpec, StudySpec, is_name

_COLUMNS = ["game", "seed", "score"]
_PROGRESS = "progress.csv"
_STEPS = "time/total_timesteps"
# What is a return there, by what it is called here.
_RETURNS = {TRAINING: "rollout/ep_rew_mean", EVALUATION: "eval/mean_reward"}


@dataclasses.dataclass(frozen=True, eq=False)
class Others:
    """Runs of one kind.

    Attributes:
        label: how figures and tables call them.
        runs: by game and seed; a score without its history is a single point, whose
            agent step is 0.
    """

    label: str
    runs: dict[tuple[str, str], Run]


def read_all(texts: Sequence[str]) -> list[Others]:
    """Return the runs of every `LABEL=PATH`, as `read` does each.

    Raises:
        UserError: as there, or two have one label.
    """
    found = [read(text) for text in texts]
    labels = [each.label for each in found]
    for label in labels:
        if labels.count(label) > 1:
            raise UserError(
                f"--scores must have a label of its own each time, but {label!r} is "
                f"there {labels.count(label)} times. Rename one, or put its rows into "
                "one CSV."
            )
    return found


def read(text: str) -> Others:
    """Return the runs that `LABEL=PATH` names.

    Raises:
        UserError: it is none, or the files are not what they should be.
    """
    label, equals, name = text.partition("=")
    if not equals or not is_name(label):
        raise UserError(
            "--scores must be LABEL=PATH, with a label that can name a directory, but "
            f"is {shortened(repr(text))}. Write --scores=SB3=results.csv."
        )
    path = Path(flags.given("--scores", name))
    tables = sorted(path.glob(f"*/*/{_PROGRESS}")) if path.is_dir() else [path]
    runs: dict[tuple[str, str], Run] = {}
    for file in tables:
        found = _progress if file.name == _PROGRESS else _table
        runs |= found(label, file)
    if not runs:
        raise UserError(
            f"--scores must have runs, but {str(path)!r} has none. Give a CSV of "
            f"{', '.join(_COLUMNS)}, or a directory of <game>/<seed>/{_PROGRESS}."
        )
    return Others(label, runs)


def _frame(path: Path, needed: Sequence[str]) -> pd.DataFrame:
    """The columns of a CSV as text, as it stands there."""
    try:
        with files.open_read(path) as file:
            found = pd.read_csv(file, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise UserError(
            f"--scores must name CSV files, but {str(path)!r} cannot be read: "
            f"{shortened(error)}. Give another one."
        ) from error
    lacking = [x for x in needed if x not in found]
    if lacking:
        raise UserError(
            f"A CSV of --scores must have the columns {', '.join(needed)}, but "
            f"{str(path)!r} lacks {', '.join(lacking)}; its first line is "
            f"{shortened(repr(','.join(found)))}. Name them so, with commas between."
        )
    return found


def _numbers(path: Path, texts: pd.Series, least: float = -math.inf) -> pd.Series:
    """A column as numbers; NaN where nothing is written, or "nan".

    Raises:
        UserError: something else stands there, an infinity, or less than the least.
    """
    found = pd.to_numeric(texts, errors="coerce")
    blank = texts.str.strip().str.lower().isin(["", "nan"])
    wrong = texts[~blank & ~(np.isfinite(found) & (found >= least))]
    if len(wrong):
        rule = "finite numbers" if least < 0 else f"finite numbers >= {least:g}"
        raise UserError(
            f"A CSV of --scores must have {rule} in {texts.name}, but {str(path)!r} "
            f"has {shortened(repr(wrong.iloc[0]))}. Correct it."
        )
    return found


def _table(label: str, path: Path) -> dict[tuple[str, str], Run]:
    found = _frame(path, _COLUMNS)
    scores = _numbers(path, found["score"])
    keys = list(zip(found["game"].str.strip(), found["seed"].str.strip(), strict=True))
    named = all(game and seed for game, seed in keys)
    if scores.isna().any() or not named or len({*keys}) < len(keys):
        raise UserError(
            f"A CSV of --scores must have one number per game and seed, but {path} "
            "has a row without one of the three, or two of one run. Keep one a run."
        )
    return {
        key: _run(label, path, *key, [0], {TRAINING: [score]})
        for key, score in zip(keys, scores, strict=True)
    }


def _progress(label: str, path: Path) -> dict[tuple[str, str], Run]:
    found = _frame(path, [_STEPS])
    game, seed = path.resolve().parts[-3:-1]
    steps = _numbers(path, found[_STEPS], least=0)
    returns = {
        ours: _numbers(path, found[theirs]).tolist()
        for ours, theirs in _RETURNS.items()
        if theirs in found
    }
    run = _run(label, path, game, seed, steps, returns)
    if run.metrics.empty:
        raise UserError(
            f"A {_PROGRESS} of --scores must have a return in "
            f"{' or '.join(_RETURNS.values())}, but {str(path)!r} has none. Leave it "
            "out."
        )
    return {(game, seed): run}


def _run(
    label: str,
    path: Path,
    game: str,
    seed: str,
    steps: Sequence[int],
    returns: dict[str, list[float]],
) -> Run:
    columns = {"iteration": range(len(steps)), "agent_step": list(steps)}
    parts = [
        pd.DataFrame({**columns, "gradient_step": 0, "name": name, "value": values})
        for name, values in returns.items()
    ]
    metrics = pd.concat(parts) if parts else pd.DataFrame()
    return Run(
        label=f"{label}/{game}/{seed}",
        path=path,
        metrics=metrics.dropna(ignore_index=True),
        info={"game": game, "agent": label, "seed": seed},
    )


def left_out(study: StudySpec, others: Sequence[Others]) -> list[str]:
    """Return a sentence for each kind of which a game is not the study's."""
    found = {
        each.label: sorted({game for game, _ in each.runs} - {*study.games})
        for each in others
    }
    return [
        f"{label} (elsewhere): left out of everything, since the study does not have "
        f"them: {', '.join(games)}."
        for label, games in found.items()
        if games
    ]


def beside(
    study: StudySpec, records: Sequence[Record], metric: str, others: Sequence[Others]
) -> tuple[StudySpec, list[Record]]:
    """Return a study and its runs with those of others, each kind as another arm.

    Args:
        study: as it was launched; games that it does not have are left out.
        records: its runs.
        metric: by which they are judged; a score that is of no kind is taken for it.
        others: theirs.

    Raises:
        UserError: there is an arm of that name, or no game in common.
    """
    found = list(records)
    for each in others:
        if each.label in {x for arm in study.arms for x in (arm.name, arm.label)}:
            raise UserError(
                f"--scores must have a label of its own, but {each.label!r} is an arm "
                "of the study. Give another one."
            )
        there = _of_games(each, study.games)
        seeds = dict.fromkeys([*study.seeds, *(seed for _, seed in there)])
        arm = ArmSpec(each.label, f"{each.label} (elsewhere)", each.label, None)
        study = dataclasses.replace(study, arms=(*study.arms, arm), seeds=tuple(seeds))
        found += [
            Record(each.label, *key, status.DONE, run=_judged(run, study, metric))
            for key, run in there.items()
        ]
    return study, found


def beside_runs(runs: Sequence[Run], others: Sequence[Others]) -> list[Run]:
    """Return the runs of others at the games of these, or at all if none is known.

    Raises:
        UserError: one kind has no game in common.
    """
    games = sorted({str(run.info["game"]) for run in runs if run.info.get("game")})
    steps = [run.metrics["agent_step"].max() for run in runs if len(run.metrics)]
    return [
        _at_end(run, max(steps, default=0))
        for each in others
        for run in (_of_games(each, games) if games else each.runs).values()
    ]


def _of_games(others: Others, games: Sequence[str]) -> dict[tuple[str, str], Run]:
    there = {key: run for key, run in others.runs.items() if key[0] in games}
    if not there:
        found = sorted({game for game, _ in others.runs})
        raise UserError(
            f"--scores must have a game of the runs ({', '.join(games)}), but "
            f"{others.label} has {shortened(', '.join(found))}. Rename them."
        )
    return there


def _judged(run: Run, study: StudySpec, metric: str) -> Run:
    rows, per_step = run.metrics, study.units_per_step
    if metric not in set(rows["name"]):
        run = dataclasses.replace(run, metrics=rows.assign(name=metric))
    run = _at_end(run, study.length_run // per_step)
    return dataclasses.replace(run, units_per_step=per_step)


def _at_end(run: Run, agent_step: int) -> Run:
    """Put a score alone, which is of the end, at that step."""
    if run.metrics["agent_step"].any():
        return run
    return dataclasses.replace(run, metrics=run.metrics.assign(agent_step=agent_step))
