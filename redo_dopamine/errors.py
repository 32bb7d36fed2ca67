"""The exceptions that end a run, and the exit statuses that launchers go by.

And how text of unknown origin stands in messages.
"""

# Exit statuses.
COMPLETE = 0  # All iterations are there.
CRASHED = 1  # As Python's own for an exception.
USER_ERROR = 2  # A mistake in what was typed or asked for: trying again is no use.
IN_USE = 3  # Another process has the directory, or this one has lost it.
NOT_FINITE = 4  # A loss or parameter is NaN or infinite; so it will be again.
STOPPED = 75  # A signal has come; started again, it goes on. EX_TEMPFAIL of sysexits.h.
# Anything else is a crash.

# After these it is no use to try the same again.
FINAL = (USER_ERROR, NOT_FINITE)


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
