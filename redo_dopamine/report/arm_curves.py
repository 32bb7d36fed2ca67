"""What the finished runs of an arm measured along training, as one curve.

In: an `Analysis`, or runs by game and the metric to read. Out: places along an axis,
and what was measured there.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pandas as pd

from redo_dopamine.report import aggregates
from redo_dopamine.report.analysis import Analysis
from redo_dopamine.report.runs import Run
from redo_dopamine.report.statistics import Estimate

_MAX_POINTS = 200


def finished_runs(analysis: Analysis) -> dict[str, dict[str, list[Run]]]:
    """Returns the finished runs of each arm, by game."""
    found: dict[str, dict[str, list[Run]]] = {}
    for record in analysis.records:
        if record.state in ("done", "no score") and record.run:
            of_arm = found.setdefault(record.arm, {})
            of_arm.setdefault(record.game, []).append(record.run)
    return found


def mean(
    games: Iterable[Sequence[Run]],
    rows: Callable[[Run], pd.DataFrame],
    x: str,
    repeats: int,
    fraction: bool = False,
) -> tuple[np.ndarray, Estimate] | None:
    """Returns places along `x`, and the mean over runs with its 95% interval.

    Args:
        games: the runs of each game.
        rows: returns the rows of one metric of a run.
        x: a column.
        repeats: of the bootstrap.
        fraction: whether the metric is in [0, 1].
    """
    found = measured(games, rows, x)
    if found is None:
        return None
    grid, values = found
    return grid, aggregates.mean_curve(values, repeats, fraction)


def measured(
    games: Iterable[Sequence[Run]], rows: Callable[[Run], pd.DataFrame], x: str
) -> tuple[np.ndarray, list[np.ndarray]] | None:
    """Returns places along `x`, and of each game what its runs measured there.

    Runs are read where they were measured; between two measurements, on the line
    that joins them, and only where all of them have begun and none has ended. Those
    that measured nothing are left out.

    Args:
        games: the runs of each game.
        rows: returns the rows of one metric of a run.
        x: a column.

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
