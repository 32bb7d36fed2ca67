"""Numbers among settings: gin may hand over anything, 1e3 for a thousand too."""

import math
from typing import Any

import numpy as np

# Steps and counts are 32-bit integers on the device.
LARGEST_COUNT = 2**31 - 1


def is_number(value: Any) -> bool:
    """Whether it is a finite number, NumPy's too; True and False are none."""
    if isinstance(value, bool | np.bool_):
        return False
    try:
        return math.isfinite(value)
    except (TypeError, OverflowError):  # No number, or none that a float can hold.
        return False


def whole(value: Any, minimum: int, rule: str, remedy: str) -> int:
    """A setting as an int.

    Args:
        value: as it was given.
        minimum: the least that it may be.
        rule: begins the message, such as "period must be a whole number of steps".
        remedy: ends it.

    Raises:
        ValueError: it is not a whole number, is below the minimum, or too large for
            32 bits.
    """
    is_whole = is_number(value) and value == int(value)
    if not is_whole or not minimum <= value <= LARGEST_COUNT:
        most = f" and <= {LARGEST_COUNT}" if is_whole and value >= minimum else ""
        raise ValueError(f"{rule} >= {minimum}{most}, but is {value}. {remedy}")
    return int(value)
