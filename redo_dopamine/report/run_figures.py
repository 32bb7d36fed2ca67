"""Draws dormancy and recycling.

In: a list of runs. Out: one matplotlib Figure per function, or None where no run
recorded what the figure shows. A run keeps its colour from figure to figure: it goes
by the run's place in the list.
"""

import math
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from redo_dopamine.report import style, summary
from redo_dopamine.report.runs import FRAMES_PER_AGENT_STEP, Run

FRAMES = f"frames ({FRAMES_PER_AGENT_STEP} per agent step)"


def returns(runs: list[Run]) -> Figure | None:
    """Draws episode returns and their running mean, and the iterations' averages."""
    names = ("train/episode_return", "train/average_return", "eval/average_return")
    data = [[summary.series(run, name) for name in names] for run in runs]
    if not any(len(rows) for of_run in data for rows in of_run):
        return None
    figure, (axes,) = style.panels(
        "Return against frames played", ["return"], FRAMES, "return"
    )
    for index, (episodes, train, evaluation) in enumerate(data):
        look = style.look(index)
        colour = look["color"]
        if len(episodes):
            axes.plot(
                episodes["frames"],
                episodes["value"],
                linestyle="none",
                marker=".",
                markersize=6,
                color=colour,
                alpha=0.35,
                markeredgewidth=0,
                gid="episodes",
            )
            mean = running_mean(episodes["value"], summary.LAST_EPISODES)
            axes.plot(episodes["frames"], mean, linewidth=2, gid="running_mean", **look)
        for rows, kind in ((train, "train"), (evaluation, "eval")):
            if len(rows):
                axes.plot(
                    rows["frames"],
                    rows["value"],
                    marker="s" if kind == "train" else "D",
                    markersize=4.5 if kind == "train" else 5.5,
                    markerfacecolor=colour if kind == "train" else "white",
                    linewidth=0.9,
                    gid=kind,
                    **look,
                )
    style.legend(figure, runs, _return_marks([len(c) > 0 for c in _columns(data)]))
    return figure


def loss(runs: list[Run]) -> Figure | None:
    """Draws the training loss, faint as recorded and strong as a running mean."""
    data = [summary.series(run, "loss") for run in runs]
    if not any(len(rows) for rows in data):
        return None
    figure, (axes,) = style.panels(
        "Training loss", ["loss"], style.GRADIENT_STEPS, "loss"
    )
    for index, rows in enumerate(data):
        if len(rows):
            look = style.look(index)
            steps, values = rows["gradient_step"], rows["value"]
            axes.plot(steps, values, alpha=0.25, linewidth=0.8, gid="loss", **look)
            mean = running_mean(values, 1)
            axes.plot(steps, mean, linewidth=2, gid="running_mean", **look)
    style.legend(figure, runs)
    return figure


def running_mean(values: pd.Series, at_least: int) -> pd.Series:
    """Averages each value with those before it.

    The window is `at_least` values, or a fortieth of all of them if that is more, so
    that a long run's curve is as smooth as a short one's.
    """
    window = max(at_least, math.ceil(len(values) / 40))
    return values.rolling(window, min_periods=1).mean()


def _columns(data: list[list[pd.DataFrame]]) -> list[pd.DataFrame]:
    """Returns each kind of return over all runs."""
    return [pd.concat(list(kind)) for kind in zip(*data, strict=True)]


def _return_marks(shown: list[bool]) -> list[Line2D]:
    """Returns what the legend of returns explains, of what the figure shows."""
    episodes, train, evaluation = shown
    grey: dict[str, Any] = {"color": "#555555"}
    marks = []
    if episodes:
        dot = Line2D([], [], linestyle="none", marker=".", label="one episode", **grey)
        mean = Line2D([], [], linewidth=2, label="running mean of episodes", **grey)
        marks += [dot, mean]
    if train:
        marks.append(
            Line2D([], [], lw=0.9, marker="s", ms=4.5, label="train average", **grey)
        )
    if evaluation:
        diamond = Line2D([], [], lw=0.9, marker="D", ms=5.5, mfc="white", **grey)
        diamond.set_label("evaluation average")
        marks.append(diamond)
    return marks


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
