"""Draws metrics of a study against gradient steps: all places of its axis on one.

In: an `Analysis`. Out: one matplotlib Figure per function, or None where no finished
run recorded what it shows. A panel is a series; of a study without an axis, all arms.
"""

import functools
from typing import Any, NamedTuple

import numpy as np
from matplotlib import colormaps, colors
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from redo_dopamine.report import metrics_csv, style, summary
from redo_dopamine.report.study import arm_style, spec
from redo_dopamine.report.study import curves as arm_curves
from redo_dopamine.report.study.analysis import Analysis
from redo_dopamine.report.study.spec import Arm, PaperValue, Study


class Final(NamedTuple):
    """The dormant fractions of one arm's runs at their ends, within some games."""

    arm: Arm
    values: np.ndarray


def dormant_curves(analysis: Analysis) -> Figure | None:
    """Draws the dormant fraction along training: means over runs, and intervals."""
    tau, study = arm_curves.tau_of(analysis), analysis.study
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
    figure, panels = arm_style.panels(
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
                    "color": arm_style.colour(study, arm),
                    "linestyle": "-" if study.xs else arm_style.line(study, arm),
                }
                arm_style.band(axes, frames, estimate, **look)
    ends = [end for _, e in curves.values() for end in (e.value, e.high)]
    highest = max(float(np.nanmax(end)) for end in ends if np.isfinite(end).any())
    style.fraction_limits(panels[0], highest, rug=False)
    arms = [arm for name in names for arm in study.groups[name]]
    arm_style.legend(figure, study, arms, lines=not study.xs)
    return figure


def dormant_at_the_end(analysis: Analysis) -> Figure | None:
    """Draws each run's last dormant fraction, over all games and in the paper's.

    The paper's are those of the same threshold.
    """
    tau, study = arm_curves.tau_of(analysis), analysis.study
    if tau is None:
        return None
    paper = spec.at_tau(study.paper_dormant, tau)
    shown = {"all games": None} | {
        _panel_name(value, study.unit): value.game for value in paper
    }
    finals = {name: _finals(analysis, tau, game) for name, game in shown.items()}
    finals = {name: of_panel for name, of_panel in finals.items() if of_panel}
    if not finals:
        return None
    figure, panels = arm_style.panels(
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
    return arm_style.place(study, arm, rank + 1.6 * shift)


def _draw_finals(axes: Axes, analysis: Analysis, finals: list[Final]) -> None:
    """Draws each run as a dot, and the means: joined along the axis, or as bars."""
    study = analysis.study
    for arm, values in finals:
        place, colour = _place(analysis, arm), arm_style.colour(study, arm)
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
                color=arm_style.colour(study, of_series[0].arm),
                marker=arm_style.marker(study, series),
                markersize=6,
                linewidth=1.7,
                gid="mean",
            )
    arm_style.set_axis(axes, study)


def _draw_paper(axes: Axes, analysis: Analysis, values: list[PaperValue]) -> None:
    """Draws the paper's ranges in one game as hollow bars."""
    study = analysis.study
    for value in values:
        for arm in study.arms:
            if value.arm == arm.name:
                x = _place(analysis, arm, 0.3)
                ends = [value.low or 0.0, value.high or 0.0]
                look: dict[str, Any] = {
                    "color": arm_style.colour(study, arm),
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
        arm_style.legend(figure, study, study.arms, marks)
        return
    mean = Patch(color=grey, label="mean over runs")
    style.legend_of(
        figure, [mean, *marks], [str(m.get_label()) for m in (mean, *marks)]
    )


_STEPS = "gradient steps"


def dormant(analysis: Analysis) -> Figure | None:
    """Draws the dormant fraction of all neurons."""
    return _of_neurons(analysis, "dormant_fraction", "dormant fraction")


def dormant_after(analysis: Analysis) -> Figure | None:
    """Draws the dormant fraction just after an intervention has acted."""
    name = "dormant fraction just after intervening"
    return _of_neurons(analysis, "dormant_fraction_after", name)


def largest_q(analysis: Analysis) -> Figure | None:
    """Draws the largest Q-value of the states that are measured."""
    return _draw(analysis, "largest_q", "largest Q-value", "largest Q")


def _of_neurons(analysis: Analysis, metric: str, text: str) -> Figure | None:
    tau = arm_curves.tau_of(analysis)
    if tau is None:
        return None
    text += f", τ = {tau:g}"
    figure = _draw(analysis, f"{metric}/{float(tau)}", text, "fraction of neurons")
    if figure is not None:
        for axes in figure.axes:
            axes.set_ylim(bottom=0)
    return figure


def _draw(analysis: Analysis, metric: str, text: str, label: str) -> Figure | None:
    study = analysis.study
    curves = {}
    rows = functools.partial(summary.series, name=metric)
    for name, games in arm_curves.finished_runs(analysis).items():
        curve = arm_curves.mean(
            games.values(),
            rows,
            "gradient_step",
            analysis.repeats,
            metrics_csv.is_fraction(metric),
        )
        if curve is not None:
            curves[name] = curve
    panels = {
        name: [arm for arm in arms if arm.name in curves]
        for name, arms in _panels(study).items()
    }
    panels = {name: arms for name, arms in panels.items() if arms}
    if not panels:
        return None
    title = f"{study.name}: {text}"
    figure, drawn = arm_style.panels(study, title, list(panels), _STEPS, label)
    for axes, arms in zip(drawn, panels.values(), strict=True):
        for arm in arms:
            steps, estimate = curves[arm.name]
            arm_style.band(axes, steps, estimate, color=_colour(study, arm))
        _show_thousands(axes)
    _legend(figure, study, [arm for arms in panels.values() for arm in arms])
    return figure


def _panels(study: Study) -> dict[str, list[Arm]]:
    if not study.xs:
        return {"all arms": list(study.arms)}
    return {s: [arm for arm in study.arms if arm.series == s] for s in study.series}


def _colour(study: Study, arm: Arm) -> str:
    """Returns a colour of the place on the axis, light to dark; else the arm's."""
    if arm.x is None:
        return arm_style.colour(study, arm)
    rank = study.xs.index(arm.x) / max(1, len(study.xs) - 1)
    return colors.to_hex(colormaps["viridis_r"](0.15 + 0.85 * rank))


def _show_thousands(axes: Axes) -> None:
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
    axes.tick_params(axis="x", labelrotation=20)


def _legend(figure: Figure, study: Study, arms: list[Arm]) -> None:
    names = {}
    for arm in arms:
        name = arm.label if arm.x is None else f"{study.axis} {arm.x:g}"
        names[name] = Line2D([], [], color=_colour(study, arm), linewidth=1.8)
    style.legend_of(figure, list(names.values()), list(names))
