"""The exceptions that end a run with an exit status of its own.

And how text of unknown origin stands in messages.
"""


class UserError(Exception):
    """A wrong input: its message gives the rule, the value seen and the remedy.

    Entry points print the message without a traceback and exit with status 2.
    """


class NotFiniteError(Exception):
    """A loss or a parameter is NaN or infinite: to go on is of no use."""


def shortened(text: object, length: int = 200) -> str:
    """Text of unknown origin for a message: printable, and not longer than this."""
    start = str(text)[: length + 1]
    shown = "".join(
        x if x.isprintable() else x.encode("unicode_escape").decode() for x in start
    )
    return shown if len(shown) <= length else f"{shown[:length]}..."
