"""The tables of a study without scores: beside the paper's numbers, and at the end.

In: an `Analysis`. Out: DataFrames whose column names are ready to be read, and those of
files.
"""

import itertools
import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from redo_dopamine.report import html, statistics
from redo_dopamine.report.statistics import Estimate
from redo_dopamine.report.study import (
    aggregates,
    curves,
    score_figures,
)
from redo_dopamine.report.study.analysis import Analysis
from redo_dopamine.report.study.curves import (
    ACCURACY,
    DORMANT,
    LOSS,
    RETURN,
    TEST_LOSS,
    ZERO_GRADIENT,
)
from redo_dopamine.report.study.scores import Matrix
from redo_dopamine.report.study.spec import Arm, PaperPoint, Study
from redo_dopamine.report.summary import EVALUATION, TRAINING

# What the other kind of return is called, by the metric that is the score.
_BESIDE = {TRAINING: "evaluation", EVALUATION: "training"}


def summary_table(analysis: Analysis) -> tuple[pd.DataFrame, dict[str, int]]:
    """Returns the aggregates in words, one row per arm, and the table's decimals."""
    paper = {value.arm: value for value in analysis.study.paper}
    rows = []
    for arm in analysis.study.arms:
        of_arm = analysis.aggregates.get(arm.name, {})
        matrix = analysis.matrices.get(arm.name)
        row: dict[str, object] = {"arm": arm.label}
        for name in aggregates.METRICS:
            heading = score_figures.NAMES[name]
            row[heading] = _estimate(of_arm[name], matrix) if of_arm else None
        if analysis.beside:
            beside = analysis.beside.get(arm.name)
            row[f"IQM by {_BESIDE[analysis.metric]}"] = (
                _estimate(beside, matrix) if beside else None
            )
        value = paper.get(arm.name)
        if analysis.study.paper:
            row["IQM in the paper"] = (
                interval(value.value, value.low, value.high) if value else None
            )
        size = None
        if matrix:
            size = f"{matrix.final.size} ({len(matrix.games)} × {len(matrix.seeds)})"
        row["runs (games × seeds)"] = size
        rows.append(row)
    return pd.DataFrame(rows).set_index("arm"), {}


def problem_table(analysis: Analysis) -> pd.DataFrame:
    """Returns every run that does not count, with its state and the reason."""
    labels = {arm.name: arm.label for arm in analysis.study.arms}
    rows = [
        {
            "run": "/".join(record.key),
            "arm": labels[record.arm],
            "state": record.state,
            "reason": record.reason,
        }
        for record in analysis.records
        if not record.counts
    ]
    return pd.DataFrame(rows, columns=["run", "arm", "state", "reason"]).set_index(
        "run"
    )


def state_table(analysis: Analysis) -> tuple[pd.DataFrame, dict[str, int]]:
    """Returns how many runs of each arm are in which state, and the decimals."""
    states = list(dict.fromkeys(["done", *(r.state for r in analysis.records)]))

    def count(arm: Arm, state: str) -> float:
        return sum(r.arm == arm.name and r.state == state for r in analysis.records)

    arms = analysis.study.arms
    table = pd.DataFrame(
        [[count(arm, state) for state in states] for arm in arms],
        index=pd.Index([arm.label for arm in arms], name="arm"),
        columns=states,
    )
    return table, dict.fromkeys(states, 0)


def comparison_table(analysis: Analysis) -> pd.DataFrame:
    """Returns what the tests say of each series over the first of its group."""
    beside = {x[:3]: x for x in analysis.beside_improvements}
    rows = []
    for x in analysis.improvements:
        few = min(x.runs)
        row: dict[str, object] = {
            "": f"{x.arm.label} > {x.over.label}",
            "P(X > Y)": shown(x.probability, few),
            "p": f"{x.p:.3f}",
            "difference": shown(x.difference, few),
        }
        if analysis.beside_improvements:
            other, kind = beside.get(x[:3]), _BESIDE[analysis.metric]
            row[f"P(X > Y) by {kind}"] = other and shown(
                other.probability, min(other.runs)
            )
            row[f"p by {kind}"] = other and f"{other.p:.3f}"
        rows.append(row)
    return pd.DataFrame(rows).set_index("") if rows else pd.DataFrame()


def interval(
    value: float | None,
    low: float | None,
    high: float | None,
    digits: str = ",.3f",
    runs: int | None = None,
) -> str | None:
    """Returns `0.41 [0.36, 0.46]`, or the number alone where it has no interval.

    Args:
        value: None or NaN where there is none.
        low: likewise.
        high: likewise.
        digits: how numbers are formatted.
        runs: how many it is of, which is said where they are few.
    """
    if value is None or math.isnan(value):
        return None
    text = f"{value:{digits}}"
    if not (low is None or high is None or math.isnan(low)):
        text += f" [{low:{digits}}, {high:{digits}}]"
    few = runs is not None and runs < statistics.FEW_RUNS
    return f"{text} (n = {runs})" if few else text


def shown(estimate: Estimate, runs: int | None, digits: str = ",.3f") -> str | None:
    """Returns an estimate as `interval` shows it."""
    value, low, high = (float(end) for end in estimate)
    return interval(value, low, high, digits, runs)


def _estimate(estimate: Estimate, matrix: Matrix | None) -> str | None:
    return shown(estimate, len(matrix.seeds) if matrix else None)


PAPER_NOTE = (
    "Fractions of all neurons. Where the paper's τ is another one than that of the "
    "runs here, or not known, the two cannot be compared in size, and no figure shows "
    "the paper's. A peak is the highest value of those epochs: of each "
    "run here, of the curve in the paper. Epochs are those of the runs here; in a "
    "scaled run, those at the same part of it."
)
_HEADINGS = {
    RETURN: "average return",
    DORMANT: "dormant fraction",
    ZERO_GRADIENT: "zero-gradient fraction",
    ACCURACY: "accuracy",
    LOSS: "loss",
    TEST_LOSS: "test loss",
}
# A loss may be of any size, so it has significant digits; fractions are shares.
_DIGITS = {LOSS: ",.3g", TEST_LOSS: ",.3g", RETURN: ",.1f"}
_ENDS = ("", "_low", "_high")  # Of an estimate, as columns of a file.
UNKNOWN = "not known"


def beside_the_paper(analysis: Analysis) -> pd.DataFrame:
    """Returns one row per point of the paper; empty where there is none."""
    study = analysis.study
    labels = {arm.name: arm.label for arm in study.arms}
    tau = curves.tau_of(analysis)
    at = "" if tau is None else f", τ = {tau:g}"
    rows = []
    for point in study.paper_curve:
        row: dict[str, str | None] = {
            "arm": labels[point.arm],
            "when": _when(study, point),
        }
        paper = f"the paper, {point.game}" if point.game else "the paper"
        row[paper] = html.number(point.value, 2)
        row["its τ"] = UNKNOWN if point.tau is None else f"{point.tau:g}"
        for game in study.games:
            found = curves.beside(analysis, point, game)
            row[f"here, {game}{at}"] = _shown(found)
        rows.append(row)
    return pd.DataFrame(rows).set_index("arm") if rows else pd.DataFrame()


def ends(analysis: Analysis) -> pd.DataFrame:
    """Returns the last epoch's metrics, one row per arm and data set.

    A metric that no run has is left out.
    """
    study = analysis.study
    rows = []
    for arm in study.arms:
        for game in study.games:
            row: dict[str, object] = {"arm": arm.label, "data set": game}
            seeds = 0
            for metric, heading in _HEADINGS.items():
                found = curves.at_the_end(analysis, arm, game, metric)
                row[heading] = _shown(found, _DIGITS.get(metric, ",.3f"))
                seeds = seeds if found is None else found[1]
            row["seeds"] = seeds
            rows.append(row)
    table = pd.DataFrame(rows).set_index("arm")
    return table.dropna(axis="columns", how="all")


def summary(analysis: Analysis) -> pd.DataFrame:
    """Returns `summary.csv`: `ends` as plain numbers, empty where there is none."""
    metrics = {metric: metric for metric in _recorded(analysis)}
    rows = [
        {"arm": arm.name, "game": game} | _numbers(analysis, arm, game, metrics)
        for arm in analysis.study.arms
        for game in analysis.study.games
    ]
    return pd.DataFrame(rows)


def by_layer(analysis: Analysis) -> pd.DataFrame:
    """Returns `layers.csv`: the last fractions of neurons, one row per arm and layer.

    Empty where fewer than two layers were recorded.
    """
    study = analysis.study
    layers = curves.layers(analysis, DORMANT)
    rows = []
    for arm, game, layer in itertools.product(study.arms, study.games, layers):
        numbers = _numbers(analysis, arm, game, _of_layer(layer))
        if numbers["seeds"]:
            rows.append({"arm": arm.name, "game": game, "layer": layer} | numbers)
    return pd.DataFrame(rows if len(layers) > 1 else [])


def layer_table(analysis: Analysis) -> pd.DataFrame:
    """Returns the same in words."""
    labels = {arm.name: arm.label for arm in analysis.study.arms}
    rows = []
    for row in by_layer(analysis).to_dict("records"):
        words: dict[str, object] = {
            _HEADINGS[metric]: interval(
                row[metric],
                row[f"{metric}_low"],
                row[f"{metric}_high"],
                runs=int(row["seeds"]),
            )
            for metric in (DORMANT, ZERO_GRADIENT)
        }
        place = {"data set": row["game"], "layer": row["layer"]}
        rows.append({"arm": labels[row["arm"]], **place, **words})
    return pd.DataFrame(rows).set_index("arm") if rows else pd.DataFrame()


def layer_section(analysis: Analysis, file: str) -> list[str]:
    """Returns that table and a link to its file, as HTML; empty without one."""
    found = layer_table(analysis)
    if not len(found):
        return []
    links = html.links([file], "As a file")
    return ["<h3>By layer</h3>", html.table(found, {}), links]


def _of_layer(layer: str) -> dict[str, str]:
    """Returns the columns of a layer by metric."""
    return {metric: f"{metric}/{layer}" for metric in (DORMANT, ZERO_GRADIENT)}


def _numbers(
    analysis: Analysis, arm: Arm, game: str, columns: Mapping[str, str]
) -> dict[str, float]:
    """Returns the last values of metrics with their intervals, and how many seeds."""
    row: dict[str, float] = {}
    seeds = 0
    for metric, column in columns.items():
        found = curves.at_the_end(analysis, arm, game, column)
        for place, suffix in enumerate(_ENDS):
            row[metric + suffix] = float(found[0][place]) if found else np.nan
        seeds = found[1] if found else seeds
    return row | {"seeds": seeds}


def _recorded(analysis: Analysis) -> list[str]:
    """The metrics of an epoch that some run has, and those that a file always has."""
    there = curves.table(analysis).columns
    return [metric for metric in _HEADINGS if metric in there]


def method(analysis: Analysis) -> str:
    """Returns how the numbers were computed, in sentences."""
    return (
        f"Of the last {_one(analysis)}: the mean over the seeds of finished runs. In "
        "brackets: Student's 95% interval, where there are two seeds or more; of a "
        "fraction, within 0 and 1. The number of seeds, n, is given where it is below "
        f"{statistics.FEW_RUNS}."
    )


def _one(analysis: Analysis) -> str:
    return "epoch" if analysis.study.unit == curves.EPOCHS else "iteration"


def _when(study: Study, point: PaperPoint) -> str:
    first, last = curves.stretch(study, point)
    if point.first == point.last:
        return f"epoch {first:,}"
    return f"peak, epoch {first:,}" + (f" to {last:,}" if last > first else "")


def _shown(found: tuple[Estimate, int] | None, digits: str = ",.3f") -> str | None:
    if found is None:
        return None
    estimate, seeds = found
    return shown(estimate, seeds, digits)
