"""The tables of a study's page: scores, states of runs, and runs that do not count.

In: an `Analysis`. Out: DataFrames whose column names are ready to be read.
"""

import math

import pandas as pd

from redo_dopamine.report import aggregates, statistics, study_figures
from redo_dopamine.report.analysis import Analysis
from redo_dopamine.report.points import EVALUATION, TRAINING
from redo_dopamine.report.scores import Matrix
from redo_dopamine.report.statistics import Estimate
from redo_dopamine.report.study import Arm

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
            heading = study_figures.NAMES[name]
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
