"""How a study's figures look: a colour per series, a line style and marker per place.

In: a study and what to draw of it. Out: artists on a matplotlib Figure.
"""

import math
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator

from redo_dopamine.report import statistics, style
from redo_dopamine.report.statistics import Estimate
from redo_dopamine.report.study.spec import Arm, PaperValue, Study

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_TITLE_CHARACTERS = 84
# How far the paper's markers stand from ours, as a fraction of the axis.
_ASIDE = 0.022


def colour(study: Study, arm: Arm) -> str:
    """Returns the colour of the arm's series, the same in every figure."""
    series = study.series.index(arm.series)
    return style.COLOURS[series % len(style.COLOURS)]


def line(study: Study, arm: Arm) -> str:
    """Returns the line style of the arm's place, or of its rank in its series."""
    if arm.x is not None:
        rank = study.xs.index(arm.x)
    else:
        rank = [other for other in study.arms if other.series == arm.series].index(arm)
    rank += study.series.index(arm.series) // len(style.COLOURS)
    return style.LINES[rank % len(style.LINES)]


def marker(study: Study, series: str) -> str:
    """Returns the marker of a series, beside its colour."""
    return MARKERS[study.series.index(series) % len(MARKERS)]


def title(study: Study, text: str) -> str:
    """Returns a figure's title, with the scale below it where it is not 1.

    And with the number of seeds, where they are few.
    """
    if len(study.seeds) < statistics.FEW_RUNS:
        text += f" (n = {len(study.seeds)})"
    lines = textwrap.wrap(text, _TITLE_CHARACTERS)
    return "\n".join([*lines, study.shortened] if study.shortened else lines)


def panels(
    study: Study, text: str, names: Sequence[str], x: str, y: str, **options: Any
) -> tuple[Figure, list[Axes]]:
    """Returns `style.panels` under the study's title."""
    figure, axes = style.panels(title(study, text), names, x, y, **options)
    if study.shortened:
        figure.set_figheight(figure.get_figheight() + 0.25)
    return figure, axes


def band(axes: Axes, x: np.ndarray, estimate: Estimate, **look: Any) -> None:
    """Draws a curve and the band of its interval, where it has one."""
    few = len(x) <= 40
    axes.plot(
        x,
        estimate.value,
        marker="o" if few else None,
        markersize=3.5,
        linewidth=1.8,
        gid="curve",
        **look,
    )
    if np.isfinite(estimate.low).any():
        axes.fill_between(
            x,
            estimate.low,
            estimate.high,
            color=look["color"],
            alpha=0.18,
            linewidth=0,
            gid="interval",
        )


def interval(axes: Axes, x: Any, estimate: Estimate, **look: Any) -> None:
    """Draws points with the bars of their intervals, where they have one."""
    value, low, high = (np.atleast_1d(np.asarray(end, float)) for end in estimate)
    # An interval of percentiles need not hold its point; a bar cannot start beyond it.
    bars = np.maximum(np.nan_to_num([value - low, high - value]), 0)
    axes.errorbar(np.atleast_1d(x), value, yerr=bars, capsize=3, **look)


def paper_estimate(values: Sequence[PaperValue]) -> Estimate:
    """Returns the paper's numbers; without an interval, the number alone."""
    return Estimate(
        *(
            np.array([np.nan if end is None else end for end in ends], dtype=float)
            for ends in (
                [value.value for value in values],
                [value.low for value in values],
                [value.high for value in values],
            )
        )
    )


def is_doubling(study: Study) -> bool:
    """Whether the axis is one of doublings, so that its scale is logarithmic."""
    steps = np.log2(study.xs) if study.xs and min(study.xs) > 0 else np.array([0.5])
    return bool(np.all(steps == np.round(steps)))


def place(study: Study, arm: Arm, aside: float = 0.0) -> float:
    """Returns where an arm stands along the study's axis, which is drawn by hand.

    Doublings are a step apart, as on a logarithmic axis; other places follow one
    another at equal steps, since a grid such as 0, 0.01, 0.1 fits no scale. An arm
    without a place of its own stands with the first.

    Args:
        study: the study.
        arm: one of its arms.
        aside: how many marks' widths to the side, so that series do not overlap.
    """
    x = study.xs[0] if arm.x is None else arm.x
    at = math.log2(x) if is_doubling(study) else float(study.xs.index(x))
    return at + aside * _ASIDE * (_ends(study)[1] - _ends(study)[0])


def set_axis(axes: Axes, study: Study) -> None:
    """Gives a panel the study's own x axis, with a tick at each place."""
    found = {arm.x: place(study, arm) for arm in study.arms if arm.x is not None}
    axes.xaxis.set_major_locator(FixedLocator(list(found.values())))
    axes.xaxis.set_major_formatter(FixedFormatter([f"{x:g}" for x in found]))
    axes.set_xlim(*_ends(study))


def _ends(study: Study) -> tuple[float, float]:
    """Returns where the study's axis starts and ends."""
    low, high = study.xs[0], study.xs[-1]
    if is_doubling(study):
        return math.log2(low) - 0.4, math.log2(high) + 0.4
    return -0.4, len(study.xs) - 0.6


def legend(
    figure: Figure,
    study: Study,
    arms: Sequence[Arm],
    extra: Sequence[Line2D] = (),
    *,
    lines: bool = False,
) -> None:
    """Names the series of these arms below the panels, or each arm where `lines`."""
    handles: list[Line2D] = []
    if lines:
        for arm in arms:
            look: dict[str, Any] = {
                "color": colour(study, arm),
                "linestyle": line(study, arm),
            }
            handles.append(Line2D([], [], linewidth=2.2, label=arm.label, **look))
    else:
        for series, arm in {arm.series: arm for arm in reversed(arms)}.items():
            handles.append(
                Line2D([], [], linewidth=2.2, color=colour(study, arm), label=series)
            )
        handles.reverse()
    handles += extra
    labels = [style.plain(str(handle.get_label())) for handle in handles]
    style.legend_of(figure, handles, labels)
