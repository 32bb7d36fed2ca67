"""Draws a study's own figure: IQM along its axis, or by arm, beside the paper's.

In: an `Analysis`. Out: a matplotlib Figure, or None where there is no aggregate.
"""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from redo_dopamine.report import study_style, style
from redo_dopamine.report.analysis import Analysis
from redo_dopamine.report.statistics import Estimate
from redo_dopamine.report.study import Arm
from redo_dopamine.report.study_figures import iqm

# Beside numbers that spread over more than this many times ours, ours are a line.
_TOO_SMALL = 4
_BOTH = "beside the paper's"
_OURS = "these runs alone, enlarged"


def headline(analysis: Analysis) -> Figure | None:
    """Draws the IQM of every arm.

    Where the paper's numbers would flatten ours, a second panel shows ours alone.
    """
    study = analysis.study
    if not analysis.aggregates:
        return None
    draw = _along_axis if study.xs else _by_arm
    names = [_BOTH, _OURS] if _needs_second_panel(analysis) else [_BOTH]
    text = f"{study.name}: IQM {'against' if study.xs else 'by'} {study.axis}"
    label = study.axis if study.xs else ""
    score = iqm(analysis)
    figure, panels = study_style.panels(study, text, names, label, score, share=False)
    if len(names) > 1:
        figure.set_figheight(figure.get_figheight() + 0.4)
    for axes, name in zip(panels, names, strict=True):
        draw(axes, analysis, name == _BOTH)
        axes.axhline(0, color="#999999", linewidth=0.8, zorder=0)
    _legend(figure, analysis)
    return figure


def _needs_second_panel(analysis: Analysis) -> bool:
    iqms = [of_arm["iqm"] for of_arm in analysis.aggregates.values()]
    ours = np.array([0.0, *(float(end) for iqm in iqms for end in iqm)])
    paper = [value.value or 0.0 for value in analysis.study.paper]
    spread = float(np.nanmax(ours) - np.nanmin(ours))
    return max(paper, default=0.0) > _TOO_SMALL * spread


def _along_axis(axes: Axes, analysis: Analysis, with_paper: bool) -> None:
    """Draws one line per series; an arm without a place is a line across."""
    study = analysis.study
    for rank, series in enumerate(study.series):
        arms = [arm for arm in study.arms if arm.series == series]
        placed = sorted((a for a in arms if a.x is not None), key=lambda a: a.x or 0.0)
        aside = rank - (len(study.series) - 1) / 2
        _ours(axes, analysis, placed, aside)
        if with_paper:
            _paper(axes, analysis, placed, aside + 0.5)
        for arm in arms:
            if arm.x is None and arm.name in analysis.aggregates:
                value = float(analysis.aggregates[arm.name]["iqm"].value)
                colour = study_style.colour(study, arm)
                axes.axhline(value, color=colour, linestyle="--", linewidth=1.5)
    study_style.set_axis(axes, study)


def _ours(axes: Axes, analysis: Analysis, arms: list[Arm], aside: float) -> None:
    there = [arm for arm in arms if arm.name in analysis.aggregates]
    if there:
        iqms = [analysis.aggregates[arm.name]["iqm"] for arm in there]
        estimate = Estimate(*(np.array(ends) for ends in zip(*iqms, strict=True)))
        look = {"linestyle": "-", "linewidth": 1.8, "gid": "ours"}
        _marked(axes, analysis, there, estimate, aside, look)


def _paper(axes: Axes, analysis: Analysis, arms: list[Arm], aside: float) -> None:
    known = {value.arm: value for value in analysis.study.paper}
    told = [arm for arm in arms if arm.name in known]
    if told:
        estimate = study_style.paper_estimate([known[arm.name] for arm in told])
        look = {"linestyle": ":", "linewidth": 1.0, "gid": "paper"}
        look["markerfacecolor"] = "white"
        _marked(axes, analysis, told, estimate, aside, look)


def _marked(
    axes: Axes,
    analysis: Analysis,
    arms: list[Arm],
    estimate: Estimate,
    aside: float,
    look: dict[str, Any],
) -> None:
    """Draws the points of a series, `aside` marks beside their places."""
    study = analysis.study
    x = [study_style.place(study, arm, aside) for arm in arms]
    look = {
        "color": study_style.colour(study, arms[0]),
        "marker": study_style.marker(study, arms[0].series),
        "markersize": 7,
    } | look
    study_style.interval(axes, x, estimate, **look)


def _by_arm(axes: Axes, analysis: Analysis, with_paper: bool) -> None:
    """Draws a bar per arm, with the paper's number beside it."""
    study = analysis.study
    known = {value.arm: value for value in study.paper}
    for place, arm in enumerate(study.arms):
        colour = study_style.colour(study, arm)
        if arm.name in analysis.aggregates:
            estimate = analysis.aggregates[arm.name]["iqm"]
            axes.bar(place, float(estimate.value), width=0.5, color=colour, alpha=0.75)
            look: dict[str, Any] = {"color": "#222222", "linestyle": "none"}
            study_style.interval(axes, place, estimate, gid="ours", **look)
        if with_paper and arm.name in known:
            look = {"color": colour, "marker": "o", "markersize": 7, "gid": "paper"}
            look |= {"markerfacecolor": "white", "linestyle": "none"}
            estimate = study_style.paper_estimate([known[arm.name]])
            study_style.interval(axes, place + 0.36, estimate, **look)
    panels = len(axes.figure.axes)
    style.name_places(axes, [arm.label for arm in study.arms], panels)


def _legend(figure: Figure, analysis: Analysis) -> None:
    """Names the series, and tells our points from the paper's."""
    study = analysis.study
    grey: dict[str, Any] = {"color": style.SHARED, "linestyle": "none"}
    grey |= {"marker": "o" if study.xs else "s", "markersize": 7}
    marks = [Line2D([], [], label="these runs", **grey)]
    if study.paper:
        grey |= {"marker": "o", "markerfacecolor": "white"}
        marks.append(Line2D([], [], label="the paper", **grey))
    if study.xs:
        study_style.legend(figure, study, study.arms, marks)
    else:
        style.legend_of(figure, marks, [str(mark.get_label()) for mark in marks])
