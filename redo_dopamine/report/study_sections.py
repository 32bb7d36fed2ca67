"""What a study's page shows, in its order: figures with captions, and tables.

In: an `Analysis`. Out: `StudySection` values and DataFrames whose column names are
ready to be read.
"""

import dataclasses
import math
from collections.abc import Callable

import pandas as pd
from matplotlib.figure import Figure

from redo_dopamine.report import (
    aggregates,
    study_dormancy,
    study_epochs,
    study_figures,
    study_headline,
)
from redo_dopamine.report.aggregates import Estimate
from redo_dopamine.report.analysis import Analysis
from redo_dopamine.report.study import Arm, Study

_BANDS = "Bands are the 95% intervals, where there are two seeds or more."


@dataclasses.dataclass(frozen=True)
class StudySection:
    """One figure of the page.

    Attributes:
      slug: The name of its files, without the ending.
      heading: What it is about.
      caption: How to read it.
      draw: Draws it; None where there is nothing to show.
      needs: What it is drawn from, in words.
    """

    slug: str
    heading: str
    caption: str
    draw: Callable[[Analysis], Figure | None]
    needs: str


_MATRIX = "a seed that is finished in every game"

SECTIONS = (
    StudySection(
        "headline",
        "The study's figure",
        "The interquartile mean (IQM) of the final human-normalised score: filled "
        "markers and bars are these runs, with 95% intervals where there are two "
        "seeds or more; hollow markers are the paper's numbers and intervals, where "
        "it gives them. Markers at one place of the axis stand a little apart.",
        study_headline.headline,
        _MATRIX,
    ),
    StudySection(
        "aggregates",
        "Aggregates",
        "The line is the value, the bar its 95% interval. IQM: the mean of the middle "
        "half of all runs. Median and mean: over games, of the mean over seeds. "
        "Optimality gap: how far runs fall short of 1, a human's score, on average; "
        "less is better. Each panel has a scale of its own.",
        study_figures.aggregates,
        _MATRIX,
    ),
    StudySection(
        "sample_efficiency",
        "Sample efficiency",
        f"The IQM at each evaluation point that every run has a return at. {_BANDS} "
        "All panels have the same scales.",
        study_figures.sample_efficiency,
        f"{_MATRIX}, with a return at every point",
    ),
    StudySection(
        "dormant_fraction",
        "Dormant neurons during training",
        "The fraction of all neurons whose dormancy score is at most τ: the mean over "
        "all finished runs, and a band of one standard deviation over runs to either "
        "side. An arm that recycles is measured just before a recycle.",
        study_dormancy.dormant_curves,
        "dormant_fraction/<tau>",
    ),
    StudySection(
        "dormant_at_the_end",
        "Dormant neurons at the end",
        "The last measurement of each finished run (dots) and their mean. Hollow "
        "markers are the ends of the paper's range, which it gives for one game.",
        study_dormancy.dormant_at_the_end,
        "dormant_fraction/<tau>",
    ),
    StudySection(
        "performance_profiles",
        "Performance profiles",
        "The fraction of runs, over all games and seeds, whose final score is above "
        f"τ: a curve further to the right is better. {_BANDS}",
        study_figures.profiles,
        _MATRIX,
    ),
    StudySection(
        "probability_of_improvement",
        "Probability of improvement",
        "How likely a run of the first-named arm scores higher than one of the other "
        "in the same game, as a mean over games; ties count half. At 0.5, the dashed "
        "line, neither is better.",
        study_figures.improvement,
        "two series to compare",
    ),
)
_OVER_SEEDS = (
    "The mean over the seeds of each arm. Bands are 95% bootstrap intervals of it, "
    "where there are two seeds or more."
)
# Of studies without scores.
EPOCH_SECTIONS = (
    StudySection(
        "dormant_fraction",
        "Dormant neurons by epoch",
        "The fraction of all neurons whose dormancy score is at most τ, at the end of "
        f"each epoch. {_OVER_SEEDS} Hollow markers are the paper's: one alone is a "
        "measurement; a dotted line spans the epochs of which it is the peak. In a "
        "scaled run they stand at the same part of the run.",
        study_epochs.dormant,
        "dormant_fraction/<tau>",
    ),
    StudySection(
        "accuracy",
        "Accuracy by epoch",
        "The share of the training images that were classified as their labels say, "
        f"each just before the update on it. {_OVER_SEEDS}",
        study_epochs.accuracy,
        "train/accuracy",
    ),
    StudySection(
        "loss",
        "Loss by epoch",
        "The mean loss of the training examples, each just before the update on it. "
        f"{_OVER_SEEDS}",
        study_epochs.loss,
        "loss",
    ),
)


def of(study: Study) -> tuple[StudySection, ...]:
    """Returns the sections of a study's page."""
    return SECTIONS if study.scored else EPOCH_SECTIONS


def caption(analysis: Analysis, text: str) -> str:
    """Returns a caption that ends with the scale, where it is not the paper's."""
    warning = analysis.study.warning
    return f"{text} Scaled: {warning}." if warning else text


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
