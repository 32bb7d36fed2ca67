"""Numbers as they are typed on command lines: plain digits, within limits.

Python's own `int` and `float` take more: digits of other scripts, 1_0, nan and inf.
"""

import math
import re
from collections.abc import Callable

from redo_dopamine.errors import UserError

LARGEST_SEED = 2**63 - 1
_WHOLE = re.compile(r"-?[0-9]+")
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_SHOWN = 40  # Characters of what was typed.


def as_whole(text: str, least: int, most: int) -> int | None:
    """A whole number; None where it is none, or out of its range."""
    if not _WHOLE.fullmatch(text) or len(text) > len(str(most)) + 20:
        return None
    number = int(text)
    return number if least <= number <= most else None


def as_number(text: str) -> float:
    """A finite number; NaN where it is none."""
    number = float(text) if _NUMBER.fullmatch(text) else math.nan
    return number if math.isfinite(number) else math.nan


def shown(text: str) -> str:
    """What was typed, for a message."""
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")


def whole(flag: str, least: int, most: int) -> Callable[[str], int]:
    """The type of an option of argparse: a whole number of a range.

    A wrong one raises a UserError, which argparse lets pass.
    """

    def parse(text: str) -> int:
        number = as_whole(text, least, most)
        if number is None:
            raise UserError(
                f"{flag} must be a whole number from {least} to {most}, but is "
                f"{shown(text)}. Give another one."
            )
        return number

    return parse


def number(
    flag: str, rule: str, fits: Callable[[float], bool]
) -> Callable[[str], float]:
    """The type of an option of argparse: a finite number that fits a rule.

    A wrong one raises a UserError, which argparse lets pass.
    """

    def parse(text: str) -> float:
        found = as_number(text)
        if math.isnan(found) or not fits(found):
            raise UserError(
                f"{flag} must be {rule}, but is {shown(text)}. Give another one."
            )
        return found

    return parse


# The type of every `--scale`.
scale = number(
    "--scale",
    "in (0, 1], where 1 is the study's length",
    lambda x: 0 < x <= 1,
)
