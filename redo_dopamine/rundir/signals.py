"""Signals that ask a run to stop: it does so between two steps, with a checkpoint."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
# nohup ignores one, a shell the other for what it starts in the background.
MAY_BE_IGNORED = (signal.SIGHUP, signal.SIGINT)


class StopRequested(KeyboardInterrupt):
    """A run has stopped between two steps; `str` names the signal.

    Like Ctrl-C no error, so that what handles errors lets it pass.
    """


class StopSwitch:
    """Is asked between two steps whether a signal has come."""

    def __init__(self) -> None:
        self._received: str | None = None

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Note the signals while the block runs, instead of dying of them.

        A second one acts as it would have without this. Signals that nohup or a shell's
        background job ignores stay ignored. Python hands signals to the main thread
        only; in another one nothing is listened to.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        handlers = {number: signal.getsignal(number) for number in SIGNALS}
        before = {
            number: handler
            for number, handler in handlers.items()
            if handler != signal.SIG_IGN or number not in MAY_BE_IGNORED
        }

        def note(number: int, frame: FrameType | None) -> None:
            self._received = signal.Signals(number).name
            for each, handler in before.items():
                signal.signal(each, handler)

        for number in before:
            signal.signal(number, note)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def check(self) -> None:
        """Raise if a signal has come.

        Raises:
            StopRequested: with the signal's name.
        """
        if self._received is not None:
            raise StopRequested(self._received)
