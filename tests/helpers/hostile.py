"""Values that a setting may be given by mistake, and what is said of them."""

import math

from redo_dopamine.config.gin_files import brief
from redo_dopamine.errors import UserError

HOSTILE = {
    "text": "abc",
    "empty": "",
    "None": None,
    "list": [1, 2],
    "nested": [[["a"]]],
    "dict": {"a": 1},
    "function": len,
    "NaN": math.nan,
    "infinity": math.inf,
    "negative": -1,
    "zero": 0,
    "fraction": 0.5,
    "true": True,
    "400 digits": int("9" * 400),
    "beyond memory": 10**15,
}


def said_by(function):
    """The message of what a function raises; None where it raises nothing."""
    try:
        function()
    except (UserError, ValueError, TypeError) as error:
        return brief(error)
    return None
