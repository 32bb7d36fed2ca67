"""Draws metrics of a study against gradient steps: all places of its axis on one.

In: an `Analysis`. Out: one matplotlib Figure per function, or None where no finished
run recorded what it shows. A panel is a series; of a study without an axis, all arms.
"""

import functools

from matplotlib import colormaps, colors
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from redo_dopamine.report import (
    arm_curves,
    metric_names,
    study_dormancy,
    study_style,
    style,
    summary,
)
from redo_dopamine.report.analysis import Analysis
from redo_dopamine.report.study import Arm, Study

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
    tau = study_dormancy.tau_of(analysis)
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
            metric_names.is_fraction(metric),
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
    figure, drawn = study_style.panels(study, title, list(panels), _STEPS, label)
    for axes, arms in zip(drawn, panels.values(), strict=True):
        for arm in arms:
            steps, estimate = curves[arm.name]
            study_style.band(axes, steps, estimate, color=_colour(study, arm))
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
        return study_style.colour(study, arm)
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
