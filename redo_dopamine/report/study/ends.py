"""Where each arm ended, and was when others ended: means over runs, with intervals.

In: an `Analysis`. Out: `ends.csv` and the same as a table to read. Arms of different
replay ratios end after different numbers of gradient steps; so that they can be
compared when trained as often, each is read wherever some arm ended.
"""

import functools
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from redo_dopamine.report import metrics_csv, statistics, summary
from redo_dopamine.report.runs import Run
from redo_dopamine.report.study import curves, tables
from redo_dopamine.report.study.analysis import Analysis
from redo_dopamine.report.summary import BESIDE

ENDS = "ends.csv"
COLUMNS = ["arm", "game", "gradient_step", "metric", "mean", "low", "high", "runs"]
# What the table calls them, and their digits.
_RETURNS = {
    "return": ("return", ",.1f"),
    "eval_return": ("return of evaluation", ",.1f"),
    "train_return": ("return of training", ",.1f"),
}
_ALL_BUT_EQUAL = 1.05  # Iterations end with an episode, not all at one step.
METHOD = (
    "Means over the finished runs of an arm in a game; a return is the score's, before "
    "it is normalised. In brackets: Student's 95% interval, where there are two seeds "
    "or more; of a fraction, within 0 and 1. A row is where the arm ended, or where "
    "another arm of the game did: there its metrics are read on the line between two "
    "measurements. Ends within a twentieth count as one, the earliest."
)


# The file and the page ask for the same one.
@functools.lru_cache(maxsize=1)
def ends(analysis: Analysis) -> pd.DataFrame:
    """Returns `ends.csv`: a row per arm, game, gradient step and metric."""
    rows = []
    metrics = measured(curves.tau_of(analysis))
    _, beside = BESIDE[analysis.metric]
    finished = curves.finished_runs(analysis)
    for game in analysis.study.games:
        runs = {arm: games[game] for arm, games in finished.items() if game in games}
        ends = {arm: _end(of_arm) for arm, of_arm in runs.items()}
        for arm, of_arm in runs.items():
            key = {"arm": arm, "game": game}
            steps = [step for step in _apart(ends.values()) if step <= ends[arm]]
            for metric in ("return", beside):
                values = _returns(analysis, arm, game, metric)
                if len(values):
                    rows.append(key | _row(steps[-1], metric, values))
            for metric in metrics:
                for step in steps:
                    values = _at(of_arm, metric, step)
                    if len(values):
                        rows.append(key | _row(step, metric, values))
    return pd.DataFrame(rows, columns=COLUMNS)


def table(analysis: Analysis) -> pd.DataFrame:
    """Returns the same in words: a row per arm, game and step, a column per metric."""
    labels = {arm.name: arm.label for arm in analysis.study.arms}
    headings = _headings(curves.tau_of(analysis))
    rows: dict[tuple[str, str, int], dict[str, object]] = {}
    for row in ends(analysis).itertuples():
        key = labels[row.arm], row.game, row.gradient_step
        heading, digits = headings[row.metric]
        shown = tables.interval(row.mean, row.low, row.high, digits, row.runs)
        rows.setdefault(key, {})[heading] = shown
    found = pd.DataFrame(
        [
            {"game": game, "gradient steps": f"{step:,}", **cells}
            for (_, game, step), cells in rows.items()
        ],
        index=pd.Index([arm for arm, _, _ in rows], name="arm"),
        dtype=object,
    )
    return found.where(found.notna(), None)


def measured(tau: float | None) -> list[str]:
    """Returns the metrics of a run that are read."""
    return [name for name in _headings(tau) if name not in _RETURNS]


def _headings(tau: float | None) -> Mapping[str, tuple[str, str]]:
    """What the table calls each metric, and its digits."""
    found = dict(_RETURNS)
    if tau is not None:
        at = f"at τ = {tau:g}"
        found |= {
            f"dormant_fraction/{float(tau)}": (f"dormant {at}", ".3f"),
            f"dormant_fraction_after/{float(tau)}": (
                f"just after an intervention, {at}",
                ".3f",
            ),
        }
    return found | {"largest_q": ("largest Q", ",.1f")}


def _returns(analysis: Analysis, arm: str, game: str, column: str) -> np.ndarray:
    finished = [
        r.key for r in analysis.records if r.counts and r.key[:2] == (arm, game)
    ]
    return analysis.finals[column].reindex(finished).dropna().to_numpy()


def _end(runs: list[Run]) -> int:
    """Returns the gradient step at which the first of the runs ended."""
    return min(int(run.metrics["gradient_step"].max()) for run in runs)


def _apart(ends: Iterable[int]) -> list[int]:
    """Returns ends in rising order, of each that are all but equal the first."""
    kept: list[int] = []
    for end in sorted(ends):
        if not kept or end > _ALL_BUT_EQUAL * kept[-1]:
            kept.append(end)
    return kept


def _at(runs: list[Run], metric: str, step: int) -> np.ndarray:
    """Returns each run's value at a step, of runs that have measured it by then."""
    values = []
    for run in runs:
        rows = summary.series(run, metric).dropna(subset="value")
        if len(rows) and rows["gradient_step"].iloc[0] <= step:
            values.append(np.interp(step, rows["gradient_step"], rows["value"]))
    return np.array(values)


def _row(step: int, metric: str, values: np.ndarray) -> dict[str, object]:
    estimate = statistics.t_interval(values)
    if metrics_csv.is_fraction(metric):
        estimate = estimate.clipped()
    return {
        "gradient_step": step,
        "metric": metric,
        "mean": float(estimate.value),
        "low": float(estimate.low),
        "high": float(estimate.high),
        "runs": len(values),
    }
