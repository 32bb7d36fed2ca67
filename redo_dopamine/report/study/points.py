"""How arms look in every figure, and figures of the ends of their runs.

A color per series, a line style and marker per place. Ends are points along a study's
axis, or bars by arm.
"""

import functools
import itertools
import math
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib import colormaps, colors
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedFormatter, FixedLocator

from redo_dopamine.report import files, statistics, style, summary
from redo_dopamine.report.statistics import Estimate
from redo_dopamine.report.study import curves
from redo_dopamine.report.study.analysis import Analysis
from redo_dopamine.report.style import Look
from redo_dopamine.studies.spec import ArmSpec, StudySpec
from redo_dopamine.studies.study import PaperDormancy

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_TITLE_CHARACTERS = 84
# In every study, by what the name of a series has.
_METHODS = (
    (r"random neurons|at random", "#E69F00"),
    (r"\breset", "#009E73"),
    (r"decay|\bL2\b", "#CC79A7"),
    (r"ReDo|lowest score", "#D55E00"),
)
# How far the markers of series stand apart, as a fraction of the axis.
_ASIDE = 0.022
# What tells arms apart: the series or, without an axis, each arm; each arm always;
# each by a line of its own; the place on the axis.
SERIES, ARMS, LINES, PLACES = "series", "arms", "lines", "places"
_AT_THE_END = files.data("names.toml")["ends"]
# Beside numbers that spread over more than this many times ours, ours are a line.
_TOO_SMALL = 4
_PAPER_ASIDE = 0.5  # In marks' widths, from ours.
_INK = "#222222"
_OURS: Look = {"markersize": 7, "linewidth": 1.8, "gid": "ours"}
_HOLLOW: Look = {"markerfacecolor": "white", "gid": "paper"}
_PAPER = _HOLLOW | {"markersize": 7, "linewidth": 1.0, "linestyle": ":"}
RANGE = _HOLLOW | {"marker": "o", "markersize": 6, "linewidth": 1.2}
_DOTS: Look = {"marker": ".", "linestyle": "none", "alpha": 0.5, "markeredgewidth": 0}


def color(study: StudySpec, arm: ArmSpec) -> str:
    """Return the color of the arm's series, the same in every figure."""
    return _colors(tuple(study.series))[arm.series]


@functools.cache
def _colors(series: tuple[str, ...]) -> Mapping[str, str]:
    """Give a method's color to the first series that has it, the others in order."""
    found: dict[str, str] = {}
    for name in series:
        method = next((y for x, y in _METHODS if re.search(x, name)), None)
        if method is not None and method not in found.values():
            found[name] = method
    rest = [x for x in style.COLORS if x not in found.values()] or style.COLORS
    others = [name for name in series if name not in found]
    return found | dict(zip(others, itertools.cycle(rest), strict=False))


def look(study: StudySpec, arm: ArmSpec, by: str) -> tuple[str, Look]:
    """Return how a legend calls an arm's line, and its color and line style.

    They go `by` what tells arms apart, such as `SERIES`.
    """
    of_series = {"color": color(study, arm), "linestyle": "-"}
    if by == PLACES:
        if arm.x is None:
            return arm.label, of_series | {"linewidth": 1.8}
        # Light to dark.
        rank = study.xs.index(arm.x) / max(1, len(study.xs) - 1)
        shade = colors.to_hex(colormaps["viridis_r"](0.15 + 0.85 * rank))
        return f"{study.axis} {arm.x:g}", {"color": shade, "linewidth": 1.8}
    if study.xs and by != LINES and arm.x is not None:
        return arm.series, of_series
    place = study.arms.index(arm) if by == ARMS else _rank(study, arm)
    line = {"linestyle": style.LINES[place % len(style.LINES)]}
    # In a panel of an axis the color tells the series of what has no place on it.
    return arm.series if study.xs and by != LINES else arm.label, of_series | line


def _rank(study: StudySpec, arm: ArmSpec) -> int:
    """Return the number of the arm's place, or of the arm in its series."""
    alike = [other for other in study.arms if other.series == arm.series]
    rank = alike.index(arm) if arm.x is None else study.xs.index(arm.x)
    return rank + study.series.index(arm.series) // len(style.COLORS)


def legend(
    figure: Figure,
    study: StudySpec,
    arms: Iterable[ArmSpec],
    extra: Sequence[Artist] = (),
    by: str = SERIES,
) -> None:
    """Name what tells these arms apart below the panels, and any further marks."""
    looks: dict[str, Look] = {}
    for arm in arms:
        name, of_arm = look(study, arm, by)
        looks.setdefault(name, of_arm)
    style.legend(figure, looks, extra)


def title(study: StudySpec, text: str) -> str:
    """Return a figure's title, with the number of seeds if few, the scale if not 1."""
    text = text[:1].upper() + text[1:]
    if len(study.seeds) < statistics.FEW_RUNS:
        text += f" (n = {len(study.seeds)})"
    lines = textwrap.wrap(text, _TITLE_CHARACTERS)
    return "\n".join([*lines, study.shortened] if study.shortened else lines)


def is_doubling(study: StudySpec) -> bool:
    """Whether the axis is one of doublings, so that its scale is logarithmic."""
    steps = np.log2(study.xs) if study.xs and min(study.xs) > 0 else np.array([0.5])
    return bool(np.all(steps == np.round(steps)))


def place(study: StudySpec, arm: ArmSpec, aside: float = 0.0) -> float:
    """Return where an arm's mark stands: along the axis, or in the row of arms.

    The axis is drawn by hand. Doublings are a step apart, as on a logarithmic axis;
    other places follow one another at equal steps, since a grid such as 0, 0.01, 0.1
    fits no scale. An arm without a place of its own stands with the first. The marks of
    series at one place stand beside one another, and `aside` is how many marks' widths
    one stands further to the side.
    """
    if not study.xs:
        return study.arms.index(arm) + 0.72 * aside
    aside += study.series.index(arm.series) - (len(study.series) - 1) / 2
    low, high = _ends(study)
    return _at(study, arm.x) + aside * _ASIDE * (high - low)


def _at(study: StudySpec, x: float | None) -> float:
    """Return the place of `x` itself."""
    x = study.xs[0] if x is None else x
    return math.log2(x) if is_doubling(study) else float(study.xs.index(x))


def set_axis(axes: Axes, study: StudySpec) -> None:
    """Give a panel the study's own x axis: a tick at each place, or a name per arm."""
    if not study.xs:
        count = len(axes.figure.axes)
        style.name_places(axes, [arm.label for arm in study.arms], count)
        return
    found = {x: _at(study, x) for x in study.xs}
    axes.xaxis.set_major_locator(FixedLocator(list(found.values())))
    axes.xaxis.set_major_formatter(FixedFormatter([f"{x:g}" for x in found]))
    axes.set_xlim(*_ends(study))


def _ends(study: StudySpec) -> tuple[float, float]:
    """Return where the study's axis starts and ends."""
    return _at(study, study.xs[0]) - 0.4, _at(study, study.xs[-1]) + 0.4


class _Panel(NamedTuple):
    """What a panel shows of arms, by their names.

    These runs together, each run by itself [runs], and what is known of the paper's:
    its values, or ranges that they are in.
    """

    ours: Mapping[str, Estimate]
    runs: Mapping[str, np.ndarray] = {}
    paper: Mapping[str, Estimate] = {}
    ranges: Sequence[PaperDormancy] = ()


def _draw(
    study: StudySpec,
    text: str,
    panels: Mapping[str, _Panel],
    label: str,
    marks: Sequence[Artist],
    *,
    share: bool,
) -> tuple[Figure, list[Axes]]:
    """Draw panels along the study's axis, a line per series; or as bars by arm."""
    axis, names = study.axis if study.xs else "", list(panels)
    figure, drawn = style.panels(title(study, text), names, axis, label, share=share)
    for axes, panel in zip(drawn, panels.values(), strict=True):
        for arm in study.arms:
            _runs(axes, study, arm, panel)
        _marks(axes, study, panel.ours, **_OURS)
        _marks(axes, study, panel.paper, _PAPER_ASIDE, **_PAPER)
        for bar in axes.patches if panel.runs else ():
            bar.set_alpha(0.5)  # So that the dots are seen.
        set_axis(axes, study)
    legend(figure, study, study.arms if study.xs else (), marks)
    return figure, drawn


def _runs(axes: Axes, study: StudySpec, arm: ArmSpec, panel: _Panel) -> None:
    """Draw each run of an arm as a dot, and the ends of the paper's ranges."""
    of_arm = color(study, arm)
    values = panel.runs.get(arm.name, np.array([]))
    dots = _DOTS | {"color": of_arm if study.xs else _INK, "gid": "run"}
    axes.plot([place(study, arm)] * len(values), values, **dots)
    for found in panel.ranges:
        if found.arm == arm.name:
            at, ends = place(study, arm, _PAPER_ASIDE), (found.low, found.high)
            axes.plot([at, at], [x / 100 for x in ends], color=of_arm, **RANGE)


def _marks(
    axes: Axes,
    study: StudySpec,
    found: Mapping[str, Estimate],
    aside: float = 0.0,
    **look: Any,
) -> None:
    """Draw marks `aside` of the arms' places, on an axis with a line per series.

    Ours without an axis are bars; on an axis, what has no place is a line across.
    """
    there = [arm for arm in study.arms if arm.name in found]
    series = study.series if study.xs else [arm.label for arm in study.arms]
    for index, name in enumerate(series):
        arms = [x for x in there if name == (x.series if study.xs else x.label)]
        across = [arm for arm in arms if study.xs and arm.x is None]
        placed = [arm for arm in arms if arm not in across]
        placed.sort(key=lambda arm: arm.x or 0.0)
        if placed:
            of_arm = color(study, placed[0])
            places = [place(study, arm, aside) for arm in placed]
            ends = np.array([found[arm.name] for arm in placed], float).T
            mark = {"color": of_arm if study.xs or aside else _INK}
            if study.xs:
                mark["marker"] = MARKERS[index % len(MARKERS)]
            else:
                mark |= {"linestyle": "none"} | ({"marker": "o"} if aside else {})
                if not aside:
                    axes.bar(places, ends[0], width=0.5, color=of_arm, alpha=0.75)
            _points(axes, places, Estimate(*ends), **look | mark)
        for arm in () if aside else across:
            value = float(found[arm.name].value)
            axes.axhline(value, color=color(study, arm), linestyle="--", linewidth=1.5)


def _points(axes: Axes, x: list[float], estimate: Estimate, **look: Any) -> None:
    """Draw points with the bars of their intervals, where they have one."""
    value, low, high = estimate
    # An interval of percentiles need not hold its point; a bar cannot start beyond it.
    bars = np.maximum(np.nan_to_num([value - low, high - value]), 0)
    known = bars if np.isfinite(low).any() else None
    axes.errorbar(x, value, yerr=known, capsize=3, **look)


def headline(analysis: Analysis) -> Figure | None:
    """Draw the IQM of every arm, beside the paper's where these are known.

    Where the paper's numbers would flatten ours, a second panel shows ours alone.
    """
    study = analysis.study
    ours = {arm: found["iqm"] for arm, found in analysis.aggregates.items()}
    if not ours:
        return None
    told = {x.arm: np.array([x.iqm, x.low, x.high], float) for x in study.paper}
    paper = {arm: Estimate(*ends) for arm, ends in told.items()}
    panels = {"beside the paper's": _Panel(ours, paper=paper)}
    ends = np.array([0.0, *(float(end) for iqm in ours.values() for end in iqm)])
    spread = float(np.nanmax(ends) - np.nanmin(ends))
    if max((x.iqm for x in study.paper), default=0.0) > _TOO_SMALL * spread:
        panels["these runs alone, enlarged"] = _Panel(ours)
    gray: Look = {"color": style.SHARED, "linestyle": "none", "markersize": 7}
    mark = "o" if study.xs else "s"
    marks = [Line2D([], [], label="these runs", marker=mark, **gray)]
    if study.paper:
        gray |= {"markerfacecolor": "white", "marker": "o"}
        marks.append(Line2D([], [], label="the paper", **gray))
    text = f"IQM {'against' if study.xs else 'by'} {study.axis}"
    label = f"IQM of {analysis.scale.name} score"
    figure, drawn = _draw(study, text, panels, label, marks, share=False)
    if len(panels) > 1:
        figure.set_figheight(figure.get_figheight() + 0.4)
    for axes in drawn:
        axes.axhline(0, color="#999999", linewidth=0.8, zorder=0)
    return figure


def dormant_at_the_end(analysis: Analysis) -> Figure | None:
    """Draw each run's last dormant fraction, over all games and in the paper's.

    The paper's are those of the same threshold.
    """
    tau, study = analysis.tau, analysis.study
    paper = [x for x in study.paper_dormancy if tau is not None and x.tau == tau]
    games: dict[str, str | None] = {"all games": None}
    for x in paper:
        when = f"\n(the paper: after {x.at:,} {study.unit})" if x.at else ""
        games[f"{x.game} only{when}"] = x.game
    panels = {}
    for name, game in games.items():
        runs = _finals(analysis, game)
        means = {arm: statistics.point(values.mean()) for arm, values in runs.items()}
        if runs:
            ranges = [x for x in paper if x.game == game]
            panels[name] = _Panel(means, runs, ranges=ranges)
    if not panels:
        return None
    gray: Look = {"color": style.SHARED}
    marks: list[Artist] = [] if study.xs else [Patch(label="mean over runs", **gray)]
    marks.append(Line2D([], [], linestyle="none", marker=".", label="one run", **gray))
    if paper:
        marks.append(Line2D([], [], label="the paper's range", **gray | RANGE))
    text = f"dormant fraction at the end, τ = {tau:g}"
    label = "fraction of neurons"
    figure, drawn = _draw(study, text, panels, label, marks, share=True)
    for axes, name in zip(drawn, panels, strict=True):
        axes.set_title(name)
        axes.tick_params(labelbottom=True)
    values = [x.max() for panel in panels.values() for x in panel.runs.values()]
    values += [x.high / 100 for x in paper]
    style.fractions(drawn[0], (), highest=max(values))
    return figure


def _finals(analysis: Analysis, game: str | None) -> dict[str, np.ndarray]:
    """Return the dormant fractions at the ends of each arm's runs, in a game or all."""
    found = {}
    for arm in analysis.study.arms:
        runs = analysis.finished(arm.name, game)
        values = [summary.final_dormant_fraction(run, analysis.tau) for run in runs]
        found[arm.name] = np.array([x for x in values if np.isfinite(x)])
    return {name: values for name, values in found.items() if len(values)}


def ends(analysis: Analysis) -> Figure | None:
    """Draw the last iteration's metrics against the axis."""
    study, games = analysis.study, curves.games(analysis)
    metrics = [name for name in _AT_THE_END if name in curves.table(analysis).columns]
    if not (study.xs and games and metrics):
        return None
    panels = {}
    for metric in metrics:
        found = {
            arm.name: curve.y.at(-1)
            for arm in study.arms
            if (curve := curves.curve(analysis, arm, games[0], metric))
        }
        panels[curves.named(analysis, metric, _AT_THE_END[metric])] = _Panel(found)
    text = f"at the end, against {study.axis}"
    text += f", {games[0]}" if len(games) > 1 else ""
    return _draw(study, text, panels, "", (), share=False)[0]


# By the slugs of `data/figures.toml`.
DRAW: dict[str, Callable[[Analysis], Figure | None]] = {
    "headline": headline,
    "dormant_at_the_end": dormant_at_the_end,
    "ends": ends,
}
