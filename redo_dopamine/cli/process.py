"""What a command's process does about its surroundings, from its first moment.

What comes in: streams that may fail and signals that may come. What leaves: a process
that no failing output ends, and that a signal ends by one line and a status.
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn

from redo_dopamine.cli import exit_status

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
_AGAIN = "The same command again goes on, or begins again."


class LastingStream:
    """A text stream whose failures (full disk, closed pipe, lost terminal) end nothing.

    What could not be written is lost.

    Args:
        stream: what it stands in for.
    """

    def __init__(self, stream: Any):
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, if the stream takes it."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write lines, if the stream takes them."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Hand over what was written, if it is taken."""
        # The interpreter calls this last, and would end with status 120.
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def begin() -> None:
    """Prepare the process of a command; for its first moment, before its imports.

    Signals that it was started to ignore, as by nohup, stay ignored.
    """
    if isinstance(sys.stdout, LastingStream):
        return
    protect_output()
    # A copy, because imports are silenced by giving away the original.
    stderr = os.dup(2)

    def leave(number: int, frame: FrameType | None) -> None:
        # Nothing is begun yet, and an exception might end in any library's hands.
        with contextlib.suppress(OSError):
            os.write(stderr, f"{_stopped_by(signal.Signals(number).name)}\n".encode())
        os._exit(exit_status.STOPPED)

    _handle(leave)


def protect_output() -> None:
    """Have no write to standard output, standard error or a log end the process."""
    _open_missing_descriptors()
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # It was closed when we were started.
            stream = open(os.devnull, "w")  # noqa: SIM115  For as long as we live.
        if hasattr(stream, "reconfigure"):
            # File names may hold bytes that are no text.
            stream.reconfigure(errors="backslashreplace")
        setattr(sys, name, LastingStream(stream))
    import logging  # Here: a library that is imported needs none of this.

    logging.raiseExceptions = False


def run(main: Callable[[], int | None]) -> NoReturn:
    """Run a command and end the process with its status; a signal stops it.

    Args:
        main: the command; returns its exit status.
    """
    begin()

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt(signal.Signals(number).name)

    _handle(stop)
    try:
        status = main()
    except KeyboardInterrupt as error:
        print(_stopped_by(str(error) or signal.SIGINT.name), file=sys.stderr)
        status = exit_status.STOPPED
    sys.exit(status)


def _stopped_by(name: str) -> str:
    return f"Stopped by {name}. {_AGAIN}"


def _handle(handler: Callable[[int, FrameType | None], Any]) -> None:
    if threading.current_thread() is threading.main_thread():
        for number in _SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, handler)


def _open_missing_descriptors() -> None:
    """Or the next file that is opened, such as a run's, would be standard error."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free is this one.
            os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(number, True)
