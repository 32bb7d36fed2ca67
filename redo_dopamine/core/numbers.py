"""Numbers among settings: gin may hand over anything, 1e3 for a thousand too."""

import math
from typing import Any


def is_number(value: Any) -> bool:
    """Whether it is a finite number, NumPy's too."""
    try:
        return math.isfinite(value)
    except TypeError:
        return False


def whole(value: Any, minimum: int, rule: str, remedy: str) -> int:
    """A setting as an int.

    Args:
        value: as it was given.
        minimum: the least that it may be.
        rule: begins the message, such as "period must be a whole number of steps".
        remedy: ends it.

    Raises:
        ValueError: it is not a whole number, or is below the minimum.
    """
    if not is_number(value) or value != int(value) or value < minimum:
        raise ValueError(f"{rule} >= {minimum}, but is {value}. {remedy}")
    return int(value)
