"""The scores of runs, and the matrices that aggregates are computed from.

In: a study's records. Out: one row per run and evaluation point, one score per
finished run, and for each arm a rectangle of seeds x games.
"""

import dataclasses
import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from redo_dopamine.report import human_scores, summary
from redo_dopamine.report.runs import Run
from redo_dopamine.report.study_runs import Record

COLUMNS = ["arm", "game", "seed", "frames", "return", "human_normalised"]
EVALUATION = "eval/average_return"
TRAINING = "train/average_return"
_EPISODES = "train/episode_return"
_NUM_EVAL_EPISODES = re.compile(r"num_eval_episodes\s*=\s*([\d_]+)")


@dataclasses.dataclass(frozen=True, eq=False)
class Matrix:
    """What one arm is judged by: human-normalised scores, seeds x games x points.

    Attributes:
      seeds: The rows: those that every game has.
      games: The columns.
      frames: Of the points, as a mean over the runs.
      curve: The scores at these points; the last point need not be the end.
      final: The scores at the end, seeds x games.
      left_out: Finished runs, as `game/seed`, that a rectangle has no room for.
    """

    seeds: tuple[str, ...]
    games: tuple[str, ...]
    frames: np.ndarray
    curve: np.ndarray
    final: np.ndarray
    left_out: tuple[str, ...]


def metric_of(records: Sequence[Record]) -> str:
    """Returns the metric that is the score: the evaluation's where all runs have it."""
    runs = [record.run for record in records if record.counts and record.run]
    runs = runs or [record.run for record in records if record.run]
    evaluated = [len(summary.series(run, EVALUATION)) > 0 for run in runs]
    return EVALUATION if evaluated and all(evaluated) else TRAINING


def points(run: Run, metric: str) -> pd.DataFrame:
    """Returns `iteration`, `frames` and `return` of a run's evaluation points.

    An iteration's average training return is the mean of the returns of the episodes
    that ended in it. Where a run recorded episodes and no averages, it is computed.
    """
    rows = summary.series(run, metric)
    if metric == TRAINING and not len(rows):
        rows = summary.series(run, _EPISODES)
        means = rows.groupby("iteration").agg({"frames": "max", "value": "mean"})
    else:
        means = rows.drop_duplicates("iteration", keep="last")
    means = means.reset_index().rename(columns={"value": "return"})
    return means[["iteration", "frames", "return"]]


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
            rows = summary.series(record.run, _EPISODES)
            last = record.run.metrics["iteration"].max()
            counts.append(int((rows["iteration"] == last).sum()))
    return (min(counts), max(counts)) if counts else None


def table(records: Sequence[Record], metric: str) -> pd.DataFrame:
    """Returns one row per readable run, finished or not, and evaluation point."""
    rows = []
    for record in records:
        if record.run is None:
            continue
        for point in points(record.run, metric).to_dict("records"):
            value = float(point["return"])
            normalised = human_scores.normalise(record.game, value)
            rows.append([*record.key, int(point["frames"]), value, normalised])
    return pd.DataFrame(rows, columns=COLUMNS)


def check(records: Sequence[Record], metric: str) -> list[Record]:
    """Returns the records; a finished run that has no score is marked so."""
    checked = []
    for record in records:
        if record.counts and record.run is not None:
            values = points(record.run, metric)["return"]
            reason = ""
            if not len(values):
                reason = f"metrics.csv holds no {metric}"
            elif not np.isfinite(values.iloc[-1]):
                reason = f"{metric} of its last iteration is {values.iloc[-1]:g}"
            if reason:
                record = dataclasses.replace(record, state="no score", reason=reason)
        checked.append(record)
    return checked


def shared_games(records: Sequence[Record]) -> tuple[str, ...]:
    """Returns the games that every arm with a finished run can be compared on.

    These have human and random scores, and a finished run in each such arm.
    """
    done = [record for record in records if record.counts]
    arms = {record.arm for record in done}
    names = dict.fromkeys(record.game for record in records)
    return tuple(
        game
        for game in names
        if human_scores.is_known(game)
        and arms
        and arms == {record.arm for record in done if record.game == game}
    )


def matrix(
    records: Sequence[Record], arm: str, games: tuple[str, ...], metric: str
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
        np.array([human_scores.normalise(game, value) for game in games])
        for value in (0.0, 1.0)
    )
    returns = cube("return")
    scores = low[:, None] + returns * (span - low)[:, None]
    whole = np.isfinite(scores).all(axis=(0, 1))
    ends = np.array(
        [[curves[seed, game]["return"].iloc[-1] for game in games] for seed in seeds]
    )
    return Matrix(
        seeds=seeds,
        games=games,
        frames=cube("frames").mean(axis=(0, 1))[whole],
        curve=scores[:, :, whole],
        final=low + ends * (span - low),
        left_out=left_out,
    )
