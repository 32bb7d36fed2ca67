"""An inspection as a picture: each layer's scores in rising order, and the taus.

What comes in: an `Inspection`. What leaves: a matplotlib Figure.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from redo_dopamine.inspect.measuring import Inspection
from redo_dopamine.report import style

_LARGEST_LINEAR = 0.1
_FEW_NEURONS = 64


def sorted_scores(inspection: Inspection) -> Figure:
    """One panel per layer, all with the same scale of scores.

    The scale is linear from 0 to the smallest threshold above 0 (or 0.1), so that
    neurons that never fired are in the picture, and logarithmic from there on.
    """
    names = [f"{k}, {len(v)} neurons" for k, v in inspection.scores.items()]
    figure, panels = style.panels(
        f"Dormancy scores at gradient step {inspection.gradient_step:,}",
        names,
        "neurons in order of their score",
        "dormancy score",
        share=False,
    )
    positive = [tau for tau in inspection.taus if tau > 0]
    linear = min([*positive, _LARGEST_LINEAR])
    highest = max(float(np.nanmax(x)) for x in inspection.scores.values())
    for axes, (layer, scores) in zip(panels, inspection.scores.items(), strict=True):
        if len(panels) == 1:
            axes.set_title(style.plain(names[0]))
        _draw_layer(axes, scores, inspection.taus)
        _scale(axes, linear, max(highest, 1.0))
        axes.set_gid(layer)
    handles = [_tau_line(index) for index in range(len(inspection.taus))]
    labels = [f"τ = {tau:g}" for tau in inspection.taus]
    scores_line = Line2D([], [], linewidth=1.7, **style.look(0))
    style.legend_of(figure, [scores_line, *handles], ["score of a neuron", *labels])
    return figure


def _draw_layer(axes: Axes, scores: np.ndarray, taus: Sequence[float]) -> None:
    rising = np.sort(scores)
    marker = "o" if len(rising) <= _FEW_NEURONS else None
    places = np.arange(1, len(rising) + 1)
    axes.plot(
        places, rising, marker=marker, markersize=3, linewidth=1.7, **style.look(0)
    )
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    for index, tau in enumerate(taus):
        mark = _tau_line(index)
        colour = mark.get_color()
        axes.axhline(tau, color=colour, linestyle="--", linewidth=1.2, zorder=1)
        # At the right, where the curve is high above.
        axes.annotate(
            f"{np.mean(scores <= tau):.1%} dormant",
            (0.99, tau),
            xycoords=axes.get_yaxis_transform(),
            xytext=(0, 1.5),
            textcoords="offset points",
            ha="right",
            va="bottom",
            fontsize=9,
            color=colour,
            bbox={"facecolor": "white", "alpha": 0.7, "linewidth": 0, "pad": 0.5},
        )


def _tau_line(index: int) -> Line2D:
    return Line2D([], [], linewidth=1.2, **{**style.look(index + 1), "linestyle": "--"})


def _scale(axes: Axes, linear: float, highest: float) -> None:
    axes.set_yscale("symlog", linthresh=linear, linscale=0.6)
    axes.set_ylim(-0.25 * linear, highest * 1.4)
    ticks = [0.0, *(x for x in (0.001, 0.01, 0.1, 1, 10, 100) if x >= linear)]
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
