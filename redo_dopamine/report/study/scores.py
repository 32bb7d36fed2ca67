"""The scores of runs, and the matrices that aggregates are computed from.

In: a study's records, and the scale of scores. Out: one row per run and evaluation
point, one score per finished run, and for each arm a rectangle of seeds x games.
"""

import dataclasses
import functools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from typing import NamedTuple

import numpy as np
import pandas as pd

from redo_dopamine.report import summary
from redo_dopamine.report.runs import Run
from redo_dopamine.report.study.records import Record
from redo_dopamine.report.summary import (
    BESIDE,
    EPISODES,
    EVALUATION,
    TRAINING,
    final_score,
    last_tenth,
    points,
)

NOTE = (
    "VideoPinball's random score differs between published tables: here it is "
    "16256.9, in some 0.0."
)


@functools.cache
def _table() -> dict[str, dict[str, float]]:
    file = resources.files("redo_dopamine.report") / "data/atari_human_random.json"
    return json.loads(file.read_text(encoding="utf-8"))


def games() -> list[str]:
    """Returns the games that have both scores."""
    return list(_table())


def ends(game: str) -> tuple[float, float]:
    """Returns a random player's return and a human's."""
    scores = _table()[game]
    return scores["random"], scores["human"]


class Ends(NamedTuple):
    """The returns in a game that score 0 and 1."""

    zero: float
    one: float


@dataclasses.dataclass(frozen=True)
class Normalisation:
    """A linear scale for the returns of each game.

    Attributes:
        name: an adjective, such as "human-normalised".
        zero: what scores 0, in words.
        one: what scores 1, in words.
        ends: by game; a game without them has no score.
        lacking: why a game has none, in words.
    """

    name: str
    zero: str
    one: str
    ends: Mapping[str, Ends]
    lacking: str

    @property
    def column(self) -> str:
        """Its column in `scores.csv`."""
        return self.name.replace("-", "_")

    def is_known(self, game: str) -> bool:
        """Whether a game has scores."""
        return game in self.ends

    def normalise(self, game: str, value: float) -> float:
        """Returns `(value - zero) / (one - zero)`, NaN for an unknown game."""
        if game not in self.ends:
            return float("nan")
        zero, one = self.ends[game]
        return (value - zero) / (one - zero)


def human(records: Sequence[Record], metric: str) -> Normalisation:
    """Returns the scale from a random player's return to a human's."""
    del records, metric
    return Normalisation(
        name="human-normalised",
        zero="a random player's return",
        one="a human's",
        ends={game: Ends(*ends(game)) for game in games()},
        lacking="No human and random score is known",
    )


def best_arm(records: Sequence[Record], metric: str) -> Normalisation:
    """Returns the scale whose 1 is the best arm's mean final return in each game.

    For games that have no human score. The best arm is chosen among these runs, so
    scores of different studies are not to be compared.
    """
    finals: dict[tuple[str, str], list[float]] = {}
    for record in records:
        if record.counts and record.run is not None:
            final = summary.final_score(record.run, metric)
            if np.isfinite(final):
                finals.setdefault((record.game, record.arm), []).append(final)
    best: dict[str, float] = {}
    for (game, _), values in finals.items():
        best[game] = max(best.get(game, 0.0), float(np.mean(values)))
    return Normalisation(
        name="best-arm-normalised",
        zero="a return of 0",
        one="the mean return of the game's best arm here",
        ends={game: Ends(0.0, value) for game, value in best.items() if value > 0},
        lacking="No arm has a mean return above 0",
    )


# By the names in `study.json`.
KINDS: Mapping[str, Callable[[Sequence[Record], str], Normalisation]] = {
    "human": human,
    "best arm": best_arm,
}

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
            value = final_score(record.run, metric)
            normalised = scale.normalise(record.game, value)
            beside = final_score(record.run, other)
            frames = points(record.run, metric)["frames"].max()
            rows.append([*record.key, frames, value, normalised, beside])
    found = pd.DataFrame(rows, columns=[*COLUMNS, scale.column, column])
    return found.set_index(["arm", "game", "seed"])


def check(records: Sequence[Record], metric: str) -> list[Record]:
    """Returns the records; a finished run that has no score is marked so."""
    checked = []
    for record in records:
        if record.counts and record.run is not None:
            final = final_score(record.run, metric)
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
        [[final_score(done[game, seed], metric) for game in games] for seed in seeds]
    )
    return Matrix(
        seeds=seeds,
        games=games,
        frames=cube("frames").mean(axis=(0, 1))[whole],
        curve=scores[:, :, whole],
        final=low + ends * (span - low),
        left_out=left_out,
    )
