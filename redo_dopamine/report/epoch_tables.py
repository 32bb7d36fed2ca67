"""The tables of a study without scores: beside the paper's numbers, and at the end.

In: an `Analysis`. Out: DataFrames whose column names are ready to be read, and one for
a file.
"""

import numpy as np
import pandas as pd

from redo_dopamine.report import aggregates, markup, study_progress, study_tables
from redo_dopamine.report.aggregates import Estimate
from redo_dopamine.report.analysis import Analysis
from redo_dopamine.report.paper_values import PaperPoint
from redo_dopamine.report.study import Study
from redo_dopamine.report.study_progress import (
    ACCURACY,
    DORMANT,
    LOSS,
    RETURN,
    TEST_LOSS,
    ZERO_GRADIENT,
)

PAPER_NOTE = (
    "Fractions of all neurons. A peak is the highest value of those epochs: of each "
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
_FEW_SEEDS = 5


def beside_the_paper(analysis: Analysis) -> pd.DataFrame:
    """Returns one row per point of the paper; empty where there is none."""
    study = analysis.study
    labels = {arm.name: arm.label for arm in study.arms}
    rows = []
    for point in study.paper_curve:
        row: dict[str, str | None] = {
            "arm": labels[point.arm],
            "when": _when(study, point),
        }
        paper = f"the paper, {point.game}" if point.game else "the paper"
        row[paper] = markup.number(point.value, 2)
        for game in study.games:
            found = study_progress.beside(analysis, point, game)
            row[f"here, {game}"] = _shown(found)
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
                found = study_progress.at_the_end(analysis, arm, game, metric)
                row[heading] = found and _shown(found[0], _DIGITS.get(metric, ",.3f"))
                seeds = seeds if found is None else found[1]
            row["seeds"] = seeds
            rows.append(row)
    table = pd.DataFrame(rows).set_index("arm")
    return table.dropna(axis="columns", how="all")


def summary(analysis: Analysis) -> pd.DataFrame:
    """Returns `summary.csv`: `ends` as plain numbers, empty where there is none."""
    rows = []
    for arm in analysis.study.arms:
        for game in analysis.study.games:
            row: dict[str, object] = {"arm": arm.name, "game": game}
            seeds = 0
            for metric in _recorded(analysis):
                found = study_progress.at_the_end(analysis, arm, game, metric)
                for place, suffix in enumerate(("", "_low", "_high")):
                    row[metric + suffix] = float(found[0][place]) if found else np.nan
                seeds = found[1] if found else seeds
            rows.append(row | {"seeds": seeds})
    return pd.DataFrame(rows)


def _recorded(analysis: Analysis) -> list[str]:
    """The metrics of an epoch that some run has, and those that a file always has."""
    there = study_progress.table(analysis).columns
    return [metric for metric in _HEADINGS if metric in there]


def method(analysis: Analysis) -> str:
    """Returns how the numbers were computed, in sentences."""
    text = (
        f"Of the last {_one(analysis)}: the mean over the seeds of finished runs. In "
        "brackets: bootstrap 95% intervals by rliable (percentiles; "
        f"{analysis.repeats:,} repeats, random state {aggregates.RANDOM_STATE}), where "
        "there are two seeds or more."
    )
    if len(analysis.study.seeds) < _FEW_SEEDS:
        text += f" From fewer than {_FEW_SEEDS} seeds they tend to be too narrow."
    return text


def _one(analysis: Analysis) -> str:
    return "epoch" if analysis.study.unit == study_progress.EPOCHS else "iteration"


def _when(study: Study, point: PaperPoint) -> str:
    first, last = study_progress.stretch(study, point)
    if point.first == point.last:
        return f"epoch {first:,}"
    return f"peak, epoch {first:,}" + (f" to {last:,}" if last > first else "")


def _shown(estimate: Estimate | None, digits: str = ",.3f") -> str | None:
    if estimate is None:
        return None
    value, low, high = (float(end) for end in estimate)
    return study_tables.interval(value, low, high, digits)
