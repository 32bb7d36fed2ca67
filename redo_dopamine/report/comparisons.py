"""How likely a run of one arm beats one of another, and what a test says of it.

In: arms that are compared, and their matrices of scores. Out: a `Comparison` of each
series with the first of its group, and `improvements.csv`.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from redo_dopamine.report import aggregates
from redo_dopamine.report.scores import Matrix
from redo_dopamine.report.statistics import Estimate
from redo_dopamine.report.study import Arm, Study


class Comparison(NamedTuple):
    """Runs of `arm` against those of `over`, within a group of arms.

    Attributes:
        group: its name.
        arm: the one that may be better.
        over: the one that it is compared with.
        probability: that a run of `arm` scores higher.
        p: of the exact rank test, two-sided.
        difference: of the mean scores.
        runs: how many seeds the two arms have.
    """

    group: str
    arm: Arm
    over: Arm
    probability: Estimate
    p: float
    difference: Estimate
    runs: tuple[int, int]


def compare(
    study: Study, matrices: Mapping[str, Matrix], repeats: int
) -> list[Comparison]:
    """Compares each series with the first of its group."""
    found = []
    for group, arms in study.groups.items():
        there = [arm for arm in arms if arm.name in matrices]
        for arm in there[1:]:
            if arm.series != there[0].series or arm.x is None:
                x, y = (matrices[other.name].final for other in (arm, there[0]))
                found.append(
                    Comparison(
                        group=group,
                        arm=arm,
                        over=there[0],
                        probability=aggregates.improvement(x, y, repeats),
                        p=aggregates.rank_test(x, y),
                        difference=aggregates.difference(x, y, repeats),
                        runs=(len(x), len(y)),
                    )
                )
    return found


def table(
    found: Sequence[Comparison], beside: Sequence[Comparison], column: str
) -> pd.DataFrame:
    """Returns `improvements.csv`.

    Args:
        found: by the score.
        beside: by the return that is shown beside it.
        column: the name of that.
    """
    others = {(x.arm.name, x.over.name): x for x in beside}
    rows = []
    for x in found:
        names = {"arm": x.arm.name, "over": x.over.name}
        row: dict[str, object] = {**names, **_numbers(x)}
        row |= {"runs": x.runs[0], "over_runs": x.runs[1]}
        other = others.get((x.arm.name, x.over.name))
        numbers = dict.fromkeys(_numbers(x), np.nan)
        numbers |= _numbers(other) if other else {}
        rows.append(row | {f"{column}_{k}": numbers[k] for k in _BESIDE})
    columns = ["arm", "over", *_COLUMNS, "runs", "over_runs"]
    return pd.DataFrame(rows, columns=[*columns, *(f"{column}_{k}" for k in _BESIDE)])


_COLUMNS = (
    *("probability", "low", "high", "p"),
    *("difference", "difference_low", "difference_high"),
)
_BESIDE = ("probability", "p")


def _numbers(x: Comparison) -> dict[str, float]:
    values = (*x.probability, np.asarray(x.p), *x.difference)
    return {name: float(x) for name, x in zip(_COLUMNS, values, strict=True)}
