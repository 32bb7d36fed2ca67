"""Draws a study without scores: dormant neurons, returns, accuracy, loss, by epoch.

In: an `Analysis`. Out: one matplotlib Figure per function, or None where no run
recorded what it shows. A panel is a data set, or a layer.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from redo_dopamine.report import style
from redo_dopamine.report.statistics import Estimate
from redo_dopamine.report.study import arm_style, curves, spec
from redo_dopamine.report.study import curves as study_progress
from redo_dopamine.report.study.analysis import Analysis
from redo_dopamine.report.study.curves import Curve
from redo_dopamine.report.study.spec import Arm, PaperPoint, Study

_METRICS = {
    curves.RETURN: "average return",
    curves.TEST_LOSS: "loss on inputs not trained on",
    curves.LOSS: "training loss",
    curves.DORMANT: "dormant fraction of neurons",
    curves.ZERO_GRADIENT: "zero-gradient fraction of neurons",
}


def ends(analysis: Analysis) -> Figure | None:
    """Draws the last iteration's metrics against the axis, a line per series."""
    study = analysis.study
    games = curves.games(analysis)
    columns = curves.table(analysis).columns
    there = [name for name in _METRICS if name in columns]
    if not (study.xs and games and there):
        return None
    text = f"{study.name}: at the end, against {study.axis}"
    if len(games) > 1:
        text += f", {games[0]}"
    figure, panels = arm_style.panels(
        study, text, [_METRICS[name] for name in there], study.axis, "", share=False
    )
    for axes, name in zip(panels, there, strict=True):
        _draw_over_axis(axes, analysis, games[0], name)
        arm_style.set_axis(axes, study)
    arm_style.legend(figure, study, study.arms)
    return figure


def _draw_over_axis(axes: Axes, analysis: Analysis, game: str, metric: str) -> None:
    study = analysis.study
    for series in study.series:
        found = [
            (arm, end[0])
            for arm in study.arms
            if arm.series == series
            and arm.x is not None
            and (end := curves.at_the_end(analysis, arm, game, metric))
        ]
        if found:
            arms, ends = zip(*found, strict=True)
            estimate = Estimate(*(np.array(part) for part in zip(*ends, strict=True)))
            arm_style.interval(
                axes,
                [arm_style.place(study, arm) for arm in arms],
                estimate,
                color=arm_style.colour(study, arms[0]),
                marker=arm_style.marker(study, series),
                linestyle="-",
                gid="ours",
            )


_NEURONS = "fraction of neurons"

# A figure, its panels, and the highest value in them.
_Drawn = tuple[Figure, list[Axes], float]


class _Panel(NamedTuple):
    """What is drawn in a panel: a metric of some arms on a data set."""

    game: str
    metric: str
    arms: tuple[Arm, ...]


def dormant(analysis: Analysis) -> Figure | None:
    """Draws the dormant fraction, with the paper's points of the same threshold."""
    title = f"dormant fraction of all neurons{_at_tau(analysis)}"
    drawn = _panels(analysis, study_progress.DORMANT, title, _NEURONS)
    if drawn is None:
        return None
    figure, panels, highest = drawn
    tau = curves.tau_of(analysis)
    paper = spec.at_tau(analysis.study.paper_curve, tau)
    marks = [_draw_paper(axes, analysis, paper) for axes in panels]
    highest = max([highest, *(point.value for point in paper)])
    style.fraction_limits(panels[0], highest, rug=False)
    _legend(figure, analysis.study, marks[0])
    return figure


def accuracy(analysis: Analysis) -> Figure | None:
    """Draws the share of images that were classified right, before each update."""
    drawn = _panels(
        analysis,
        study_progress.ACCURACY,
        "accuracy on the images trained on",
        "fraction of images",
    )
    return _fractions(analysis, drawn)


def loss(analysis: Analysis) -> Figure | None:
    """Draws the loss, before each update."""
    drawn = _panels(analysis, study_progress.LOSS, "training loss", "loss")
    return _from_zero(analysis, drawn)


def test_loss(analysis: Analysis) -> Figure | None:
    """Draws the loss on inputs that are not trained on."""
    title = "loss on inputs not trained on"
    drawn = _panels(analysis, study_progress.TEST_LOSS, title, "at an epoch's end")
    return _from_zero(analysis, drawn)


def returns(analysis: Analysis) -> Figure | None:
    """Draws the average return of the training episodes of each iteration."""
    drawn = _panels(
        analysis, study_progress.RETURN, "return in training", "average return"
    )
    if drawn is None:
        return None
    figure, _, _ = drawn
    _legend(figure, analysis.study)
    return figure


def zero_gradient(analysis: Analysis) -> Figure | None:
    """Draws the fraction of neurons without a gradient."""
    drawn = _panels(
        analysis,
        study_progress.ZERO_GRADIENT,
        "zero-gradient fraction of all neurons",
        _NEURONS,
    )
    return _fractions(analysis, drawn)


def dormant_by_layer(analysis: Analysis) -> Figure | None:
    """Draws the dormant fraction of each layer, over all data sets."""
    title = f"dormant fraction{_at_tau(analysis)}"
    return _by_layer(analysis, study_progress.DORMANT, title)


def zero_gradient_by_layer(analysis: Analysis) -> Figure | None:
    """Draws the zero-gradient fraction of each layer, over all data sets."""
    return _by_layer(analysis, study_progress.ZERO_GRADIENT, "zero-gradient fraction")


def _by_layer(analysis: Analysis, metric: str, title: str) -> Figure | None:
    games = study_progress.games(analysis)
    layers = study_progress.layers(analysis, metric)
    if not games or len(layers) < 2 or analysis.study.xs:
        return None
    # A layer is as another data set: each has its panel, for the first game.
    arms = analysis.study.arms
    panels = {x: _Panel(games[0], f"{metric}/{x}", arms) for x in layers}
    title += f" by layer, {games[0]}"
    return _fractions(analysis, _draw(analysis, panels, title, _NEURONS))


def _from_zero(analysis: Analysis, drawn: _Drawn | None) -> Figure | None:
    """Finishes a figure of what has no upper end: from 0, unless some is below it."""
    if drawn is None:
        return None
    figure, panels, _ = drawn
    # A policy's loss has either sign; the interval of another may reach below 0.
    curves = [line.get_ydata() for axes in panels for line in axes.lines]
    if min(float(np.min(np.asarray(curve))) for curve in curves) >= 0:
        panels[0].set_ylim(bottom=0)
    _legend(figure, analysis.study)
    return figure


def _fractions(analysis: Analysis, drawn: _Drawn | None) -> Figure | None:
    """Finishes a figure of what is in [0, 1]."""
    if drawn is None:
        return None
    figure, panels, highest = drawn
    style.fraction_limits(panels[0], highest, rug=False)
    _legend(figure, analysis.study)
    return figure


def _at_tau(analysis: Analysis) -> str:
    tau = curves.tau_of(analysis)
    return "" if tau is None else f", τ = {tau:g}"


def _panels(analysis: Analysis, metric: str, title: str, label: str) -> _Drawn | None:
    """Draws a metric's curves, and returns the highest value too.

    A panel is a data set; of a study with an axis, a place on it.
    """
    games, study = study_progress.games(analysis), analysis.study
    if len(games) == 1:
        title += f", {games[0]}"
    if study.xs and games:
        panels = {
            name: _Panel(games[0], metric, tuple(arms))
            for name, arms in study.groups.items()
        }
    else:
        panels = {game: _Panel(game, metric, study.arms) for game in games}
    return _draw(analysis, panels, title, label)


def _draw(
    analysis: Analysis, wanted: dict[str, _Panel], title: str, label: str
) -> _Drawn | None:
    """Draws curves; panels by name."""
    study = analysis.study
    found: dict[str, list[tuple[Arm, Curve]]] = {}
    for name, panel in wanted.items():
        for arm in panel.arms:
            curve = study_progress.curve(analysis, arm, panel.game, panel.metric)
            if curve is not None:
                found.setdefault(name, []).append((arm, curve))
    if not found:
        return None
    names = list(found)
    title = f"{study.name}: {title}"
    axis = study_progress.axis(analysis)
    figure, panels = arm_style.panels(study, title, names, axis, label)
    highest = 0.0
    for axes, name in zip(panels, names, strict=True):
        for arm, curve in found[name]:
            arm_style.band(axes, curve.epochs, curve.mean, **_look(study, arm))
            ends = [curve.mean.value, curve.mean.high]
            highest = max(highest, float(np.nanmax(ends)))
        axes.xaxis.set_major_locator(MaxNLocator(9, integer=True))
    return figure, panels, highest


def _look(study: Study, arm: Arm) -> dict[str, Any]:
    """Returns a colour, and a line that shows another one below it."""
    if study.xs:
        return {"color": arm_style.colour(study, arm), "linestyle": "-"}
    place = study.arms.index(arm)
    return {
        "color": arm_style.colour(study, arm),
        "linestyle": style.LINES[place % len(style.LINES)],
    }


def _legend(figure: Figure, study: Study, marks: Sequence[Line2D] = ()) -> None:
    """Names the arms, and any further marks, below the panels."""
    if study.xs:
        arm_style.legend(figure, study, study.arms, marks)
        return
    handles = [
        Line2D([], [], linewidth=2.2, label=arm.label, **_look(study, arm))
        for arm in study.arms
    ]
    handles += marks
    labels = [style.plain(str(handle.get_label())) for handle in handles]
    style.legend_of(figure, handles, labels)


def _draw_paper(
    axes: Axes, analysis: Analysis, points: Sequence[PaperPoint]
) -> list[Line2D]:
    """Draws the paper's points hollow, a peak over its stretch; returns the mark."""
    study = analysis.study
    colours = {arm.name: arm_style.colour(study, arm) for arm in study.arms}
    look: dict[str, Any] = {"linestyle": ":", "lw": 1.2, "marker": "o", "ms": 6}
    look |= {"markerfacecolor": "white"}
    for point in points:
        ends = sorted(set(study_progress.stretch(study, point)))
        values = [point.value] * len(ends)
        axes.plot(ends, values, color=colours[point.arm], gid="paper", **look)
    if not points:
        return []
    games = ", ".join(dict.fromkeys(x.game for x in points if x.game))
    mark = Line2D([], [], color=style.SHARED, **look)
    mark.set_label(f"the paper, on {games}" if games else "the paper")
    return [mark]
