"""How the figures look: colours, panels, legends, recycle marks.

In: runs and what to draw of them. Out: artists on an object-oriented matplotlib
Figure; no pyplot, so no state is shared between figures or with the caller.
"""

import math
import textwrap
from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, MaxNLocator

from redo_dopamine.report.runs import Run

# Okabe and Ito's colours for all kinds of colour vision, without the yellow, which
# is too pale for a line on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINES = ("-", "--", "-.", ":")
SHARED = "#555555"
# The x axis of all figures but that of the return.
GRADIENT_STEPS = "gradient steps"
# More recycles than this, over all runs, and lines would hide the data.
MAX_RECYCLE_LINES = 40
_WIDTH = 9.0
_LEGEND_CHARACTERS = 105
_PLACES_CHARACTERS = 84
_RC: dict[Any, Any] = {
    "font.size": 11,
    "axes.titlesize": 11.5,
    "axes.labelsize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    # Vertical lines are kept for recycles.
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "legend.frameon": False,
    "figure.titlesize": 13.5,
    "figure.titleweight": "bold",
}


def look(index: int) -> dict[str, Any]:
    """Returns the colour and line style of the run at this place of the list."""
    cycle = index // len(COLOURS)
    return {
        "color": COLOURS[index % len(COLOURS)],
        "linestyle": LINES[cycle % len(LINES)],
    }


def plain(text: str) -> str:
    """Returns text that matplotlib shows as it is: `$` starts no formula."""
    return text.replace("$", r"\$")


def panels(
    title: str,
    names: Sequence[str],
    x_label: str,
    y_label: str,
    *,
    share: bool = True,
) -> tuple[Figure, list[Axes]]:
    """Returns a figure with one labelled panel per name.

    A single panel gets no title of its own.

    Args:
        title: of the figure.
        names: of the panels.
        x_label: what the panels' x axes count.
        y_label: what their y axes show.
        share: whether all panels have the same scales.
    """
    count = len(names)
    columns = count if count < 4 else (2 if count == 4 else 3)
    rows = math.ceil(count / columns)
    height = 4.4 if count == 1 else (3.6 if rows == 1 else 2.75 * rows + 0.9)
    with rc_context(_RC):
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        FigureCanvasAgg(figure)
        figure.suptitle(plain(title))
        grid = figure.subplots(rows, columns, sharex=share, sharey=share, squeeze=False)
    flat = list(grid.flat)
    for axes in flat[count:]:
        axes.remove()
    for place, (axes, name) in enumerate(zip(flat, names, strict=False)):
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
    return figure, flat[:count]


def legend(figure: Figure, runs: Sequence[Run], extra: Sequence[Line2D] = ()) -> None:
    """Names the runs, and any further marks, below the panels; makes room there."""
    handles = [Line2D([], [], linewidth=2.2, **look(i)) for i in range(len(runs))]
    labels = [plain(run.label) for run in runs]
    handles += extra
    labels += [str(mark.get_label()) for mark in extra]
    legend_of(figure, handles, labels)


def legend_of(figure: Figure, handles: Sequence[Artist], labels: Sequence[str]) -> None:
    """Explains these marks below the panels; makes room there."""
    widest = max(len(label) for label in labels) + 8
    columns = max(1, min(len(labels), _LEGEND_CHARACTERS // widest))
    rows = math.ceil(len(labels) / columns)
    figure.set_figheight(figure.get_figheight() + 0.22 * (rows - 1))
    figure.legend(
        handles, labels, loc="outside lower center", ncols=columns, frameon=False
    )


def name_places(axes: Axes, labels: Sequence[str], panels: int = 1) -> None:
    """Writes a name at each of the places 0, 1, 2, ... of an x axis.

    Names are wrapped to the room there is, or slanted where that is not enough.

    Args:
        axes: the panel.
        labels: the names.
        panels: how many panels share the figure's width.
    """
    room = _PLACES_CHARACTERS // panels // len(labels)
    # An equation stays on one line.
    labels = [
        label.replace(" = ", "\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}")
        for label in labels
    ]
    wrapped = [textwrap.wrap(label, max(room, 1)) for label in labels]
    fits = all(len(lines) <= 3 for lines in wrapped) and all(
        len(word) <= room for label in labels for word in label.split(" ")
    )
    names = ["\n".join(lines) for lines in wrapped] if fits else labels
    look: dict[str, Any] = {} if fits else {"rotation": 30, "ha": "right"}
    axes.set_xticks(range(len(labels)), [plain(name) for name in names], **look)
    axes.set_xlim(-0.6, len(labels) - 0.4)


def draw_line(axes: Axes, index: int, x: pd.Series, y: pd.Series) -> None:
    """Draws one run's curve, with its points where they are few."""
    marker = "o" if len(x) <= 40 else None
    axes.plot(
        x, y, marker=marker, markersize=3.5, linewidth=1.7, gid="curve", **look(index)
    )


def needs_rug(steps: Sequence[Sequence[int]]) -> bool:
    """Whether there are too many recycles for a line each."""
    return len(set().union(*steps)) > MAX_RECYCLE_LINES


def mark_recycles(axes: Axes, steps: Sequence[Sequence[int]]) -> list[Line2D]:
    """Marks recycles: light vertical lines, or triangles at the foot if many.

    A line has the colour of its run, or is grey where several runs share it.

    Args:
        axes: the panel; its x axis counts gradient steps.
        steps: for each run, the gradient steps at which it recycled neurons.

    Returns:
        What the legend explains: nothing where there was no recycle.
    """
    label = "recycle"
    owners: dict[int, list[int]] = {}
    for index, run_steps in enumerate(steps):
        for step in run_steps:
            owners.setdefault(step, []).append(index)
    if not needs_rug(steps):
        for step, indices in owners.items():
            colour = look(indices[0])["color"] if len(indices) == 1 else SHARED
            axes.axvline(
                step, color=colour, alpha=0.25, linewidth=1, zorder=1, gid="recycle"
            )
        mark = Line2D([], [], color=SHARED, alpha=0.5, linestyle="none", marker="|")
        mark.set(markersize=13, label=label)
        return [mark] if owners else []
    for index, run_steps in enumerate(steps):
        if len(run_steps):
            axes.plot(
                run_steps,
                [0.012 + 0.014 * (index % 4)] * len(run_steps),
                transform=axes.get_xaxis_transform(),
                linestyle="none",
                marker="^",
                markersize=3.5,
                markeredgewidth=0,
                color=look(index)["color"],
                alpha=0.45,
                gid="recycle",
            )
    return [Line2D([], [], color=SHARED, linestyle="none", marker="^", label=label)]


def fraction_limits(axes: Axes, highest: float, rug: bool) -> None:
    """Starts a fraction's axis at 0 and ends it above the data, at most at 1.

    Args:
        axes: the panel.
        highest: the largest value of any curve; NaN where there is none.
        rug: whether triangles at the foot need room below 0.
    """
    top = 1.0 if math.isnan(highest) else min(1.0, max(0.1, 1.12 * highest))
    # A little air at both ends, so that a curve on 0 or 1 is not cut in half.
    axes.set_ylim((-0.1 if rug else -0.02) * top, top * 1.02)
