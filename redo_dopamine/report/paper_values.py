"""The numbers of a paper that a `study.json` holds.

In: its lists, as JSON. Out: values with fractions in [0, 1]. What is not as a launcher
writes it raises KeyError, TypeError or ValueError.
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar


@dataclasses.dataclass(frozen=True)
class PaperValue:
    """A number of the paper: an IQM, or a dormant fraction in one game.

    Attributes:
        arm: the name of the arm that it is about.
        value: the number; None where only a range is known.
        low: where its interval starts; None if the paper gives none.
        high: where its interval ends.
        game: the game; empty for an aggregate over games.
        at: after how many units, where that is not the end of the paper's runs.
        tau: the threshold of a dormant fraction; None where it is not known.
    """

    arm: str
    value: float | None
    low: float | None
    high: float | None
    game: str = ""
    at: int | None = None
    tau: float | None = None


@dataclasses.dataclass(frozen=True)
class PaperPoint:
    """The highest dormant fraction of a stretch of the paper's curve.

    Attributes:
        arm: the name of the arm that it is about.
        game: on which the paper found it; empty where that is not known.
        first: where the stretch begins, in the study's unit and the paper's length.
        last: where it ends; where it begins, for a single measurement.
        value: the fraction, in [0, 1].
        tau: its threshold; None where that is not known.
    """

    arm: str
    game: str
    first: int
    last: int
    value: float
    tau: float | None = None


Value = TypeVar("Value", PaperValue, PaperPoint)


def scores(found: Iterable[Mapping[str, Any]]) -> tuple[PaperValue, ...]:
    """Returns IQMs of human-normalised scores."""
    return tuple(
        PaperValue(
            str(value["arm"]),
            float(value["iqm"]),
            number(value.get("low")),
            number(value.get("high")),
        )
        for value in found
    )


def dormancy(found: Iterable[Mapping[str, Any]], unit: str) -> tuple[PaperValue, ...]:
    """Returns dormant fractions, each with when it was found in the study's unit."""
    return tuple(
        PaperValue(
            str(value["arm"]),
            None,
            float(value["low"]) / 100,
            float(value["high"]) / 100,
            str(value["game"]),
            None if value.get(unit) is None else int(value[unit]),
            number(value.get("tau")),
        )
        for value in found
    )


def curve(found: Iterable[Mapping[str, Any]]) -> tuple[PaperPoint, ...]:
    """Returns points of curves of dormant fractions."""
    return tuple(
        PaperPoint(
            str(point["arm"]),
            str(point["game"]),
            int(point["first"]),
            int(point["last"]),
            float(point["percent"]) / 100,
            number(point.get("tau")),
        )
        for point in found
    )


def at_tau(found: Iterable[Value], tau: float | None) -> tuple[Value, ...]:
    """Returns the dormant fractions that an axis of this threshold may show.

    Those of another threshold, or of one that is not known, belong on no such axis.
    """
    return tuple(value for value in found if tau is not None and value.tau == tau)


def number(value: Any) -> float | None:
    """Returns a number that may be missing; NaN is missing too."""
    found = None if value is None else float(value)
    return None if found is None or math.isnan(found) else found
