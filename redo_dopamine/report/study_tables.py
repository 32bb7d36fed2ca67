"""The tables of a study's page: scores, states of runs, and runs that do not count.

In: an `Analysis`. Out: DataFrames whose column names are ready to be read.
"""

import math

import pandas as pd

from redo_dopamine.report import aggregates, study_figures
from redo_dopamine.report.aggregates import Estimate
from redo_dopamine.report.analysis import Analysis
from redo_dopamine.report.study import Arm


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
            row[heading] = _estimate(of_arm[name]) if of_arm else None
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


def interval(
    value: float | None, low: float | None, high: float | None, digits: str = ",.3f"
) -> str | None:
    """Returns `0.41 [0.36, 0.46]`, or the number alone where it has no interval."""
    if value is None or math.isnan(value):
        return None
    shown = f"{value:{digits}}"
    if low is None or high is None or math.isnan(low):
        return shown
    return f"{shown} [{low:{digits}}, {high:{digits}}]"


def _estimate(estimate: Estimate) -> str | None:
    value, low, high = (float(end) for end in estimate)
    return interval(value, low, high)
