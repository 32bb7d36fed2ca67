"""Check settings and states: numbers in their range, functions of the right kind."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
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


def layer_name(name: Any) -> str:
    """The name of a layer, which stands in a line of metrics.csv.

    Raises:
        ValueError: it is no text, is empty, or holds a comma or what is not printed.
    """
    fits = isinstance(name, str) and name.strip() and name.isprintable()
    if not fits or "," in name:
        raise ValueError(
            "A layer's name must be printable text without a comma, such as "
            f"'Dense_0', but is {name!r}. Name the module that feeds it."
        )
    return str(name)


def whole_setting(name: str, value: Any, low: int = 1, high: float = math.inf) -> int:
    """Give a setting as an int: gin may hand over 1e4.

    Raises:
        ValueError: no whole number from `low` to `high`.
    """
    rule = f"whole and in [{low}, {high}]"
    check_setting(name, value, lambda x: x == int(x) and low <= x <= high, rule)
    return int(value)


def check_positive(**settings: Any) -> None:
    """Check that settings are finite numbers > 0.

    Raises:
        ValueError: one is not.
    """
    for name, value in settings.items():
        check_setting(name, value, lambda x: x > 0, "a finite number > 0")


def check_setting(
    name: str, value: Any, fits: Callable[[Any], bool], rule: str
) -> None:
    """Check that a setting is a finite number that fits a rule.

    Raises:
        ValueError: it is not.
    """
    if not (is_number(value) and fits(value)):
        raise ValueError(f"{name} must be {rule}, but is {value!r}. Give another.")


_LONGEST = 200  # Characters of what a function has raised.


class SettingError(ValueError):
    """A setting that cannot be what it is: the message begins with its name."""


def call(
    setting: str,
    function: Callable[..., Any],
    *arguments: Any,
    of: str,
    shape: Sequence[int] | None = None,
    named: Any = None,
) -> Any:
    """What a user's function gives, while it is traced.

    Args:
        setting: the name that the function was given by.
        function: as given.
        *arguments: of the function.
        of: what it is a function of, and what it must give, for the message.
        shape: of the numbers that it must give; None for any result.
        named: the function that the message names, where it is another one.

    Raises:
        SettingError: it fails, or gives something else.
    """
    name = shown(named or function)
    try:
        result = function(*arguments)
    except SettingError:
        raise
    except Exception as error:
        raise SettingError(
            f"{setting} must be a function of {of}, but {name} fails there: "
            f"{first_line(error)}. Bind another one."
        ) from error
    if shape is not None:
        found = getattr(result, "shape", None)
        if found is None and isinstance(result, int | float):
            found = ()
        if found != tuple(shape):
            raise SettingError(
                f"{setting} must be a function of {of}, but {name} gives "
                f"{_described(result)}. Bind another one."
            )
    return result


def shown(function: Any) -> str:
    """A function as gin files name it."""
    return f"@{getattr(function, '__name__', type(function).__name__)}"


def first_line(error: BaseException) -> str:
    """An error's kind and the beginning of what it says."""
    text = (str(error).strip().splitlines() or [""])[0].rstrip(".")
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _described(result: Any) -> str:
    shape = getattr(result, "shape", None)
    if shape is None:
        return f"a {type(result).__name__}"
    return f"{result.dtype} of shape {tuple(shape)}"


def not_finite(tree: Any) -> Iterator[str]:
    """The arrays of a tree that hold a NaN or an infinity, and how many of each."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        array = np.asarray(leaf)
        if not np.issubdtype(array.dtype, np.inexact):
            continue
        count = array.size - np.count_nonzero(np.isfinite(array))
        if count:
            yield f"{_leaf_name(path)} ({count} of {array.size} values)"


def _leaf_name(path: Any) -> str:
    """A leaf without what tells nothing of it: `online_params/Conv_0/bias`."""
    parts = [jax.tree_util.keystr((key,), simple=True) for key in path]
    return "/".join(part for part in parts if part != "params")
