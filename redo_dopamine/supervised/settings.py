"""Checks of what an experiment is given."""

import math
from collections.abc import Callable
from typing import Any

from redo_dopamine.core.checks import is_number


def whole(name: str, value: Any, low: int = 1, high: float = math.inf) -> int:
    """A setting as an int: gin may hand over 1e4.

    Raises:
        ValueError: no whole number from `low` to `high`.
    """
    check(
        name,
        value,
        lambda x: x == int(x) and low <= x <= high,
        f"whole and in [{low}, {high}]",
    )
    return int(value)


def check(name: str, value: Any, fits: Callable[[Any], bool], rule: str) -> None:
    """Check that a setting is a finite number that fits a rule.

    Raises:
        ValueError: it is not.
    """
    if not (is_number(value) and fits(value)):
        raise ValueError(f"{name} must be {rule}, but is {value!r}. Give another.")
