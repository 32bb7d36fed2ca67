"""Stands in for `redo_dopamine.train` where a signal asks it to stop.

`fake_stoppable_run.py DIRECTORY SECONDS [SECONDS_TO_BEGIN]`: deaf at first, as during
its imports; then it makes ten steps, and has a checkpoint after each.
"""

import pathlib
import sys
import time

from redo_dopamine import errors
from redo_dopamine.cli.process import StopRequested, StopSwitch
from redo_dopamine.rundir import lock, status

directory, seconds = pathlib.Path(sys.argv[1]), float(sys.argv[2])
time.sleep(float(sys.argv[3]) if len(sys.argv) > 3 else 0)
checkpoint = directory / "checkpoint"
steps = int(checkpoint.read_text()) if checkpoint.exists() else 0
stop = StopSwitch()
try:
    with (
        lock.held(directory),
        status.Reporter(directory, lambda: steps, 10, every=0.05),
        stop.listening(),
    ):
        while steps < 10:
            try:
                stop.check()
            except StopRequested:
                # A second signal in the midst of it would be the end without us.
                time.sleep(1)
                checkpoint.write_text(str(steps))
                raise
            time.sleep(seconds / 10)
            steps += 1
except StopRequested:
    sys.exit(errors.STOPPED)
