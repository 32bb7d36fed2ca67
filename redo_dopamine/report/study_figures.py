"""Draws the scores of a study: aggregates, curves, profiles, improvement.

In: an `Analysis`. Out: one matplotlib Figure per function, or None where there is
nothing to show.
"""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from redo_dopamine.report import study_style, style
from redo_dopamine.report.analysis import Analysis
from redo_dopamine.report.statistics import Estimate
from redo_dopamine.report.study import Arm

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
    figure, panels = study_style.panels(
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
                "color": study_style.colour(study, arm),
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
    figure, panels = study_style.panels(
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
                study_style.band(axes, frames, analysis.curves[arm.name], **look)
    _legend(figure, analysis, names)
    return figure


def profiles(analysis: Analysis) -> Figure | None:
    """Draws the fraction of runs above each score, a panel per group of arms."""
    study = analysis.study
    names = [g for g, arms in study.groups.items() if _any(arms, analysis.profiles)]
    if not names:
        return None
    figure, panels = study_style.panels(
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
                study_style.band(axes, thresholds, estimate, **look)
        axes.xaxis.set_major_formatter(_plain)
        axes.set_ylim(-0.03, 1.03)
    _legend(figure, analysis, names)
    return figure


def improvement(analysis: Analysis) -> Figure | None:
    """Draws the probability that an arm's run beats one of the first series."""
    study, found = analysis.study, analysis.improvements
    if not found:
        return None
    figure, (axes,) = study_style.panels(
        study, f"{study.name}: probability of improvement", ["P"], "P(X > Y)", ""
    )
    figure.set_figheight(1.9 + 0.42 * len(found))
    for row, x in enumerate(found):
        colour = study_style.colour(study, x.arm)
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
        "color": study_style.colour(study, arm),
        "linestyle": "-" if plain else study_style.line(study, arm),
    }


def _legend(figure: Figure, analysis: Analysis, names: list[str]) -> None:
    arms = [arm for name in names for arm in analysis.study.groups[name]]
    lines = not analysis.study.xs
    study_style.legend(figure, analysis.study, arms, lines=lines)


def _any(arms: list[Arm], found: dict[str, Estimate]) -> bool:
    return any(arm.name in found for arm in arms)


def _plain(value: float, _: float) -> str:
    return f"{value:g}".replace("-", "\N{MINUS SIGN}")
