"""Draws how training went: return and loss.

In: a list of runs. Out: one matplotlib Figure per function, or None where no run
recorded what the figure shows. A run keeps its colour from figure to figure: it goes
by the run's place in the list.
"""

import math
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

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
