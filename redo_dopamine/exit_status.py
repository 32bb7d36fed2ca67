"""How `redo_dopamine.train` ends, in one number that launchers go by."""

COMPLETE = 0  # All iterations are there.
USER_ERROR = 2  # A mistake in what was typed or asked for: trying again is no use.
IN_USE = 3  # Another process has the directory.
STOPPED = 75  # A signal has come; started again, it goes on. EX_TEMPFAIL of sysexits.h.
# Anything else is a crash, Python's own 1 for an exception among them.
