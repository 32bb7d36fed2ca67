"""Checks of what an experiment is given."""

import math
from typing import Any

from redo_dopamine.core.numbers import is_number


def whole(name: str, value: Any, low: int = 1, high: float = math.inf) -> int:
    """A setting as an int: gin may hand over 1e4.

    Raises:
        ValueError: no whole number from `low` to `high`.
    """
    fits = is_number(value) and value == int(value) and low <= value <= high
    check(name, value, fits, f"whole and in [{low}, {high}]")
    return int(value)


def check(name: str, value: Any, fits: bool, rule: str) -> None:
    """Check that a setting fits a rule.

    Raises:
        ValueError: it does not.
    """
    if not fits:
        raise ValueError(f"{name} must be {rule}, but is {value!r}. Give another.")
