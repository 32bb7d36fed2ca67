"""Draws what is measured along training by game, a panel per game.

In: an `Analysis`. Out: a matplotlib Figure per entry of `CURVES`, or None where no
finished run recorded what it shows.
"""

import functools
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from redo_dopamine.report import statistics, summary
from redo_dopamine.report.study import arm_style
from redo_dopamine.report.study import curves as arm_curves
from redo_dopamine.report.study.analysis import Analysis
from redo_dopamine.report.study.spec import Arm

MAX_BANDS = 4
LOOK = (
    "The mean over finished runs and, in studies of few arms, its 95% interval by "
    "Student's t. The colour is the series, the line style the place on the "
    "study's axis. Each panel has a scale of its own."
)
# Places along training, and what was measured there: [places] and [runs, places].
Curve = tuple[np.ndarray, np.ndarray]


class GameCurves(NamedTuple):
    """A figure of the page, and what is said with it."""

    slug: str
    title: str
    caption: str
    draw: Callable[[Analysis], Figure | None]


def returns(analysis: Analysis) -> Figure | None:
    """Draws the return in each game."""
    counted = {record.key for record in analysis.records if record.counts}
    tables: dict[tuple[str, str], list[pd.DataFrame]] = {}
    for key, table in analysis.scores.groupby(["arm", "game", "seed"], sort=False):
        if key in counted:
            tables.setdefault(key[:2], []).append(table)
    curves = {key: _returns(of_arm) for key, of_arm in tables.items()}
    return _draw(analysis, "return by game", "return", curves)


def dormant(analysis: Analysis) -> Figure | None:
    """Draws the dormant fraction of all neurons in each game."""
    tau = arm_curves.tau_of(analysis)
    if tau is None:
        return None
    rows = functools.partial(summary.pooled_dormant_fraction, tau=tau)
    curves = {}
    for arm, games in arm_curves.finished_runs(analysis).items():
        for game, runs in games.items():
            found = arm_curves.measured([runs], rows, "frames")
            if found is not None:
                curves[arm, game] = found[0], found[1][0]
    text = f"dormant fraction of all neurons by game, τ = {tau:g}"
    return _draw(analysis, text, "fraction of neurons", curves, fraction=True)


CURVES = (
    GameCurves("games", "Return along training", "The return.", returns),
    GameCurves(
        "games_dormant",
        "Dormant neurons along training",
        "The dormant fraction of all neurons.",
        dormant,
    ),
)


def _returns(tables: list[pd.DataFrame]) -> Curve:
    length = min(len(table) for table in tables)
    frames = np.mean([table["frames"].to_numpy()[:length] for table in tables], axis=0)
    return frames, np.array([t["return"].to_numpy()[:length] for t in tables])


def _draw(
    analysis: Analysis,
    text: str,
    label: str,
    curves: Mapping[tuple[str, str], Curve],
    fraction: bool = False,
) -> Figure | None:
    """Draws the curve of each arm and game that has one."""
    study = analysis.study
    games = [game for game in study.games if any(game == key[1] for key in curves)]
    if not games:
        return None
    figure, panels = arm_style.panels(
        study,
        f"{study.name}: {text}",
        games,
        study.length_label,
        label,
        share=False,
    )
    for axes, game in zip(panels, games, strict=True):
        for arm in study.arms:
            if (arm.name, game) in curves:
                _draw_arm(axes, analysis, arm, curves[arm.name, game], fraction)
    arm_style.legend(figure, study, study.arms, lines=True)
    return figure


def _draw_arm(
    axes: Axes, analysis: Analysis, arm: Arm, curve: Curve, fraction: bool
) -> None:
    study, (places, values) = analysis.study, curve
    estimate = statistics.t_interval(values)
    # The bands of more arms would hide one another.
    if len(study.arms) > MAX_BANDS:
        estimate = statistics.point(estimate.value)
    elif fraction:
        estimate = estimate.clipped()
    look = {
        "color": arm_style.colour(study, arm),
        "linestyle": arm_style.line(study, arm),
    }
    arm_style.band(axes, places, estimate, **look)
