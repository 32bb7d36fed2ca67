"""Draws a study's own figure: IQM along its axis, or by arm, beside the paper's.

In: an `Analysis`. Out: a matplotlib Figure, or None where there is no aggregate.
"""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from redo_dopamine.report import style
from redo_dopamine.report.statistics import Estimate
from redo_dopamine.report.study import arm_style
from redo_dopamine.report.study.analysis import Analysis
from redo_dopamine.report.study.spec import Arm

NAMES = {
    "iqm": "IQM",
    "median": "median",
    "mean": "mean",
    "optimality_gap": "optimality gap",
}


def score(analysis: Analysis) -> str:
    """Returns what an axis of scores is."""
    return f"{analysis.scale.name} score"


def iqm(analysis: Analysis) -> str:
    """Returns what an axis of their interquartile means is."""
    return f"IQM of {score(analysis)}"


def aggregates(analysis: Analysis) -> Figure | None:
    """Draws all four aggregates, one row per arm."""
    study = analysis.study
    arms = [arm for arm in study.arms if arm.name in analysis.aggregates]
    if not arms:
        return None
    figure, panels = arm_style.panels(
        study,
        f"{study.name}: aggregates over runs",
        list(NAMES.values()),
        score(analysis),
        "",
        share=False,
    )
    figure.set_figheight(2 * (0.75 + 0.3 * len(arms)) + 0.9)
    for axes, name in zip(panels, NAMES, strict=True):
        for row, arm in enumerate(arms):
            estimate = analysis.aggregates[arm.name][name]
            look: dict[str, Any] = {
                "color": arm_style.colour(study, arm),
                "gid": name,
            }
            axes.barh(
                row,
                float(estimate.high - estimate.low),
                left=estimate.low,
                height=0.62,
                alpha=0.3,
                **look,
            )
            axes.plot([estimate.value] * 2, [row - 0.31, row + 0.31], lw=2.5, **look)
        axes.xaxis.set_major_formatter(_plain)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.grid(axis="y", visible=False)
        axes.grid(axis="x", visible=True)
        axes.set_yticks(range(len(arms)), [style.plain(arm.label) for arm in arms])
        axes.set_ylim(len(arms) - 0.5, -0.5)
        axes.tick_params(labelleft=axes in panels[::2])
    return figure


def sample_efficiency(analysis: Analysis) -> Figure | None:
    """Draws the IQM along training, a panel per group of arms."""
    study = analysis.study
    names = [g for g, arms in study.groups.items() if _any(arms, analysis.curves)]
    if not names:
        return None
    played = " played" if study.units_per_step > 1 else ""
    figure, panels = arm_style.panels(
        study,
        f"{study.name}: IQM against {study.unit}{played}",
        names,
        study.length_label,
        iqm(analysis),
    )
    for axes, name in zip(panels, names, strict=True):
        for arm in study.groups[name]:
            if arm.name in analysis.curves:
                frames = analysis.matrices[arm.name].frames
                look = _look(analysis, arm)
                arm_style.band(axes, frames, analysis.curves[arm.name], **look)
    _legend(figure, analysis, names)
    return figure


def profiles(analysis: Analysis) -> Figure | None:
    """Draws the fraction of runs above each score, a panel per group of arms."""
    study = analysis.study
    names = [g for g, arms in study.groups.items() if _any(arms, analysis.profiles)]
    if not names:
        return None
    figure, panels = arm_style.panels(
        study,
        f"{study.name}: performance profiles",
        names,
        f"{score(analysis)} τ",
        "fraction of runs with score > τ",
    )
    thresholds = analysis.thresholds
    for axes, name in zip(panels, names, strict=True):
        for arm in study.groups[name]:
            if arm.name in analysis.profiles:
                estimate = analysis.profiles[arm.name]
                look = _look(analysis, arm)
                arm_style.band(axes, thresholds, estimate, **look)
        axes.xaxis.set_major_formatter(_plain)
        axes.set_ylim(-0.03, 1.03)
    _legend(figure, analysis, names)
    return figure


def improvement(analysis: Analysis) -> Figure | None:
    """Draws the probability that an arm's run beats one of the first series."""
    study, found = analysis.study, analysis.improvements
    if not found:
        return None
    figure, (axes,) = arm_style.panels(
        study, f"{study.name}: probability of improvement", ["P"], "P(X > Y)", ""
    )
    figure.set_figheight(1.9 + 0.42 * len(found))
    for row, x in enumerate(found):
        colour = arm_style.colour(study, x.arm)
        _bar(axes, row, x.probability, colour, "improvement")
    axes.axvline(0.5, color="#555555", linewidth=1, linestyle="--")
    axes.set_xlim(-0.02, 1.02)
    axes.set_xticks(np.linspace(0, 1, 5))
    axes.xaxis.set_major_formatter(_plain)
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x", visible=True)
    labels = [
        style.plain(f"{x.arm.label}  >  {x.over.label}") + f"\np = {x.p:.3f}"
        for x in found
    ]
    axes.set_yticks(range(len(found)), labels)
    axes.set_ylim(len(found) - 0.5, -0.5)
    return figure


def _bar(axes: Axes, row: int, estimate: Estimate, colour: str, gid: str) -> None:
    """Draws a value as an upright line, within the bar of its interval."""
    low, high = float(estimate.low), float(estimate.high)
    if np.isfinite(low):
        bar = axes.barh(row, high - low, left=low, height=0.6, color=colour, alpha=0.3)
        # A bar's end would stick to the panel's edge.
        bar[0].sticky_edges.x.clear()
    ends = [row - 0.3, row + 0.3]
    axes.plot([estimate.value] * 2, ends, linewidth=2.5, color=colour, gid=gid)


def _look(analysis: Analysis, arm: Arm) -> dict[str, Any]:
    """Returns the look of an arm in a panel of its group: colour tells the series."""
    study = analysis.study
    plain = arm.x is not None
    return {
        "color": arm_style.colour(study, arm),
        "linestyle": "-" if plain else arm_style.line(study, arm),
    }


def _legend(figure: Figure, analysis: Analysis, names: list[str]) -> None:
    arms = [arm for name in names for arm in analysis.study.groups[name]]
    lines = not analysis.study.xs
    arm_style.legend(figure, analysis.study, arms, lines=lines)


def _any(arms: list[Arm], found: dict[str, Estimate]) -> bool:
    return any(arm.name in found for arm in arms)


def _plain(value: float, _: float) -> str:
    return f"{value:g}".replace("-", "\N{MINUS SIGN}")


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
    figure, panels = arm_style.panels(study, text, names, label, score, share=False)
    if len(names) > 1:
        figure.set_figheight(figure.get_figheight() + 0.4)
    for axes, name in zip(panels, names, strict=True):
        draw(axes, analysis, name == _BOTH)
        axes.axhline(0, color="#999999", linewidth=0.8, zorder=0)
    _headline_legend(figure, analysis)
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
                colour = arm_style.colour(study, arm)
                axes.axhline(value, color=colour, linestyle="--", linewidth=1.5)
    arm_style.set_axis(axes, study)


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
        estimate = arm_style.paper_estimate([known[arm.name] for arm in told])
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
    x = [arm_style.place(study, arm, aside) for arm in arms]
    look = {
        "color": arm_style.colour(study, arms[0]),
        "marker": arm_style.marker(study, arms[0].series),
        "markersize": 7,
    } | look
    arm_style.interval(axes, x, estimate, **look)


def _by_arm(axes: Axes, analysis: Analysis, with_paper: bool) -> None:
    """Draws a bar per arm, with the paper's number beside it."""
    study = analysis.study
    known = {value.arm: value for value in study.paper}
    for place, arm in enumerate(study.arms):
        colour = arm_style.colour(study, arm)
        if arm.name in analysis.aggregates:
            estimate = analysis.aggregates[arm.name]["iqm"]
            axes.bar(place, float(estimate.value), width=0.5, color=colour, alpha=0.75)
            look: dict[str, Any] = {"color": "#222222", "linestyle": "none"}
            arm_style.interval(axes, place, estimate, gid="ours", **look)
        if with_paper and arm.name in known:
            look = {"color": colour, "marker": "o", "markersize": 7, "gid": "paper"}
            look |= {"markerfacecolor": "white", "linestyle": "none"}
            estimate = arm_style.paper_estimate([known[arm.name]])
            arm_style.interval(axes, place + 0.36, estimate, **look)
    panels = len(axes.figure.axes)
    style.name_places(axes, [arm.label for arm in study.arms], panels)


def _headline_legend(figure: Figure, analysis: Analysis) -> None:
    """Names the series, and tells our points from the paper's."""
    study = analysis.study
    grey: dict[str, Any] = {"color": style.SHARED, "linestyle": "none"}
    grey |= {"marker": "o" if study.xs else "s", "markersize": 7}
    marks = [Line2D([], [], label="these runs", **grey)]
    if study.paper:
        grey |= {"marker": "o", "markerfacecolor": "white"}
        marks.append(Line2D([], [], label="the paper", **grey))
    if study.xs:
        arm_style.legend(figure, study, study.arms, marks)
    else:
        style.legend_of(figure, marks, [str(mark.get_label()) for mark in marks])
