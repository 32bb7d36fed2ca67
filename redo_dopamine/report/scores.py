"""The scores of runs, and the matrices that aggregates are computed from.

In: a study's records, and the scale of scores. Out: one row per run and evaluation
point, one score per finished run, and for each arm a rectangle of seeds x games.
"""

import dataclasses
import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from redo_dopamine.report import summary
from redo_dopamine.report.normalisation import Normalisation
from redo_dopamine.report.points import (
    BESIDE,
    EPISODES,
    EVALUATION,
    TRAINING,
    final_return,
    last_tenth,
    points,
)
from redo_dopamine.report.runs import Run
from redo_dopamine.report.study_runs import Record

COLUMNS = ["arm", "game", "seed", "frames", "return"]
_NUM_EVAL_EPISODES = re.compile(r"num_eval_episodes\s*=\s*([\d_]+)")


@dataclasses.dataclass(frozen=True, eq=False)
class Matrix:
    """What one arm is judged by: normalised scores, seeds x games x points.

    Attributes:
        seeds: the rows: those that every game has.
        games: the columns.
        frames: of the points, as a mean over the runs.
        curve: the scores at these points; the last point need not be the end.
        final: the scores at the end, seeds x games.
        left_out: finished runs, as `game/seed`, that a rectangle has no room for.
    """

    seeds: tuple[str, ...]
    games: tuple[str, ...]
    frames: np.ndarray
    curve: np.ndarray
    final: np.ndarray
    left_out: tuple[str, ...]


def metric_of(records: Sequence[Record], judged_by: str) -> str:
    """Returns the metric that is the score.

    Args:
        records: of the study.
        judged_by: as `study.json` has it. Where that is empty, as in those of before,
            runs that end with a number of evaluation episodes (Atari 100K) are judged
            by them, and others by training. What runs have not recorded is no score.
    """
    runs = [record.run for record in records if record.counts and record.run]
    runs = runs or [record.run for record in records if record.run]
    if judged_by:
        metric = {"training": TRAINING, "evaluation": EVALUATION}[judged_by]
    else:
        fixed = [_NUM_EVAL_EPISODES.search(run.config or "") for run in runs]
        metric = EVALUATION if runs and all(fixed) else TRAINING
    other, _ = BESIDE[metric]
    if not _all_have(runs, metric) and _all_have(runs, other):
        return other
    return metric


def _all_have(runs: Sequence[Run], metric: str) -> bool:
    return all(len(points(run, metric)) for run in runs)


def episodes(records: Sequence[Record], metric: str) -> tuple[int, int] | None:
    """Returns the fewest and the most episodes behind one run's final score.

    None where the runs do not say.
    """
    counts = []
    for record in records:
        if not record.counts or record.run is None:
            continue
        if metric == EVALUATION:
            counts += [
                int(text.replace("_", ""))
                for text in _NUM_EVAL_EPISODES.findall(record.run.config or "")[-1:]
            ]
        else:
            rows = summary.series(record.run, EPISODES)["iteration"]
            last = int(record.run.metrics["iteration"].max())
            counts.append(int((rows > last - last_tenth(last)).sum()))
    # Of thinned runs the episodes are not kept.
    counts = [] if metric == TRAINING and not any(counts) else counts
    return (min(counts), max(counts)) if counts else None


def table(records: Sequence[Record], metric: str, scale: Normalisation) -> pd.DataFrame:
    """Returns one row per readable run, finished or not, and evaluation point."""
    other, column = BESIDE[metric]
    rows = []
    for record in records:
        if record.run is None:
            continue
        beside = points(record.run, other).set_index("iteration")["return"]
        for point in points(record.run, metric).to_dict("records"):
            value = float(point["return"])
            normalised = scale.normalise(record.game, value)
            row = [*record.key, int(point["frames"]), value, normalised]
            rows.append([*row, float(beside.get(point["iteration"], np.nan))])
    return pd.DataFrame(rows, columns=[*COLUMNS, scale.column, column])


def finals(
    records: Sequence[Record], metric: str, scale: Normalisation
) -> pd.DataFrame:
    """Returns one row per readable run, by arm, game and seed: what it is judged by."""
    other, column = BESIDE[metric]
    rows = []
    for record in records:
        if record.run is not None:
            value = final_return(record.run, metric)
            normalised = scale.normalise(record.game, value)
            beside = final_return(record.run, other)
            frames = points(record.run, metric)["frames"].max()
            rows.append([*record.key, frames, value, normalised, beside])
    found = pd.DataFrame(rows, columns=[*COLUMNS, scale.column, column])
    return found.set_index(["arm", "game", "seed"])


def check(records: Sequence[Record], metric: str) -> list[Record]:
    """Returns the records; a finished run that has no score is marked so."""
    checked = []
    for record in records:
        if record.counts and record.run is not None:
            final = final_return(record.run, metric)
            reason = ""
            if not len(points(record.run, metric)):
                reason = f"metrics.csv holds no {metric}"
            elif not np.isfinite(final):
                reason = f"its {metric} at the end is {final:g}"
            if reason:
                record = dataclasses.replace(record, state="no score", reason=reason)
        checked.append(record)
    return checked


def shared_games(records: Sequence[Record], scale: Normalisation) -> tuple[str, ...]:
    """Returns the games that every arm with a finished run can be compared on.

    These have scores, and a finished run in each such arm.
    """
    done = [record for record in records if record.counts]
    arms = {record.arm for record in done}
    names = dict.fromkeys(record.game for record in records)
    return tuple(
        game
        for game in names
        if scale.is_known(game)
        and arms
        and arms == {record.arm for record in done if record.game == game}
    )


def matrix(
    records: Sequence[Record],
    arm: str,
    games: tuple[str, ...],
    metric: str,
    scale: Normalisation,
) -> Matrix | None:
    """Returns the rectangle of an arm; None where no seed is there in every game."""
    done = {
        (record.game, record.seed): record.run
        for record in records
        if record.arm == arm and record.counts and record.run is not None
    }
    names = dict.fromkeys(record.seed for record in records)
    seeds = tuple(
        seed for seed in names if games and all((game, seed) in done for game in games)
    )
    left_out = tuple(
        f"{game}/{seed}" for game, seed in done if game in games and seed not in seeds
    )
    if not seeds:
        return None
    curves = {
        (seed, game): points(done[game, seed], metric)
        for seed in seeds
        for game in games
    }
    length = min(len(curve) for curve in curves.values())

    def cube(column: str) -> np.ndarray:
        return np.array(
            [
                [curves[seed, game][column].to_numpy()[:length] for game in games]
                for seed in seeds
            ],
            dtype=float,
        )

    low, span = (
        np.array([scale.normalise(game, value) for game in games])
        for value in (0.0, 1.0)
    )
    returns = cube("return")
    scores = low[:, None] + returns * (span - low)[:, None]
    whole = np.isfinite(scores).all(axis=(0, 1))
    ends = np.array(
        [[final_return(done[game, seed], metric) for game in games] for seed in seeds]
    )
    return Matrix(
        seeds=seeds,
        games=games,
        frames=cube("frames").mean(axis=(0, 1))[whole],
        curve=scores[:, :, whole],
        final=low + ends * (span - low),
        left_out=left_out,
    )
