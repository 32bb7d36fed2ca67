"""Rules of settings: what a value must be, in words and as a test.

A rule takes any value at all, whatever was typed.
"""

import inspect
import reprlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from redo_dopamine import physical_memory
from redo_dopamine.core.numbers import LARGEST_COUNT, is_number

LARGEST_SEED = 2**63 - 1
_LARGEST_FLOAT32 = 3.4e38


class Rule(NamedTuple):
    """What a setting must be.

    Attributes:
        says: what it must be, after "must be".
        fits: whether a value is that.
        remedy: a sentence to end with.
        is_function: whether the value is a function or class, not called yet.
    """

    says: str
    fits: Callable[[Any], bool]
    remedy: str = "Bind another value."
    is_function: bool = False


def or_none(rule: Rule) -> Rule:
    """The same, or None."""
    return rule._replace(
        says=f"{rule.says}, or None",
        fits=lambda value: value is None or rule.fits(value),
    )


def whole(
    unit: str,
    least: int = 1,
    most: int = LARGEST_COUNT,
    bytes_each: Callable[[], int] | None = None,
) -> Rule:
    """A whole number, as 20_000 or 2e4.

    Args:
        unit: what it counts.
        least: the smallest that is right.
        most: the largest.
        bytes_each: gives the memory that each takes at least; the machine must have
            it.
    """
    says = f"a whole number of {unit} from {least} to {most:_}"
    if bytes_each is not None:
        gib = physical_memory.BYTES / 2**30
        says += f" that fits this machine's memory of {gib:.0f} GiB"

    def fits(value: Any) -> bool:
        if not (is_number(value) and value == int(value) and least <= value <= most):
            return False
        return bytes_each is None or value * bytes_each() <= physical_memory.BYTES

    return Rule(says, fits)


def number(says: str, fits: Callable[[Any], bool]) -> Rule:
    """A finite number, of 32 bits, that fits."""
    return Rule(
        says,
        lambda x: is_number(x) and abs(x) <= _LARGEST_FLOAT32 and bool(fits(x)),
    )


ANY_NUMBER = number("a finite number", lambda x: True)
POSITIVE = number("a finite number > 0", lambda x: x > 0)
NOT_NEGATIVE = number("a finite number >= 0", lambda x: x >= 0)
SHARE = number("a number in [0, 1]", lambda x: 0 <= x <= 1)
BELOW_ONE = number("a number in [0, 1)", lambda x: 0 <= x < 1)
TRUTH = Rule("True or False", lambda x: isinstance(x, bool))
TEXT = Rule(
    "text in quotes", lambda x: isinstance(x, str) and x != "" and "\0" not in x
)
SEED = or_none(
    Rule(
        f"a whole number from 0 to {LARGEST_SEED}",
        lambda x: (
            isinstance(x, int) and not isinstance(x, bool) and 0 <= x <= LARGEST_SEED
        ),
        "With None it is taken from the clock.",
    )
)
SHAPE = Rule(
    "a tuple of whole numbers >= 1, such as (84, 84)",
    lambda x: (
        isinstance(x, tuple) and all(isinstance(n, int) and 1 <= n <= 2**16 for n in x)
    ),
)


def one_of(*values: Any) -> Rule:
    """One of a few values."""
    return Rule(
        f"one of {', '.join(map(repr, values))}" if len(values) > 1 else repr(*values),
        lambda x: any(type(x) is type(value) and x == value for value in values),
    )


def sequence(says: str, fits: Callable[[Any], bool], remedy: str) -> Rule:
    """A list or tuple of what fits."""
    return Rule(
        says,
        lambda x: isinstance(x, list | tuple) and all(fits(item) for item in x),
        remedy,
    )


def function(says: str, num_arguments: int, example: str, *names: str) -> Rule:
    """A function or class, which is not called in gin.

    Args:
        says: what it must be.
        num_arguments: that it is called with.
        example: of a binding's right-hand side.
        *names: of the arguments that are given by name.
    """

    def fits(value: Any) -> bool:
        return callable(value) and takes(value, num_arguments, names)

    return Rule(says, fits, f"Write {example}, without parentheses.", is_function=True)


def kind(says: str, attributes: Sequence[str], example: str) -> Rule:
    """A class that has some attributes."""

    def fits(value: Any) -> bool:
        return isinstance(value, type) and all(hasattr(value, x) for x in attributes)

    return Rule(says, fits, f"Write {example}, without parentheses.", is_function=True)


def takes(function: Any, num_arguments: int, names: Sequence[str] = ()) -> bool:
    """Whether a function can be called so; True where that cannot be told."""
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError):
        return True
    try:
        signature.bind(*[None] * num_arguments, **dict.fromkeys(names))
    except TypeError:
        return False
    return True


def shown(value: Any) -> str:
    """A value in a message, however long it is."""
    brief = reprlib.Repr()
    brief.maxstring = brief.maxother = brief.maxlong = 80
    name = getattr(value, "__name__", None)
    return f"@{name}" if name and callable(value) else brief.repr(value)
