"""Stands in for `redo_dopamine.train`: `fake_run.py DIRECTORY BEHAVIOUR`.

Takes the lock and keeps the status as the real one does, without its imports.
"""

import os
import pathlib
import signal
import sys
import time

from redo_dopamine import errors
from redo_dopamine.cli.process import StopRequested, StopSwitch
from redo_dopamine.rundir import lock, status

directory, behavior = pathlib.Path(sys.argv[1]), sys.argv[2]
steps = 0


def crash():
    print("about to fail\rabout to crash")
    raise ValueError("out of luck")


def hang():
    time.sleep(600)


def ignore_sigterm_and_hang():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)


def hang_until_told():
    stop = StopSwitch()
    with stop.listening():
        while True:
            stop.check()
            time.sleep(0.05)


def be_killed():
    os.kill(os.getpid(), signal.SIGKILL)


def succeed():
    global steps
    cores = sorted(os.sched_getaffinity(0))
    (directory / "cores").write_text(f"{cores} {os.environ['OMP_NUM_THREADS']}")
    steps = 100


def crash_once():
    if status.read(directory).attempts == 1:
        crash()
    succeed()


def be_killed_once():
    if status.read(directory).attempts == 1:
        be_killed()
    succeed()


def be_stopped():
    raise StopRequested("SIGTERM")


def be_stopped_once():
    if status.read(directory).attempts == 1:
        be_stopped()
    succeed()


def be_stopped_while_deaf():
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTERM)


def be_stopped_then_crash():
    if status.read(directory).attempts < 3:
        be_stopped()
    crash()


def slow():
    take(1.0)


def slower():
    take(6.0)


def take(seconds):
    global steps
    while steps < 100:
        time.sleep(seconds / 10)
        steps += 10


directory.mkdir(parents=True, exist_ok=True)
if behavior == "mistake":
    print("error: tau must be >= 0, but is -1.")
    sys.exit(errors.USER_ERROR)
if behavior == "find_it_in_use":
    sys.exit(errors.IN_USE)
try:
    with (
        lock.held(directory, patience=0.2),
        status.Reporter(directory, lambda: steps, 100, every=0.05),
    ):
        globals()[behavior]()
except StopRequested:
    sys.exit(errors.STOPPED)
except lock.DirectoryInUseError:
    sys.exit(errors.IN_USE)
