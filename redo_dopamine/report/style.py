"""How figures look: colors, panels, curves with bands, legends, recycle marks.

On matplotlib's own Figure and not pyplot, so that no state is shared between figures
or with the caller.
"""

import itertools
import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from typing import Any, NamedTuple

import numpy as np
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, MaxNLocator

from redo_dopamine.report.statistics import Estimate

# Okabe and Ito's colors for all kinds of color vision, without the yellow, which
# is too pale for a line on white.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINES = ("-", "--", "-.", ":")
SHARED = "#555555"
GRADIENT_STEPS = "gradient steps"
# More recycles than this, over all runs, and lines would hide the data.
MAX_RECYCLE_LINES = 40
_FEW_POINTS = 40  # Of a curve, so that each has a mark.
_MOST_PANELS = 40
_WIDTH = 9.0
_LEGEND_CHARACTERS = 105
_PLACES_CHARACTERS = 84
_SHEET = resources.files("redo_dopamine.report") / "data/figures.mplstyle"


class Curve(NamedTuple):
    """Values along x, with their intervals: a line of a panel, and its band.

    Where it is drawn, its look has a color at least.
    """

    x: np.ndarray
    y: Estimate
    look: Mapping[str, Any] = {}


Look = dict[str, Any]  # Of matplotlib's lines.
# What ends the y axes, once the curves are drawn.
Limits = Callable[[Axes, Sequence[Curve]], object]


def look(index: int) -> Look:
    """Return the color and line style of the run at this place of the list."""
    cycle, place = divmod(index, len(COLORS))
    return {"color": COLORS[place], "linestyle": LINES[cycle % len(LINES)]}


def plain(text: str) -> str:
    """Return text that matplotlib shows as it is: `$` starts no formula."""
    return text.replace("$", r"\$")


def panels(
    title: str,
    names: Sequence[str],
    x_label: str,
    y_label: str,
    *,
    share: bool = True,
) -> tuple[Figure, list[Axes]]:
    """Return a figure with one labelled panel per name, which may share scales.

    A single panel gets no title of its own.
    """
    count = len(names)
    columns = count if count < 4 else (2 if count == 4 else 3)
    rows = math.ceil(count / columns)
    height = 4.4 if count == 1 else (3.6 if rows == 1 else 2.75 * rows + 0.9)
    height += 0.25 * title.count("\n")
    with rc_context(fname=str(_SHEET)):
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        FigureCanvasAgg(figure)
        figure.suptitle(plain(title))
        grid = figure.subplots(rows, columns, sharex=share, sharey=share, squeeze=False)
    flat, spare = list(grid.flat)[:count], list(grid.flat)[count:]
    for axes in spare:
        axes.remove()
    for place, (axes, name) in enumerate(zip(flat, names, strict=True)):
        if count > 1:
            axes.set_title(plain(name))
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.xaxis.set_major_locator(MaxNLocator(9 if columns == 1 else 5))
        # Shared scales: name them at the outer panels only, with the numbers.
        axes.yaxis.label.set_visible(place % columns == 0)
        lowest = place + columns >= count
        axes.xaxis.label.set_visible(lowest)
        axes.tick_params(labelbottom=lowest or not share)
    return figure, flat


def plot_curves(
    title: str,
    curves: Mapping[str, Sequence[Curve]],
    x_label: str,
    y_label: str,
    *,
    share: bool = True,
    limits: Limits | None = None,
    ticks: Callable[[Axes], None] | None = None,
) -> tuple[Figure, list[Axes]]:
    """Draw curves with the bands of their intervals, in `panels`.

    Of very many panels the first are drawn, and the title says so. `limits` ends the y
    axis of the first, which others may share; `ticks` writes the numbers of each x
    axis, where they are not engineers'.
    """
    if len(curves) > _MOST_PANELS:  # A panel takes a tenth of a second or more.
        title = f"{title}: the first {_MOST_PANELS} of {len(curves)}"
        curves = dict(itertools.islice(curves.items(), _MOST_PANELS))
    figure, drawn = panels(title, list(curves), x_label, y_label, share=share)
    for axes, of_panel in zip(drawn, curves.values(), strict=True):
        for curve in of_panel:
            _draw(axes, curve)
        if ticks is not None:
            ticks(axes)
    if limits is not None:
        limits(drawn[0], [curve for x in curves.values() for curve in x])
    return figure, drawn


def _draw(axes: Axes, curve: Curve) -> None:
    marker = "o" if len(curve.x) <= _FEW_POINTS else None
    look = {"marker": marker, "markersize": 3.5, "linewidth": 1.8, "gid": "curve"}
    axes.plot(curve.x, curve.y.value, **look | {**curve.look})
    if np.isfinite(curve.y.low).any():
        band: Look = {"alpha": 0.18, "linewidth": 0, "gid": "interval"}
        band |= {"color": curve.look["color"]}
        axes.fill_between(curve.x, curve.y.low, curve.y.high, **band)


def fractions(
    axes: Axes,
    curves: Sequence[Curve],
    *,
    rug: bool = False,
    highest: float | None = None,
) -> None:
    """Start the axis of a fraction at 0 and end it above the data, at most at 1.

    And above `highest`, whatever the data; with room below 0 for a `rug` of triangles.
    """
    ends = [np.ravel(end) for curve in curves for end in (curve.y.value, curve.y.high)]
    found = np.concatenate([[np.nan if highest is None else highest], *ends])
    found = found[~np.isnan(found)]
    top = min(1.0, max(0.1, 1.12 * found.max())) if len(found) else 1.0
    # A little air at both ends, so that a curve on 0 or 1 is not cut in half.
    axes.set_ylim((-0.1 if rug else -0.02) * top, top * 1.02)


def from_zero(axes: Axes, curves: Sequence[Curve]) -> None:
    """Start the axis of what has no upper end at 0, unless a curve is below it."""
    # A policy's loss has either sign; the interval of another may reach below 0.
    if min(float(np.min(curve.y.value)) for curve in curves) >= 0:
        axes.set_ylim(bottom=0)


def legend(
    figure: Figure, looks: Mapping[str, Mapping[str, Any]], extra: Sequence[Artist] = ()
) -> None:
    """Name lines by their looks, and any further marks, below the panels."""
    handles: list[Artist] = [
        Line2D([], [], **{"linewidth": 2.2, "label": name, **look})
        for name, look in looks.items()
    ]
    handles += extra
    legend_of(figure, handles, [plain(str(x.get_label())) for x in handles])


def legend_of(figure: Figure, handles: Sequence[Artist], labels: Sequence[str]) -> None:
    """Explain these marks below the panels; make room there."""
    widest = max(len(label) for label in labels) + 8
    columns = max(1, min(len(labels), _LEGEND_CHARACTERS // widest))
    rows = math.ceil(len(labels) / columns)
    figure.set_figheight(figure.get_figheight() + 0.22 * (rows - 1))
    look: Look = {"loc": "outside lower center", "frameon": False}
    figure.legend(handles, labels, ncols=columns, **look)


def name_places(axes: Axes, labels: Sequence[str], panels: int = 1) -> None:
    """Write a name at each of the places 0, 1, 2, ... of an x axis.

    Names are wrapped to the room in one of so many panels, or slanted where that is not
    enough.
    """
    room = _PLACES_CHARACTERS // panels // len(labels)
    # An equation stays on one line.
    equals = "\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}"
    labels = [label.replace(" = ", equals) for label in labels]
    wrapped = [textwrap.wrap(label, max(room, 1)) for label in labels]
    longest = max(len(word) for label in labels for word in label.split(" "))
    fits = longest <= room and max(map(len, wrapped)) <= 3
    names = ["\n".join(lines) for lines in wrapped] if fits else labels
    look: dict[str, Any] = {} if fits else {"rotation": 30, "ha": "right"}
    axes.set_xticks(range(len(labels)), [plain(name) for name in names], **look)
    axes.set_xlim(-0.6, len(labels) - 0.4)


def needs_rug(steps: Sequence[Sequence[int]]) -> bool:
    """Whether there are too many recycles for a line each."""
    return len(set().union(*steps)) > MAX_RECYCLE_LINES


def mark_recycles(axes: Axes, steps: Sequence[Sequence[int]]) -> list[Artist]:
    """Mark recycles, at the `steps` of each run; return what a legend explains of them.

    By light vertical lines in the color of the run, gray where several runs share one;
    or by triangles at the foot if there are many.
    """
    shared: Look = {"color": SHARED, "linestyle": "none", "label": "recycle"}
    if needs_rug(steps):
        shared |= {"marker": "^"}
        small = shared | {"markersize": 3.5, "markeredgewidth": 0, "alpha": 0.45}
        small |= {"transform": axes.get_xaxis_transform(), "gid": "recycle"}
        for index, of_run in enumerate(steps):
            places = [0.012 + 0.014 * (index % 4)] * len(of_run)
            axes.plot(of_run, places, **small | {"color": look(index)["color"]})
        return [Line2D([], [], **shared)]
    colors: dict[int, str] = {}
    for index, of_run in enumerate(steps):
        for step in of_run:
            colors[step] = SHARED if step in colors else look(index)["color"]
    line: dict[str, Any] = {"alpha": 0.25, "linewidth": 1, "zorder": 1}
    for step, color in colors.items():
        axes.axvline(step, color=color, gid="recycle", **line)
    tick = Line2D([], [], alpha=0.5, marker="|", markersize=13, **shared)
    return [tick] if colors else []
