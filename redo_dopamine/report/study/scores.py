"""The scores of runs, aggregates of them, and arms compared."""

import dataclasses
import functools
import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from redo_dopamine.report import files, statistics, summary
from redo_dopamine.report.runs import Record, Run
from redo_dopamine.report.statistics import Estimate
from redo_dopamine.report.summary import BESIDE, EVALUATION, KEY, TRAINING
from redo_dopamine.studies.spec import ArmSpec, StudySpec
from redo_dopamine.studies.study import BEST_ARM, HUMAN

_NUM_EVAL_EPISODES = re.compile(r"num_eval_episodes\s*=\s*([\d_]+)")


@dataclasses.dataclass(frozen=True)
class Normalization:
    """A linear scale for the returns of each game, and how it is told in words.

    `ends` are the returns in a game that score 0 and 1; a game without them has no
    score, for the reason that is `lacking`.
    """

    name: str
    zero: str
    one: str
    ends: Mapping[str, tuple[float, float]]
    lacking: str

    @property
    def column(self) -> str:
        """Its column in `scores.csv`."""
        return self.name.replace("-", "_")

    def normalize(self, game: str, value: float) -> float:
        """Return `(value - zero) / (one - zero)`, NaN for an unknown game."""
        zero, one = self.ends.get(game, (np.nan, np.nan))
        return (value - zero) / (one - zero)


def human(_: pd.Series | None = None) -> Normalization:
    """Return the scale from a random player's return to a human's."""
    found = files.data("atari_human_random.json")
    ends = {game: (x["random"], x["human"]) for game, x in found.items()}
    return Normalization(ends=ends, **files.data("names.toml")["human"])


def best_arm(returns: pd.Series) -> Normalization:
    """Return the scale whose 1 is the best arm's mean final return in each game.

    For games that have no human score. The best arm is chosen among these runs, so
    scores of different studies are not to be compared. The returns are the final ones
    of the runs that count, by arm, game and seed.
    """
    means = returns.groupby(["game", "arm"]).agg(lambda x: np.mean(x.to_numpy()))
    best = means.groupby("game").max()
    ends = {game: (0.0, value) for game, value in best.items() if value > 0}
    return Normalization(ends=ends, **files.data("names.toml")["best_arm"])


# By the names in `study.json`.
KINDS: Mapping[str, Callable[[pd.Series], Normalization]] = {
    HUMAN: human,
    BEST_ARM: best_arm,
}


@dataclasses.dataclass(frozen=True, eq=False)
class Matrix:
    """What one arm is judged by: the normalized scores of seeds that every game has.

    The `curve` is seeds x games x points, at `frames`, which are means over the runs.
    Its last point need not be the end, where scores are `final`. Finished runs that the
    rectangle has no room for are `left_out`, as `game/seed`.
    """

    seeds: tuple[str, ...]
    games: tuple[str, ...]
    frames: np.ndarray
    curve: np.ndarray
    final: np.ndarray
    left_out: tuple[str, ...]


def _counted(records: Sequence[Record]) -> list[Run]:
    return [record.run for record in records if record.counts and record.run]


def metric_of(records: Sequence[Record], judged_by: str) -> str:
    """Return the metric that is the score, by what `study.json` says.

    Where that is empty, as in those of before, runs that end with a number of
    evaluation episodes (Atari 100K) are judged by them, and others by training. What
    runs have not recorded is no score.
    """
    runs = _counted(records) or [x.run for x in records if x.run]
    fixed = [_NUM_EVAL_EPISODES.search(run.config or "") for run in runs]
    evaluated = runs and all(fixed) if not judged_by else judged_by == "evaluation"
    metric = EVALUATION if evaluated else TRAINING
    other, _ = BESIDE[metric]
    lacking, there = (
        all(len(summary.points(run, x)) for run in runs) for x in (metric, other)
    )
    return other if there and not lacking else metric


def finals(records: Sequence[Record], metric: str) -> pd.DataFrame:
    """Return what each readable run is judged by, by arm, game and seed.

    Columns: the `frames` of its last point, its `return`, the other kind of return.
    """
    other, column = BESIDE[metric]
    rows = {
        x.key: [
            summary.points(x.run, metric)["frames"].max(),
            *(summary.final_score(x.run, name) for name in (metric, other)),
        ]
        for x in records
        if x.run is not None
    }
    index = pd.MultiIndex.from_tuples([*rows], names=KEY)
    return pd.DataFrame([*rows.values()], index, ["frames", "return", column])


def table(records: Sequence[Record], metric: str) -> pd.DataFrame:
    """Return one row per readable run, finished or not, and evaluation point.

    Columns: arm, game and seed, and those of `finals`.
    """
    other, column = BESIDE[metric]
    parts = [pd.DataFrame(columns=[*KEY, "frames", "return", column])]
    for record in records:
        if record.run is not None:
            key = dict(zip(KEY, record.key, strict=True))
            found, beside = (
                summary.points(record.run, x).set_index("iteration")
                for x in (metric, other)
            )
            parts.append(found.assign(**key, **{column: beside["return"]}))
    there = [part for part in parts if len(part)] or parts[:1]
    return pd.concat(there, ignore_index=True)[parts[0].columns]


@dataclasses.dataclass(frozen=True, eq=False)
class Judged:
    """The runs of a study by one kind of return.

    Attributes:
        study: what was asked for.
        repeats: of the bootstrap.
        metric: of the return; it is the score, where the study has one.
        records: a finished run that has no score is marked so.
        scale: that returns are normalized by.
        games: those that every arm with a finished run can be compared on: they have
            scores, and a finished run in each such arm. None without scores.
        finals: see `finals`; with normalized scores as a column of the scale's name.
        table: see `table`; likewise.
        matrices: of each arm that has one, by name.
    """

    study: StudySpec
    repeats: int
    metric: str
    records: list[Record]
    scale: Normalization
    games: tuple[str, ...]
    finals: pd.DataFrame
    table: pd.DataFrame
    matrices: dict[str, Matrix]

    @functools.cached_property
    def aggregates(self) -> dict[str, dict[str, Estimate]]:
        """IQM, median, mean and optimality gap of the final scores, by arm."""
        return {
            arm: statistics.aggregate(matrix.final, self.repeats)
            for arm, matrix in self.matrices.items()
        }

    @functools.cached_property
    def improvements(self) -> pd.DataFrame:
        """Each series beside the first of its group, of the arms with a matrix.

        A row per pair: `arm` and `over`; the `probability` that a run of the arm scores
        higher, and the `difference` of the mean scores, each with the ends of its
        interval; `p` of the exact rank test, two-sided; how many seeds the two have.
        """
        rows = []
        for arms in self.study.groups.values():
            there = [arm for arm in arms if arm.name in self.matrices]
            rows += [
                self._compared(arm, there[0])
                for arm in there[1:]
                if arm.series != there[0].series or arm.x is None
            ]
        return pd.DataFrame(rows, columns=_IMPROVEMENTS)

    @property
    def episodes(self) -> tuple[int, int] | None:
        """The fewest and the most episodes behind one run's final score.

        None where the runs do not say; of thinned runs the episodes are not kept.
        """
        counts = []
        for run in _counted(self.records):
            if self.metric == EVALUATION:
                found = _NUM_EVAL_EPISODES.findall(run.config or "")[-1:]
                counts += [int(text.replace("_", "")) for text in found]
            else:
                first = summary.before_last_tenth(run.metrics["iteration"])
                rows = summary.series(run, summary.EPISODES)["iteration"]
                counts.append(int((rows > first).sum()))
        # Of what is thinned, or of others, the episodes are not known.
        said = [count for count in counts if count]
        return (min(said), max(said)) if said else None

    def _compared(self, arm: ArmSpec, over: ArmSpec) -> list[object]:
        x, y = (self.matrices[other.name].final for other in (arm, over))
        probability = map(float, statistics.improvement(x, y, self.repeats))
        p = statistics.rank_test(list(zip(x.T, y.T, strict=True)))
        of_means = map(float, statistics.difference(x, y, self.repeats))
        return [arm.name, over.name, *probability, p, *of_means, len(x), len(y)]


_IMPROVEMENTS = [
    *("arm", "over", "probability", "low", "high", "p"),
    *("difference", "difference_low", "difference_high", "runs", "over_runs"),
]


def judge(
    study: StudySpec, repeats: int, records: Sequence[Record], metric: str
) -> Judged:
    """Return the scores of a study's runs by a metric."""
    found, rows = finals(records, metric), table(records, metric)
    checked = [_checked(x, found, metric) if study.scored else x for x in records]
    done = found.loc[[x.key for x in checked if x.counts]]
    scale = KINDS[study.score or HUMAN](done["return"])
    for of in (found, rows):
        names = of.reset_index()["game"]
        scores = map(scale.normalize, names, of["return"])
        of.insert(len(of.columns) - 1, scale.column, list(scores))
    arms = {game: set(x.index.unique("arm")) for game, x in done.groupby("game")}
    every = set().union(*arms.values())
    games = tuple(
        x
        for x in study.games
        if study.scored and x in scale.ends and every and arms.get(x) == every
    )
    matrices = {
        arm: _matrix(study, games, scale, done.loc[arm], rows[rows["arm"] == arm])
        for arm in (x.name for x in study.arms if x.name in every)
    }
    whole = {arm: matrix for arm, matrix in matrices.items() if matrix}
    return Judged(study, repeats, metric, checked, scale, games, found, rows, whole)


def _checked(record: Record, finals: pd.DataFrame, metric: str) -> Record:
    if not record.counts or np.isfinite(finals.loc[record.key, "return"]):
        return record
    frames, final = finals.loc[record.key, ["frames", "return"]]
    reason = f"its {metric} at the end is {final:g}"
    if np.isnan(frames):
        reason = f"metrics.csv holds no {metric}"
    return dataclasses.replace(record, state="no score", reason=reason)


def _matrix(
    study: StudySpec,
    games: tuple[str, ...],
    scale: Normalization,
    finals: pd.DataFrame,
    rows: pd.DataFrame,
) -> Matrix | None:
    """Return the rectangle of an arm; None where no seed is there in every game.

    Of the `finals` of those of the arm's runs that count, and the `rows` of all.
    """
    wide = finals["return"].unstack("game").reindex(study.seeds).reindex(columns=games)
    wide = wide.dropna()
    if not wide.size:
        return None
    number = rows.groupby(["game", "seed"]).cumcount()
    places = [wide.index, games, range(number.max() + 1)]
    points = rows.assign(point=number).set_index(["seed", "game", "point"])
    points = points.reindex(pd.MultiIndex.from_product(places))
    frames, returns = (
        points[column].to_numpy(float).reshape(len(wide), len(games), -1)
        for column in ("frames", "return")
    )
    zero, one = np.array([scale.ends[game] for game in games]).T
    low, high = ((value - zero) / (one - zero) for value in (0.0, 1.0))
    scores = low[:, None] + returns * (high - low)[:, None]
    # Where every run has a return.
    whole = np.isfinite(scores).all(axis=(0, 1))
    return Matrix(
        seeds=tuple(wide.index),
        games=games,
        frames=frames.mean(axis=(0, 1))[whole],
        curve=scores[:, :, whole],
        final=low + np.ascontiguousarray(wide.to_numpy()) * (high - low),
        left_out=tuple(
            f"{game}/{seed}"
            for game, seed in finals.index
            if game in games and seed not in wide.index
        ),
    )
