"""Metrics of a study's arms along a run, and at its end: means over runs.

By frames or gradient steps, or by epoch. An epoch is an iteration of a run; a row
belongs to the epoch at whose end it was written. Arms of different replay ratios end
after different numbers of gradient steps; so that they can be compared when trained as
often, each is read wherever some arm ended.
"""

import functools
import itertools
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from redo_dopamine.report import metrics_csv, statistics, summary
from redo_dopamine.report.runs import Run
from redo_dopamine.report.statistics import Estimate
from redo_dopamine.report.study.analysis import TAU, Analysis, in_columns
from redo_dopamine.report.style import Curve
from redo_dopamine.report.summary import BESIDE
from redo_dopamine.studies.spec import ArmSpec, StudySpec
from redo_dopamine.studies.study import EPOCHS, PaperPoint

_MAX_POINTS = 200
DORMANT, ZERO_GRADIENT = "dormant_fraction", "zero_gradient_fraction"
# Of the layer before the outputs.
HISTORY, PENULTIMATE = "overlap_with_history", "overlap_with_history/{tau}/penultimate"
ACCURACY, LOSS, TEST_LOSS = "train_accuracy", "loss", "test_loss"
RETURN = "average_return"
COLUMNS = [*summary.KEY, "epoch", DORMANT, ACCURACY, LOSS]
# What metrics.csv calls them.
_RECORDED = {
    ACCURACY: "train/accuracy",
    LOSS: "loss",
    RETURN: summary.TRAINING,
    ZERO_GRADIENT: ZERO_GRADIENT,
    TEST_LOSS: TEST_LOSS,
}

# Of an epoch, in the order of the tables.
BY_EPOCH = (RETURN, DORMANT, ZERO_GRADIENT, ACCURACY, LOSS, TEST_LOSS)
ENDS = ["arm", "game", "gradient_step", "metric", "mean", "low", "high", "runs"]
_ALL_BUT_EQUAL = 1.05  # Iterations end with an episode, not all at one step.
# Those that are compared at τ = 0, as metrics.csv calls them, each with its threshold.
_AT_TAU_0: Mapping[str, tuple[str, float | None]] = {
    "dormant": (DORMANT, 0.0),
    "zero_gradient": (ZERO_GRADIENT, None),
    "one_set": ("zero_gradient_dormant_overlap", None),
    "in_time": ("zero_gradient_overlap", None),
}

_NO_ROWS = pd.DataFrame({"frames": [], "gradient_step": [], "value": []})


def at_tau(analysis: Analysis) -> str:
    """Return the threshold of dormant fractions in words; empty without any."""
    return "" if analysis.tau is None else f", τ = {analysis.tau:g}"


def named(analysis: Analysis, metric: str, name: str) -> str:
    """Return a metric's name, that of a dormant fraction with its threshold."""
    return name + (at_tau(analysis) if metric == DORMANT else "")


def mean(
    analysis: Analysis, arm: ArmSpec, games: Iterable[str], metric: str, x: str
) -> Curve | None:
    """Return the mean of a metric over an arm's runs along `x`, with its interval.

    Runs are read where they were measured; between two measurements, on the line
    that joins them, and only where all of them have begun and none has ended. Those
    that measured nothing are left out; None where none is left. `{tau}` in the metric's
    name is the threshold that is shown.
    """
    tau = None if analysis.tau is None else float(analysis.tau)

    def rows(run: Run) -> pd.DataFrame:
        if metric == f"{DORMANT}/{{tau}}":
            # However a run writes the number.
            return summary.pooled_dormant_fraction(run, tau)
        if metric == PENULTIMATE:
            return [_NO_ROWS, *summary.per_layer(run, HISTORY, tau).values()][-1]
        return summary.series(run, metric.format(tau=tau))

    finished = [analysis.finished(arm.name, game) for game in games]
    tables = [[rows(run)[[x, "value"]].dropna() for run in runs] for runs in finished]
    measured = [[t.to_numpy().T for t in runs if len(t)] for runs in tables]
    found = [runs for runs in measured if runs]
    grid = _grid([places for runs in found for places, _ in runs])
    if not len(grid):
        return None
    values = [np.array([np.interp(grid, *points) for points in x]) for x in found]
    fraction = metrics_csv.is_fraction(metric)
    return Curve(grid, statistics.mean_curve(values, analysis.repeats, fraction))


def _grid(places: list[np.ndarray]) -> np.ndarray:
    """Return where some run was measured, after all began and before any ended."""
    if not places:
        return np.array([])
    begin, end = max(p[0] for p in places), min(p[-1] for p in places)
    grid = np.unique(np.concatenate(places))
    grid = grid[(begin <= grid) & (grid <= end)]
    return grid if len(grid) <= _MAX_POINTS else np.linspace(begin, end, _MAX_POINTS)


# Figures and tables ask for the same ones.
@functools.lru_cache(maxsize=1)
def table(analysis: Analysis) -> pd.DataFrame:
    """Return `epochs.csv`: one row per readable run, finished or not, and epoch."""
    # Finished runs have measured no dormancy, then; others may have.
    tau = TAU if analysis.tau is None else analysis.tau
    parts = [
        _of_run(x.run, tau).assign(**dict(zip(summary.KEY, x.key, strict=True)))
        for x in analysis.records
        if x.run is not None
    ]
    found = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    # Layers in the order of the runs that have the most: others may lack some.
    parts.sort(key=lambda part: len(part.columns), reverse=True)
    columns = dict.fromkeys(name for names in (COLUMNS, *parts) for name in names)
    return found.reindex(columns=list(columns))


def _of_run(run: Run, tau: float) -> pd.DataFrame:
    """Return the last value of each metric in each epoch.

    Fractions of neurons are there by layer too, as `<metric>/<layer>`.
    """
    rows = {
        DORMANT: summary.pooled_dormant_fraction(run, tau),
        **{name: summary.series(run, x) for name, x in _RECORDED.items()},
    }
    for metric, threshold in ((DORMANT, tau), (ZERO_GRADIENT, None)):
        by_layer = summary.per_layer(run, metric, threshold)
        rows |= {f"{metric}/{layer}": x for layer, x in by_layer.items()}
    joined = pd.DataFrame(
        {x: y.groupby("iteration")["value"].last() for x, y in rows.items() if len(y)}
    )
    return joined.assign(epoch=joined.index.astype("int64") + 1)


def games(analysis: Analysis) -> list[str]:
    """Return the data sets that have a finished run."""
    return [x for x in analysis.study.games if analysis.finished(game=x, counted=True)]


def layers(analysis: Analysis, metric: str) -> list[str]:
    """Return the layers that a fraction of neurons was recorded for."""
    head = f"{metric}/"
    columns = table(analysis).columns
    return [name.removeprefix(head) for name in columns if name.startswith(head)]


def axis(analysis: Analysis) -> str:
    """Return what a curve's x axis counts, and how many steps that is.

    Steps are left out where runs do not agree.
    """
    name, clock, steps = "iterations", "agent_step", analysis.study.unit
    if steps == EPOCHS.name:
        name, clock, steps = EPOCHS.name, "gradient_step", "gradient steps"
    found = set()
    for record in analysis.records:
        if record.run is not None and len(record.run.metrics):
            last = record.run.metrics.iloc[-1]
            number, rest = divmod(last[clock], last["iteration"] + 1)
            found.add(None if rest else int(number))
    number = found.pop() if len(found) == 1 else None
    return name if number is None else f"{name} of {number:,} {steps}"


@functools.lru_cache(maxsize=1_000)
def values(analysis: Analysis, arm: ArmSpec, game: str, metric: str) -> pd.DataFrame:
    """Return a metric of an arm's runs that count on a data set, by epoch and seed.

    Of the epochs that all of them have; empty where no run recorded it.
    """
    rows = table(analysis)
    if metric not in rows:
        return pd.DataFrame()
    of_arm = rows[(rows["arm"] == arm.name) & (rows["game"] == game)]
    wide = of_arm.pivot(index="epoch", columns="seed", values=metric)
    seeds = [x for x in analysis.counted(arm.name, game).index if x in wide]
    return wide[seeds].dropna()


def curve(analysis: Analysis, arm: ArmSpec, game: str, metric: str) -> Curve | None:
    """Return the mean of a metric by epoch; None where no run recorded it."""
    found = values(analysis, arm, game, metric)
    if not found.size:
        return None
    return Curve(found.index.to_numpy(), _interval(metric, found.to_numpy(float).T))


def _interval(metric: str, values: np.ndarray) -> Estimate:
    """Return the mean of a metric over runs, with an interval of what it can be."""
    found = statistics.t_interval(values)
    return found.clipped() if metrics_csv.is_fraction(metric) else found


def stretch(study: StudySpec, point: PaperPoint) -> tuple[int, int]:
    """Return the epochs here that a stretch of the paper's run stands for.

    The same ones at full length, which is the paper's; the same part of a shorter run.
    """
    full, run = study.length_full, study.length_run
    first = (point.first - 1) * run // full + 1
    return first, max(first, -(-point.last * run // full))


def beside(
    analysis: Analysis, point: PaperPoint, game: str
) -> tuple[Estimate, int] | None:
    """Return what runs here found where the paper found a point: a mean over seeds.

    Of each run it is the highest value of the stretch. And how many seeds that is of.
    """
    arm = next(arm for arm in analysis.study.arms if arm.name == point.arm)
    first, last = stretch(analysis.study, point)
    found = values(analysis, arm, game, DORMANT).loc[first:last]
    if not found.size:
        return None
    return _interval(DORMANT, found.max().to_numpy(float)), found.shape[1]


# The file and the page ask for the same one.
@functools.lru_cache(maxsize=1)
def by_step(analysis: Analysis) -> pd.DataFrame:
    """Return `ends.csv`: a row per arm, game, gradient step and metric."""
    rows = []
    _, other = BESIDE[analysis.metric]
    for game in analysis.study.games:
        found = {x.name: analysis.finished(x.name, game) for x in analysis.study.arms}
        ends = {x: [y.metrics["gradient_step"].max() for y in found[x]] for x in found}
        last = {arm: int(min(of_runs)) for arm, of_runs in ends.items() if of_runs}
        for arm, end in last.items():
            steps = [step for step in _apart(last.values()) if step <= end]
            counted = analysis.counted(arm, game)
            values = [(steps[-1], x, counted[x].dropna()) for x in ("return", other)]
            values += [
                (step, metric, _at(found[arm], metric, step))
                for metric in measured(analysis.tau)
                for step in steps
            ]
            for step, metric, x in values:
                if len(x):
                    mean = map(float, _interval(metric, x))
                    rows.append([arm, game, step, metric, *mean, len(x)])
    return pd.DataFrame(rows, columns=ENDS)


def measured(tau: float | None) -> list[str]:
    """Return the metrics of a run that are read at a gradient step."""
    names = () if tau is None else ("dormant_fraction", "dormant_fraction_after")
    return [*(f"{name}/{float(tau or 0)}" for name in names), "largest_q"]


def _apart(ends: Iterable[int]) -> list[int]:
    """Return ends in rising order, the first of those that are all but equal."""
    kept: list[int] = []
    for end in sorted(ends):
        if not kept or end > _ALL_BUT_EQUAL * kept[-1]:
            kept.append(end)
    return kept


def _at(runs: list[Run], metric: str, step: int) -> np.ndarray:
    """Return each run's value at a step, of runs that have measured it by then."""
    tables = [summary.series(run, metric).dropna(subset="value") for run in runs]
    found = [(rows["gradient_step"], rows["value"]) for rows in tables]
    return np.array([np.interp(step, x, y) for x, y in found if (x <= step).any()])


def of_epochs(analysis: Analysis) -> pd.DataFrame:
    """Return `summary.csv` of a study without scores: the metrics of the last epoch.

    A row per arm and data set; empty where there is none.
    """
    there = table(analysis).columns
    metrics = {metric: metric for metric in BY_EPOCH if metric in there}
    study = analysis.study
    return pd.DataFrame(
        {
            **{"arm": arm.name, "game": game, "tau": analysis.tau},
            **_last(analysis, arm, game, metrics),
        }
        for arm, game in itertools.product(study.arms, study.games)
    )


def by_layer(analysis: Analysis) -> pd.DataFrame:
    """Return `layers.csv`: the last fractions of neurons, one row per arm and layer.

    Empty where fewer than two layers were recorded.
    """
    study, rows, names = analysis.study, [], layers(analysis, DORMANT)
    for arm, game, layer in itertools.product(study.arms, study.games, names):
        columns = {metric: f"{metric}/{layer}" for metric in (DORMANT, ZERO_GRADIENT)}
        found = _last(analysis, arm, game, columns)
        if found["seeds"]:
            place = {"arm": arm.name, "game": game, "layer": layer}
            rows.append({**place, "tau": analysis.tau, **found})
    return pd.DataFrame(rows if len(names) > 1 else [])


def _last(
    analysis: Analysis, arm: ArmSpec, game: str, columns: Mapping[str, str]
) -> dict[str, float]:
    """Return the last values of metrics with their intervals, and how many seeds."""
    row: dict[str, float] = {}
    seeds = 0
    for metric, column in columns.items():
        found = curve(analysis, arm, game, column)
        row |= in_columns(metric, found.y.at(-1) if found else statistics.NOTHING)
        seeds = values(analysis, arm, game, column).shape[1] if found else seeds
    return row | {"seeds": seeds}


def zero_gradient(analysis: Analysis) -> pd.DataFrame:
    """Return `zero_gradient.csv`: neurons without a gradient, and those dormant at 0.

    At another τ the two are not comparable: He, 2026 (arXiv 2603.21173), Theorem 1. One
    row per arm, data set and layer; empty where no finished run measured both.
    """
    rows = []
    for arm, game in itertools.product(analysis.study.arms, analysis.study.games):
        found: dict[str, list[dict[str, np.ndarray]]] = {}
        for run in analysis.finished(arm.name, game, counted=True):
            tables = {name: summary.per_layer(run, *x) for name, x in _AT_TAU_0.items()}
            for layer in tables["dormant"]:
                of_layer = {
                    name: x.get(layer, _NO_ROWS)["value"].dropna().to_numpy()
                    for name, x in tables.items()
                }
                if len(of_layer["dormant"]) and len(of_layer["zero_gradient"]):
                    found.setdefault(layer, []).append(of_layer)
        rows += [
            {"arm": arm.name, "game": game, "layer": layer} | _of_layer(runs)
            for layer, runs in found.items()
        ]
    return pd.DataFrame(rows)


def _of_layer(runs: Sequence[Mapping[str, np.ndarray]]) -> dict[str, float]:
    """Return a row of `zero_gradient`, of what each run measured by `_AT_TAU_0`."""

    def mean(name: str, values: Sequence[float], low: float = 0.0) -> dict[str, float]:
        return in_columns(name, statistics.t_interval(np.array(values)).clipped(low))

    row: dict[str, float] = {}
    for name in ("dormant", "zero_gradient"):
        row[f"{name}_first"] = float(np.mean([x[name][0] for x in runs]))
        row |= mean(name, [x[name][-1] for x in runs])
    growth = [x["zero_gradient"][-1] - x["zero_gradient"][0] for x in runs]
    row |= mean("growth", growth, -1.0)
    for name in ("one_set", "in_time"):
        found = pd.Series(np.concatenate([x[name] for x in runs]))
        row |= {"in_time": found.mean()} if name == "in_time" else {}
        row |= {f"{name}_lowest": found.min(), f"{name}_measurements": len(found)}
    return row | {"seeds": len(runs)}
