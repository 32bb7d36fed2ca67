"""Draws the dormant neurons of a study: along training, and at its end.

In: an `Analysis`. Out: one matplotlib Figure per function, or None where no run
recorded dormancy. Every finished run counts, games without a human score too.
"""

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from redo_dopamine.report import aggregates, study_style, style, summary
from redo_dopamine.report.aggregates import Estimate
from redo_dopamine.report.analysis import Analysis
from redo_dopamine.report.paper_values import PaperValue
from redo_dopamine.report.runs import Run
from redo_dopamine.report.study import Arm

TAU = 0.1
_MAX_POINTS = 200


class Final(NamedTuple):
    """The dormant fractions of one arm's runs at their ends, within some games."""

    arm: Arm
    values: np.ndarray


def tau_of(analysis: Analysis) -> float | None:
    """Returns 0.1, or the largest threshold that was tracked; None without any."""
    found = {
        tau
        for games in finished_runs(analysis).values()
        for runs in games.values()
        for run in runs
        for tau in summary.taus(run)
    }
    return TAU if TAU in found else max(found, default=None)


def dormant_curves(analysis: Analysis) -> Figure | None:
    """Draws the dormant fraction along training: means over runs, and intervals."""
    tau, study = tau_of(analysis), analysis.study
    if tau is None:
        return None
    rows = functools.partial(summary.pooled_dormant_fraction, tau=tau)
    curves = {
        arm: curve
        for arm, games in finished_runs(analysis).items()
        if (curve := mean_curve(games.values(), rows, "frames", analysis.repeats))
    }
    names = [
        g for g, arms in study.groups.items() if any(a.name in curves for a in arms)
    ]
    if not names:
        return None
    figure, panels = study_style.panels(
        study,
        f"{study.name}: dormant fraction of all neurons, τ = {tau:g}",
        names,
        study.length_label,
        "fraction of neurons",
    )
    for axes, name in zip(panels, names, strict=True):
        for arm in study.groups[name]:
            if arm.name in curves:
                frames, estimate = curves[arm.name]
                look = {
                    "color": study_style.colour(study, arm),
                    "linestyle": "-" if study.xs else study_style.line(study, arm),
                }
                study_style.band(axes, frames, estimate, **look)
    ends = [end for _, e in curves.values() for end in (e.value, e.high)]
    highest = max(float(np.nanmax(end)) for end in ends if np.isfinite(end).any())
    style.fraction_limits(panels[0], highest, rug=False)
    arms = [arm for name in names for arm in study.groups[name]]
    study_style.legend(figure, study, arms, lines=not study.xs)
    return figure


def dormant_at_the_end(analysis: Analysis) -> Figure | None:
    """Draws each run's last dormant fraction, over all games and in the paper's."""
    tau, study = tau_of(analysis), analysis.study
    if tau is None:
        return None
    shown = {"all games": None} | {
        _panel_name(value, study.unit): value.game for value in study.paper_dormant
    }
    finals = {name: _finals(analysis, tau, game) for name, game in shown.items()}
    finals = {name: of_panel for name, of_panel in finals.items() if of_panel}
    if not finals:
        return None
    figure, panels = study_style.panels(
        study,
        f"{study.name}: dormant fraction at the end, τ = {tau:g}",
        list(finals),
        study.axis if study.xs else "",
        "fraction of neurons",
    )
    for axes, name in zip(panels, finals, strict=True):
        axes.set_title(name)
        _draw_finals(axes, analysis, finals[name])
        _draw_paper(axes, analysis, shown[name])
        axes.tick_params(labelbottom=True)
    highest = max(
        float(f.values.max()) for of_panel in finals.values() for f in of_panel
    )
    highest = max([highest, *(value.high or 0.0 for value in study.paper_dormant)])
    style.fraction_limits(panels[0], highest, rug=False)
    _legend_of_finals(figure, analysis)
    return figure


def _panel_name(value: PaperValue, unit: str) -> str:
    when = f"\n(the paper: after {value.at:,} {unit})" if value.at else ""
    return f"{value.game} only{when}"


def finished_runs(analysis: Analysis) -> dict[str, dict[str, list[Run]]]:
    """Returns the finished runs of each arm, by game."""
    found: dict[str, dict[str, list[Run]]] = {}
    for record in analysis.records:
        if record.state in ("done", "no score") and record.run:
            of_arm = found.setdefault(record.arm, {})
            of_arm.setdefault(record.game, []).append(record.run)
    return found


def mean_curve(
    games: Iterable[Sequence[Run]],
    rows: Callable[[Run], pd.DataFrame],
    x: str,
    repeats: int,
) -> tuple[np.ndarray, Estimate] | None:
    """Returns places along `x`, and the mean over runs with its 95% interval.

    The interval is of runs drawn within each game: how far apart games are is not
    part of it.

    Args:
      games: The runs of each game.
      rows: Returns the rows of one metric of a run.
      x: A column.
      repeats: Of the bootstrap.
    """
    found = measured(games, rows, x)
    if found is None:
        return None
    grid, values = found
    return grid, aggregates.mean_curve(values, repeats)


def measured(
    games: Iterable[Sequence[Run]], rows: Callable[[Run], pd.DataFrame], x: str
) -> tuple[np.ndarray, list[np.ndarray]] | None:
    """Returns places along `x`, and of each game what its runs measured there.

    Runs are read where they were measured; between two measurements, on the line
    that joins them, and only where all of them have begun and none has ended. Those
    that measured nothing are left out.

    Args:
      games: The runs of each game.
      rows: Returns the rows of one metric of a run.
      x: A column.

    Returns:
      Places, and arrays [runs, places]; None where nothing was measured.
    """
    of_games = [[_points(rows(run), x) for run in runs] for runs in games]
    of_games = [[p for p in runs if len(p[0])] for runs in of_games]
    of_games = [runs for runs in of_games if runs]
    if not of_games:
        return None
    grid = _grid([places for runs in of_games for places, _ in runs])
    if not len(grid):
        return None
    return grid, [np.array([np.interp(grid, *p) for p in runs]) for runs in of_games]


def _points(table: pd.DataFrame, x: str) -> tuple[np.ndarray, np.ndarray]:
    found = table.dropna(subset="value")
    return found[x].to_numpy(), found["value"].to_numpy()


def _grid(places: list[np.ndarray]) -> np.ndarray:
    """Returns where some run was measured, after all began and before any ended."""
    begin, end = max(p[0] for p in places), min(p[-1] for p in places)
    grid = np.unique(np.concatenate(places))
    grid = grid[(begin <= grid) & (grid <= end)]
    return grid if len(grid) <= _MAX_POINTS else np.linspace(begin, end, _MAX_POINTS)


def _finals(analysis: Analysis, tau: float, game: str | None) -> list[Final]:
    runs = finished_runs(analysis)
    found = []
    for arm in analysis.study.arms:
        values = [
            summary.final_dormant_fraction(run, tau)
            for name, of_game in runs.get(arm.name, {}).items()
            if game in (None, name)
            for run in of_game
        ]
        kept = np.array([value for value in values if np.isfinite(value)])
        if len(kept):
            found.append(Final(arm, kept))
    return found


def _place(analysis: Analysis, arm: Arm, shift: float = 0.0) -> float:
    study = analysis.study
    if not study.xs:
        return study.arms.index(arm) + shift
    rank = study.series.index(arm.series) - (len(study.series) - 1) / 2
    return study_style.place(study, arm, rank + 1.6 * shift)


def _draw_finals(axes: Axes, analysis: Analysis, finals: list[Final]) -> None:
    """Draws each run as a dot, and the means: joined along the axis, or as bars."""
    study = analysis.study
    for arm, values in finals:
        place, colour = _place(analysis, arm), study_style.colour(study, arm)
        if not study.xs:
            axes.bar(place, values.mean(), width=0.5, color=colour, alpha=0.5)
            colour = "#222222"
        x = [place] * len(values)
        look: dict[str, Any] = {"color": colour, "linestyle": "none", "marker": "."}
        axes.plot(x, values, alpha=0.5, markeredgewidth=0, gid="run", **look)
    if not study.xs:
        panels = len(axes.figure.axes)
        style.name_places(axes, [arm.label for arm in study.arms], panels)
        return
    for series in study.series:
        of_series = [final for final in finals if final.arm.series == series]
        of_series.sort(key=lambda final: _place(analysis, final.arm))
        if of_series:
            axes.plot(
                [_place(analysis, arm) for arm, _ in of_series],
                [values.mean() for _, values in of_series],
                color=study_style.colour(study, of_series[0].arm),
                marker=study_style.marker(study, series),
                markersize=6,
                linewidth=1.7,
                gid="mean",
            )
    study_style.set_axis(axes, study)


def _draw_paper(axes: Axes, analysis: Analysis, game: str | None) -> None:
    """Draws the paper's range in one game as a hollow bar."""
    study = analysis.study
    for value in study.paper_dormant:
        for arm in study.arms:
            if value.game == game and value.arm == arm.name:
                x = _place(analysis, arm, 0.3)
                ends = [value.low or 0.0, value.high or 0.0]
                look: dict[str, Any] = {
                    "color": study_style.colour(study, arm),
                    "marker": "o",
                }
                axes.plot([x, x], ends, lw=1.2, mfc="white", ms=6, gid="paper", **look)


def _legend_of_finals(figure: Figure, analysis: Analysis) -> None:
    study, grey = analysis.study, style.SHARED
    dot = Line2D([], [], linestyle="none", marker=".", color=grey, label="one run")
    marks = [dot]
    if study.paper_dormant:
        paper = Line2D([], [], lw=1.2, marker="o", mfc="white", ms=6, color=grey)
        paper.set_label("the paper's range")
        marks.append(paper)
    if study.xs:
        study_style.legend(figure, study, study.arms, marks)
        return
    mean = Patch(color=grey, label="mean over runs")
    style.legend_of(
        figure, [mean, *marks], [str(m.get_label()) for m in (mean, *marks)]
    )
