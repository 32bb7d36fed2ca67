"""Draws dormancy and recycling.

In: a list of runs. Out: one matplotlib Figure per function, or None where no run
recorded what the figure shows. A run keeps its colour from figure to figure: it goes
by the run's place in the list.
"""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from redo_dopamine.report import style, summary
from redo_dopamine.report.runs import Run


def dormant_fraction(runs: list[Run]) -> Figure | None:
    """Draws the dormant fraction over all layers, one panel per threshold."""
    taus = sorted({tau for run in runs for tau in summary.taus(run)})
    if not taus:
        return None
    names = [f"τ = {tau:g}" for tau in taus]
    label = "fraction of neurons"
    if len(taus) == 1:
        label += f", {names[0]}"
    figure, panels = style.panels(
        "Dormant fraction of all neurons, by threshold",
        names,
        style.GRADIENT_STEPS,
        label,
    )
    data = {
        name: [summary.pooled_dormant_fraction(run, tau) for run in runs]
        for name, tau in zip(names, taus, strict=True)
    }
    done = _recycle_steps(runs)
    marks: list[Line2D] = []
    for axes, of_tau in zip(panels, data.values(), strict=True):
        for index, rows in enumerate(of_tau):
            if len(rows):
                style.draw_line(axes, index, rows["gradient_step"], rows["value"])
        marks = style.mark_recycles(axes, done)
    every = [rows["value"] for of_tau in data.values() for rows in of_tau]
    style.fraction_limits(panels[0], pd.concat(every).max(), style.needs_rug(done))
    style.legend(figure, runs, marks)
    return figure


def dormant_fraction_per_layer(runs: list[Run]) -> Figure | None:
    """Draws the dormant fraction of each layer, at the largest threshold."""
    return _fraction_per_layer(
        runs, "dormant_fraction", "Dormant fraction of each layer"
    )


def overlap_per_layer(runs: list[Run]) -> Figure | None:
    """Draws how far the dormant neurons are the same as at the last measurement."""
    return _fraction_per_layer(
        runs,
        "overlap",
        "Overlap of the dormant set with the one measured before",
        label="overlap",
        highest=1.0,
    )


def recycled_per_layer(runs: list[Run]) -> Figure | None:
    """Draws how many neurons each recycle recycled, one panel per layer."""
    tables = [summary.recycles(run).drop(columns="total") for run in runs]
    layers = list(dict.fromkeys(layer for table in tables for layer in table.columns))
    if not layers:
        return None
    figure, panels = style.panels(
        "Neurons recycled at each recycle",
        layers,
        style.GRADIENT_STEPS,
        "neurons per recycle",
    )
    for axes, layer in zip(panels, layers, strict=True):
        for index, table in enumerate(tables):
            if layer in table:
                counts = table[layer]
                style.draw_line(axes, index, counts.index.to_series(), counts)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    highest = max(float(table.max().max()) for table in tables if len(table))
    top = max(1.0, 1.08 * highest)
    panels[0].set_ylim(-0.02 * top, top)
    style.legend(figure, runs)
    return figure


def _fraction_per_layer(
    runs: list[Run],
    metric: str,
    title: str,
    *,
    label: str = "fraction of neurons",
    highest: float | None = None,
) -> Figure | None:
    """Draws one panel per layer, up to `highest` or else to the largest value."""
    taus = {tau for run in runs for tau in summary.taus(run)}
    if not taus:
        return None
    tau = max(taus)
    data = [summary.per_layer(run, metric, tau) for run in runs]
    layers = list(dict.fromkeys(layer for of_run in data for layer in of_run))
    if not layers:
        return None
    figure, panels = style.panels(
        title, layers, style.GRADIENT_STEPS, f"{label}, τ = {tau:g}"
    )
    done = _recycle_steps(runs)
    marks: list[Line2D] = []
    for axes, layer in zip(panels, layers, strict=True):
        for index, of_run in enumerate(data):
            if layer in of_run:
                rows = of_run[layer]
                style.draw_line(axes, index, rows["gradient_step"], rows["value"])
        marks = style.mark_recycles(axes, done)
    if highest is None:
        every = [rows["value"] for of_run in data for rows in of_run.values()]
        highest = pd.concat(every).max()
    style.fraction_limits(panels[0], highest, style.needs_rug(done))
    style.legend(figure, runs, marks)
    return figure


def _recycle_steps(runs: list[Run]) -> list[list[int]]:
    """Returns, for each run, the gradient steps at which it recycled neurons."""
    tables = [summary.recycles(run) for run in runs]
    return [table.index[table["total"] > 0].tolist() for table in tables]
