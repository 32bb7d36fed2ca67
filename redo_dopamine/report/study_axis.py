"""Draws what runs without scores ended with, along the study's own axis.

In: an `Analysis`. Out: a matplotlib Figure, or None where the study has no axis or no
run recorded what it shows. A panel is a metric.
"""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from redo_dopamine.report import study_progress, study_style
from redo_dopamine.report.analysis import Analysis
from redo_dopamine.report.statistics import Estimate

_METRICS = {
    study_progress.RETURN: "average return",
    study_progress.TEST_LOSS: "loss on inputs not trained on",
    study_progress.LOSS: "training loss",
    study_progress.DORMANT: "dormant fraction of neurons",
    study_progress.ZERO_GRADIENT: "zero-gradient fraction of neurons",
}


def ends(analysis: Analysis) -> Figure | None:
    """Draws the last iteration's metrics against the axis, a line per series."""
    study = analysis.study
    games = study_progress.games(analysis)
    columns = study_progress.table(analysis).columns
    there = [name for name in _METRICS if name in columns]
    if not (study.xs and games and there):
        return None
    text = f"{study.name}: at the end, against {study.axis}"
    if len(games) > 1:
        text += f", {games[0]}"
    figure, panels = study_style.panels(
        study, text, [_METRICS[name] for name in there], study.axis, "", share=False
    )
    for axes, name in zip(panels, there, strict=True):
        _draw(axes, analysis, games[0], name)
        study_style.set_axis(axes, study)
    study_style.legend(figure, study, study.arms)
    return figure


def _draw(axes: Axes, analysis: Analysis, game: str, metric: str) -> None:
    study = analysis.study
    for series in study.series:
        found = [
            (arm, end[0])
            for arm in study.arms
            if arm.series == series
            and arm.x is not None
            and (end := study_progress.at_the_end(analysis, arm, game, metric))
        ]
        if found:
            arms, ends = zip(*found, strict=True)
            estimate = Estimate(*(np.array(part) for part in zip(*ends, strict=True)))
            study_style.interval(
                axes,
                [study_style.place(study, arm) for arm in arms],
                estimate,
                color=study_style.colour(study, arms[0]),
                marker=study_style.marker(study, series),
                linestyle="-",
                gid="ours",
            )
