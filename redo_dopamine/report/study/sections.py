"""What a study's page shows, in its order: figures with captions.

In: a `Study`. Out: `StudySection` values.
"""

import dataclasses
from collections.abc import Callable

from matplotlib.figure import Figure

from redo_dopamine.report.study import curve_figures, dormancy_figures, score_figures
from redo_dopamine.report.study import curve_figures as study_epochs
from redo_dopamine.report.study import dormancy_figures as study_updates
from redo_dopamine.report.study import score_figures as study_headline
from redo_dopamine.report.study.analysis import Analysis
from redo_dopamine.report.study.spec import Study

_BANDS = "Bands are the 95% intervals, where there are two seeds or more."


@dataclasses.dataclass(frozen=True)
class StudySection:
    """One figure of the page.

    Attributes:
        slug: the name of its files, without the ending.
        heading: what it is about.
        caption: how to read it.
        draw: draws it; None where there is nothing to show.
        needs: what it is drawn from, in words; empty where the page need not say that
            it is lacking.
    """

    slug: str
    heading: str
    caption: str
    draw: Callable[[Analysis], Figure | None]
    needs: str = ""


_MATRIX = "a seed that is finished in every game"

SECTIONS = (
    StudySection(
        "headline",
        "The study's figure",
        "The interquartile mean (IQM) of the final normalised score: filled "
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
        "Optimality gap: how far runs fall short of a score of 1, on average; less is "
        "better. Each panel has a scale of its own.",
        score_figures.aggregates,
        _MATRIX,
    ),
    StudySection(
        "sample_efficiency",
        "Sample efficiency",
        f"The IQM at each evaluation point that every run has a return at. {_BANDS} "
        "All panels have the same scales.",
        score_figures.sample_efficiency,
        f"{_MATRIX}, with a return at every point",
    ),
    StudySection(
        "dormant_fraction",
        "Dormant neurons during training",
        "The fraction of all neurons whose dormancy score is at most τ: the mean over "
        "all finished runs. An arm that recycles is measured just before a recycle. "
        + _BANDS,
        dormancy_figures.dormant_curves,
        "dormant_fraction/<tau>",
    ),
    StudySection(
        "dormant_at_the_end",
        "Dormant neurons at the end",
        "The last measurement of each finished run (dots) and their mean. Hollow "
        "markers are the ends of the paper's range, which it gives for one game; what "
        "it measured at another τ, or at one that is not known, is not shown.",
        dormancy_figures.dormant_at_the_end,
        "dormant_fraction/<tau>",
    ),
    StudySection(
        "dormant_by_gradient_step",
        "Dormant neurons by gradient steps",
        "As above, against the gradient updates made: at the same place, arms of all "
        f"replay ratios have been trained as often. {_BANDS}",
        study_updates.dormant,
        "dormant_fraction/<tau>",
    ),
    StudySection(
        "dormant_after",
        "Dormant neurons just after an intervention",
        "On the same states as the measurement before it: beside weights that have "
        "grown, a newly drawn neuron can have a low score, and count as dormant again "
        f"at once. {_BANDS}",
        study_updates.dormant_after,
    ),
    StudySection(
        "largest_q",
        "Largest Q-value",
        "Of the states that are measured. Where it is above every return that can be "
        f"had, values are over-estimated. {_BANDS}",
        study_updates.largest_q,
    ),
    StudySection(
        "performance_profiles",
        "Performance profiles",
        "The fraction of runs, over all games and seeds, whose final score is above "
        f"τ: a curve further to the right is better. {_BANDS} Of one game they are "
        "Clopper and Pearson's.",
        score_figures.profiles,
        _MATRIX,
    ),
    StudySection(
        "probability_of_improvement",
        "Probability of improvement",
        "How likely a run of the first-named arm scores higher than one of the other "
        "in the same game, as a mean over games; ties count half. At 0.5, the dashed "
        "line, neither is better. p is of the exact rank test, two-sided; over several "
        "games the bar is a bootstrap 95% interval.",
        score_figures.improvement,
        "two series to compare",
    ),
)
_OVER_SEEDS = (
    "The mean over the seeds of each arm. Bands are Student's 95% intervals of it, "
    "where there are two seeds or more."
)
# Of studies without scores.
EPOCH_SECTIONS = (
    StudySection(
        "ends",
        "At the end, along the study's axis",
        "The last iteration's metrics, against what the arms differ in. Means over the "
        f"seeds of finished runs. {_BANDS}",
        curve_figures.ends,
        "an axis",
    ),
    StudySection(
        "average_return",
        "Return along training",
        "The mean return of the training episodes that ended in an iteration, in true "
        f"rewards. {_OVER_SEEDS}",
        study_epochs.returns,
        "train/average_return",
    ),
    StudySection(
        "dormant_fraction",
        "Dormant neurons along training",
        "The fraction of all neurons whose dormancy score is at most τ, when last "
        f"measured. {_OVER_SEEDS} Hollow markers, if any, are the paper's at this "
        "τ: one alone is a measurement; a dotted line spans the epochs of which it is "
        "the peak. In a scaled run they stand at the same part of the run.",
        study_epochs.dormant,
        "dormant_fraction/<tau>",
    ),
    StudySection(
        "accuracy",
        "Accuracy along training",
        "The share of the training images that were classified as their labels say, "
        f"each just before the update on it. {_OVER_SEEDS}",
        study_epochs.accuracy,
        "train/accuracy",
    ),
    StudySection(
        "loss",
        "Loss along training",
        "The loss that the updates descend: of an epoch, the mean over its examples, "
        f"each just before the update on it; of an agent, the last one. {_OVER_SEEDS}",
        study_epochs.loss,
        "loss",
    ),
    StudySection(
        "test_loss",
        "Loss on inputs not trained on",
        f"Of the task that is learned last, at the end of each epoch. {_OVER_SEEDS}",
        study_epochs.test_loss,
        "test_loss",
    ),
    StudySection(
        "zero_gradient_fraction",
        "Zero-gradient neurons along training",
        "The fraction of all neurons whose MAGI, the mean gradient of their layer's "
        "own output in their incoming weights, is at most the threshold that the runs "
        f"log. {_OVER_SEEDS}",
        study_epochs.zero_gradient,
        "zero_gradient_fraction",
    ),
    StudySection(
        "dormant_by_layer",
        "Dormant neurons by layer",
        f"As above, of each layer by itself. {_OVER_SEEDS}",
        study_epochs.dormant_by_layer,
        "dormant_fraction/<tau>/<layer> of two layers or more",
    ),
    StudySection(
        "zero_gradient_by_layer",
        "Zero-gradient neurons by layer",
        f"As above, of each layer by itself. {_OVER_SEEDS}",
        study_epochs.zero_gradient_by_layer,
        "zero_gradient_fraction/<layer> of two layers or more",
    ),
)


def of(study: Study) -> tuple[StudySection, ...]:
    """Returns the sections of a study's page."""
    return SECTIONS if study.scored else EPOCH_SECTIONS


def caption(analysis: Analysis, text: str) -> str:
    """Returns a caption that ends with the scale, where it is not the paper's."""
    warning = analysis.study.warning
    return f"{text} Scaled: {warning}." if warning else text
