"""Metrics of a study's arms along a run: means over runs with intervals, and by epoch.

An epoch is an iteration of a run; a row belongs to the epoch at whose end it was
written.
"""

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from redo_dopamine.report import metrics_csv, summary
from redo_dopamine.report.runs import Run
from redo_dopamine.report.statistics import Estimate
from redo_dopamine.report.study import aggregates
from redo_dopamine.report.study.analysis import Analysis
from redo_dopamine.report.study.spec import Arm, PaperPoint, Study

TAU = 0.1  # Of ReDo in the paper.
_MAX_POINTS = 200


def finished_runs(analysis: Analysis) -> dict[str, dict[str, list[Run]]]:
    """Returns the finished runs of each arm, by game."""
    found: dict[str, dict[str, list[Run]]] = {}
    for record in analysis.records:
        if record.state in ("done", "no score") and record.run:
            of_arm = found.setdefault(record.arm, {})
            of_arm.setdefault(record.game, []).append(record.run)
    return found


def tau_of(analysis: Analysis) -> float | None:
    """Returns 0.1, or the largest threshold that was tracked; None without any."""
    return tau_among(
        run
        for games in finished_runs(analysis).values()
        for runs in games.values()
        for run in runs
    )


def tau_among(runs: Iterable[Run]) -> float | None:
    """Returns the same of runs."""
    found = {tau for run in runs for tau in summary.taus(run)}
    return TAU if TAU in found else max(found, default=None)


def mean(
    games: Iterable[Sequence[Run]],
    rows: Callable[[Run], pd.DataFrame],
    x: str,
    repeats: int,
    fraction: bool = False,
) -> tuple[np.ndarray, Estimate] | None:
    """Returns places along `x`, and the mean over runs with its 95% interval.

    Args:
        games: the runs of each game.
        rows: returns the rows of one metric of a run.
        x: a column.
        repeats: of the bootstrap.
        fraction: whether the metric is in [0, 1].
    """
    found = measured(games, rows, x)
    if found is None:
        return None
    grid, values = found
    return grid, aggregates.mean_curve(values, repeats, fraction)


def measured(
    games: Iterable[Sequence[Run]], rows: Callable[[Run], pd.DataFrame], x: str
) -> tuple[np.ndarray, list[np.ndarray]] | None:
    """Returns places along `x`, and of each game what its runs measured there.

    Runs are read where they were measured; between two measurements, on the line
    that joins them, and only where all of them have begun and none has ended. Those
    that measured nothing are left out.

    Args:
        games: the runs of each game.
        rows: returns the rows of one metric of a run.
        x: a column.

    Returns:
        Places, and arrays [runs, places]; None where nothing was measured.
    """
    of_games = [[_points(rows(run), x) for run in runs] for runs in games]
    of_games = [[p for p in runs if len(p[0])] for runs in of_games]
    of_games = [runs for runs in of_games if runs]
    if not of_games:
        return None
    grid = _grid([places for runs in of_games for places, _ in runs])
    if not len(grid):
        return None
    return grid, [np.array([np.interp(grid, *p) for p in runs]) for runs in of_games]


def _points(table: pd.DataFrame, x: str) -> tuple[np.ndarray, np.ndarray]:
    found = table.dropna(subset="value")
    return found[x].to_numpy(), found["value"].to_numpy()


def _grid(places: list[np.ndarray]) -> np.ndarray:
    """Returns where some run was measured, after all began and before any ended."""
    begin, end = max(p[0] for p in places), min(p[-1] for p in places)
    grid = np.unique(np.concatenate(places))
    grid = grid[(begin <= grid) & (grid <= end)]
    return grid if len(grid) <= _MAX_POINTS else np.linspace(begin, end, _MAX_POINTS)


KEY = ["arm", "game", "seed"]
DORMANT, ACCURACY, LOSS = "dormant_fraction", "train_accuracy", "loss"
RETURN, ZERO_GRADIENT = "average_return", "zero_gradient_fraction"
TEST_LOSS = "test_loss"
COLUMNS = [*KEY, "epoch", DORMANT, ACCURACY, LOSS]
EPOCHS = "epochs"
# What metrics.csv calls them.
_RECORDED = {
    ACCURACY: "train/accuracy",
    LOSS: "loss",
    RETURN: "train/average_return",
    ZERO_GRADIENT: "zero_gradient_fraction",
    TEST_LOSS: "test_loss",
}


class Curve(NamedTuple):
    """A metric of an arm on a data set, over its finished runs.

    Attributes:
        epochs: from 1, those that every run has.
        runs: the values of each run [runs, epochs].
        mean: over the runs, with its interval.
    """

    epochs: np.ndarray
    runs: np.ndarray
    mean: Estimate


# Figures and tables ask for the same ones.
@functools.lru_cache(maxsize=1)
def table(analysis: Analysis) -> pd.DataFrame:
    """Returns one row per readable run, finished or not, and epoch."""
    tau = tau_of(analysis)
    # Where no run measured dormancy, none is found at any threshold.
    tau = TAU if tau is None else tau
    parts = [
        _of_run(record.run, tau).assign(**dict(zip(KEY, record.key, strict=True)))
        for record in analysis.records
        if record.run is not None
    ]
    found = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    # Layers in the order of the runs that have the most: others may lack some.
    parts.sort(key=lambda part: len(part.columns), reverse=True)
    columns = dict.fromkeys(name for names in (COLUMNS, *parts) for name in names)
    return found.reindex(columns=list(columns))


def _of_run(run: Run, tau: float) -> pd.DataFrame:
    """Returns the last value of each metric in each epoch.

    Fractions of neurons are there by layer too, as `<metric>/<layer>`.
    """
    rows = {
        DORMANT: summary.pooled_dormant_fraction(run, tau),
        **{name: summary.series(run, x) for name, x in _RECORDED.items()},
    }
    for metric, threshold in ((DORMANT, tau), (ZERO_GRADIENT, None)):
        by_layer = summary.per_layer(run, metric, threshold)
        rows |= {f"{metric}/{layer}": x for layer, x in by_layer.items()}
    columns = {
        name: of_metric.groupby("iteration")["value"].last()
        for name, of_metric in rows.items()
        if len(of_metric)
    }
    joined = pd.DataFrame(columns)
    return joined.assign(epoch=joined.index.astype("int64") + 1)


def games(analysis: Analysis) -> list[str]:
    """Returns the data sets that have a finished run."""
    there = {record.game for record in analysis.records if record.counts}
    return [game for game in analysis.study.games if game in there]


def layers(analysis: Analysis, metric: str) -> list[str]:
    """Returns the layers that a fraction of neurons was recorded for."""
    head = f"{metric}/"
    columns = table(analysis).columns
    return [name.removeprefix(head) for name in columns if name.startswith(head)]


def axis(analysis: Analysis) -> str:
    """Returns what a curve's x axis counts, and how many steps that is.

    Steps are left out where runs do not agree.
    """
    epochs = analysis.study.unit == EPOCHS
    name = EPOCHS if epochs else "iterations"
    clock, steps = (
        ("gradient_step", "gradient steps")
        if epochs
        else ("agent_step", analysis.study.unit)
    )
    found = set()
    for record in analysis.records:
        if record.run is not None and len(record.run.metrics):
            last = record.run.metrics.iloc[-1]
            number, rest = divmod(last[clock], last["iteration"] + 1)
            found.add(None if rest else int(number))
    number = found.pop() if len(found) == 1 else None
    return name if number is None else f"{name} of {number:,} {steps}"


@functools.lru_cache(maxsize=1_000)
def curve(analysis: Analysis, arm: Arm, game: str, metric: str) -> Curve | None:
    """Returns a metric of an arm on a data set; None where no run recorded it."""
    done = {record.key for record in analysis.records if record.counts}
    if metric not in table(analysis):
        return None
    found = [
        of_run.set_index("epoch")[metric].dropna()
        for key, of_run in table(analysis).groupby(KEY)
        if key in done and key[:2] == (arm.name, game)
    ]
    if not found:
        return None
    shared = pd.concat(found, axis=1, join="inner").sort_index()
    if not len(shared):
        return None
    values = shared.to_numpy(dtype=float).T
    fraction = metrics_csv.is_fraction(metric)
    mean = aggregates.mean_curve([values], analysis.repeats, fraction)
    return Curve(shared.index.to_numpy(), values, mean)


def stretch(study: Study, point: PaperPoint) -> tuple[int, int]:
    """Returns the epochs here that a stretch of the paper's run stands for.

    The same ones at the paper's length; the same part of a shorter run.
    """
    paper, run = study.length_paper, study.length_run
    first = (point.first - 1) * run // paper + 1
    return first, max(first, -(-point.last * run // paper))


def beside(
    analysis: Analysis, point: PaperPoint, game: str
) -> tuple[Estimate, int] | None:
    """Returns what runs here found where the paper found a point: a mean over seeds.

    Of each run it is the highest value of the stretch. And how many seeds that is of.
    """
    arm = next(arm for arm in analysis.study.arms if arm.name == point.arm)
    found = curve(analysis, arm, game, DORMANT)
    if found is None:
        return None
    first, last = stretch(analysis.study, point)
    inside = (first <= found.epochs) & (found.epochs <= last)
    if not inside.any():
        return None
    highest = found.runs[:, inside].max(axis=1)
    estimate = aggregates.mean_curve([highest[:, None]], analysis.repeats, True)
    return Estimate(*(end[0] for end in estimate)), len(highest)


def at_the_end(
    analysis: Analysis, arm: Arm, game: str, metric: str
) -> tuple[Estimate, int] | None:
    """Returns a metric's mean over seeds in the last epoch, and how many seeds."""
    found = curve(analysis, arm, game, metric)
    if found is None:
        return None
    last = Estimate(*(end[-1] for end in found.mean))
    return last, len(found.runs)
