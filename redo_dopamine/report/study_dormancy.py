"""Draws the dormant neurons of a study: along training, and at its end.

In: an `Analysis`. Out: one matplotlib Figure per function, or None where no run
recorded dormancy. Every finished run counts, games without a human score too.
"""

import functools
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from redo_dopamine.report import (
    arm_curves,
    paper_values,
    study_style,
    style,
    summary,
)
from redo_dopamine.report.analysis import Analysis
from redo_dopamine.report.paper_values import PaperValue
from redo_dopamine.report.runs import Run
from redo_dopamine.report.study import Arm

TAU = 0.1


class Final(NamedTuple):
    """The dormant fractions of one arm's runs at their ends, within some games."""

    arm: Arm
    values: np.ndarray


def tau_of(analysis: Analysis) -> float | None:
    """Returns 0.1, or the largest threshold that was tracked; None without any."""
    return tau_among(
        run
        for games in arm_curves.finished_runs(analysis).values()
        for runs in games.values()
        for run in runs
    )


def tau_among(runs: Iterable[Run]) -> float | None:
    """Returns the same of runs."""
    found = {tau for run in runs for tau in summary.taus(run)}
    return TAU if TAU in found else max(found, default=None)


def dormant_curves(analysis: Analysis) -> Figure | None:
    """Draws the dormant fraction along training: means over runs, and intervals."""
    tau, study = tau_of(analysis), analysis.study
    if tau is None:
        return None
    rows = functools.partial(summary.pooled_dormant_fraction, tau=tau)
    curves = {
        arm: curve
        for arm, games in arm_curves.finished_runs(analysis).items()
        if (
            curve := arm_curves.mean(
                games.values(), rows, "frames", analysis.repeats, fraction=True
            )
        )
    }
    names = [
        g for g, arms in study.groups.items() if any(a.name in curves for a in arms)
    ]
    if not names:
        return None
    figure, panels = study_style.panels(
        study,
        f"{study.name}: dormant fraction of all neurons, τ = {tau:g}",
        names,
        study.length_label,
        "fraction of neurons",
    )
    for axes, name in zip(panels, names, strict=True):
        for arm in study.groups[name]:
            if arm.name in curves:
                frames, estimate = curves[arm.name]
                look = {
                    "color": study_style.colour(study, arm),
                    "linestyle": "-" if study.xs else study_style.line(study, arm),
                }
                study_style.band(axes, frames, estimate, **look)
    ends = [end for _, e in curves.values() for end in (e.value, e.high)]
    highest = max(float(np.nanmax(end)) for end in ends if np.isfinite(end).any())
    style.fraction_limits(panels[0], highest, rug=False)
    arms = [arm for name in names for arm in study.groups[name]]
    study_style.legend(figure, study, arms, lines=not study.xs)
    return figure


def dormant_at_the_end(analysis: Analysis) -> Figure | None:
    """Draws each run's last dormant fraction, over all games and in the paper's.

    The paper's are those of the same threshold.
    """
    tau, study = tau_of(analysis), analysis.study
    if tau is None:
        return None
    paper = paper_values.at_tau(study.paper_dormant, tau)
    shown = {"all games": None} | {
        _panel_name(value, study.unit): value.game for value in paper
    }
    finals = {name: _finals(analysis, tau, game) for name, game in shown.items()}
    finals = {name: of_panel for name, of_panel in finals.items() if of_panel}
    if not finals:
        return None
    figure, panels = study_style.panels(
        study,
        f"{study.name}: dormant fraction at the end, τ = {tau:g}",
        list(finals),
        study.axis if study.xs else "",
        "fraction of neurons",
    )
    for axes, name in zip(panels, finals, strict=True):
        axes.set_title(name)
        _draw_finals(axes, analysis, finals[name])
        _draw_paper(axes, analysis, [x for x in paper if x.game == shown[name]])
        axes.tick_params(labelbottom=True)
    highest = max(
        float(f.values.max()) for of_panel in finals.values() for f in of_panel
    )
    highest = max([highest, *(value.high or 0.0 for value in paper)])
    style.fraction_limits(panels[0], highest, rug=False)
    _legend_of_finals(figure, analysis, with_paper=bool(paper))
    return figure


def _panel_name(value: PaperValue, unit: str) -> str:
    when = f"\n(the paper: after {value.at:,} {unit})" if value.at else ""
    return f"{value.game} only{when}"


def _finals(analysis: Analysis, tau: float, game: str | None) -> list[Final]:
    runs = arm_curves.finished_runs(analysis)
    found = []
    for arm in analysis.study.arms:
        values = [
            summary.final_dormant_fraction(run, tau)
            for name, of_game in runs.get(arm.name, {}).items()
            if game in (None, name)
            for run in of_game
        ]
        kept = np.array([value for value in values if np.isfinite(value)])
        if len(kept):
            found.append(Final(arm, kept))
    return found


def _place(analysis: Analysis, arm: Arm, shift: float = 0.0) -> float:
    study = analysis.study
    if not study.xs:
        return study.arms.index(arm) + shift
    rank = study.series.index(arm.series) - (len(study.series) - 1) / 2
    return study_style.place(study, arm, rank + 1.6 * shift)


def _draw_finals(axes: Axes, analysis: Analysis, finals: list[Final]) -> None:
    """Draws each run as a dot, and the means: joined along the axis, or as bars."""
    study = analysis.study
    for arm, values in finals:
        place, colour = _place(analysis, arm), study_style.colour(study, arm)
        if not study.xs:
            axes.bar(place, values.mean(), width=0.5, color=colour, alpha=0.5)
            colour = "#222222"
        x = [place] * len(values)
        look: dict[str, Any] = {"color": colour, "linestyle": "none", "marker": "."}
        axes.plot(x, values, alpha=0.5, markeredgewidth=0, gid="run", **look)
    if not study.xs:
        panels = len(axes.figure.axes)
        style.name_places(axes, [arm.label for arm in study.arms], panels)
        return
    for series in study.series:
        of_series = [final for final in finals if final.arm.series == series]
        of_series.sort(key=lambda final: _place(analysis, final.arm))
        if of_series:
            axes.plot(
                [_place(analysis, arm) for arm, _ in of_series],
                [values.mean() for _, values in of_series],
                color=study_style.colour(study, of_series[0].arm),
                marker=study_style.marker(study, series),
                markersize=6,
                linewidth=1.7,
                gid="mean",
            )
    study_style.set_axis(axes, study)


def _draw_paper(axes: Axes, analysis: Analysis, values: list[PaperValue]) -> None:
    """Draws the paper's ranges in one game as hollow bars."""
    study = analysis.study
    for value in values:
        for arm in study.arms:
            if value.arm == arm.name:
                x = _place(analysis, arm, 0.3)
                ends = [value.low or 0.0, value.high or 0.0]
                look: dict[str, Any] = {
                    "color": study_style.colour(study, arm),
                    "marker": "o",
                }
                axes.plot([x, x], ends, lw=1.2, mfc="white", ms=6, gid="paper", **look)


def _legend_of_finals(figure: Figure, analysis: Analysis, with_paper: bool) -> None:
    study, grey = analysis.study, style.SHARED
    dot = Line2D([], [], linestyle="none", marker=".", color=grey, label="one run")
    marks = [dot]
    if with_paper:
        paper = Line2D([], [], lw=1.2, marker="o", mfc="white", ms=6, color=grey)
        paper.set_label("the paper's range")
        marks.append(paper)
    if study.xs:
        study_style.legend(figure, study, study.arms, marks)
        return
    mean = Patch(color=grey, label="mean over runs")
    style.legend_of(
        figure, [mean, *marks], [str(m.get_label()) for m in (mean, *marks)]
    )
