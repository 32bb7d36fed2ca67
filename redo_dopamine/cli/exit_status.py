"""How `redo_dopamine.train` ends, in one number that launchers go by."""

COMPLETE = 0  # All iterations are there.
CRASHED = 1  # As Python's own for an exception.
USER_ERROR = 2  # A mistake in what was typed or asked for: trying again is no use.
IN_USE = 3  # Another process has the directory, or this one has lost it.
NOT_FINITE = 4  # A loss or parameter is NaN or infinite; so it will be again.
STOPPED = 75  # A signal has come; started again, it goes on. EX_TEMPFAIL of sysexits.h.
# Anything else is a crash.

# After these it is no use to try the same again.
FINAL = (USER_ERROR, NOT_FINITE)
