"""Begin and end a command's process: streams, signals, exit status.

No failing output ends it, and a signal ends it by one line and a status.
"""

import builtins
import contextlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, NoReturn

from redo_dopamine import errors
from redo_dopamine.rundir import lock

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
# nohup ignores one, a shell the other for what it starts in the background.
MAY_BE_IGNORED = (signal.SIGHUP, signal.SIGINT)
# A signal that comes so soon after another is of the same wish to stop.
_SAME_WISH = 5.0  # seconds
# So is one that comes at once, while training; a person takes longer.
_AT_ONCE = 0.3  # seconds
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
    if sys.flags.optimize > 1:
        sys.exit(
            _failed(
                "Docstrings must be there, because Keras edits its own, but -OO or "
                "PYTHONOPTIMIZE=2 leaves them out. Start Python without.",
                errors.USER_ERROR,
            )
        )
    # A command draws to files alone; matplotlib fails at a name that it does not know.
    os.environ["MPLBACKEND"] = "agg"
    # Help is folded to the terminal's width, which absl cannot do to a few letters.
    if os.environ.get("COLUMNS", "").isdecimal() and int(os.environ["COLUMNS"]) < 20:
        os.environ["COLUMNS"] = "20"
    _handle(_Leave())


class _Leave:
    """Ends the process at once: for imports, which may swallow any exception."""

    def __init__(self) -> None:
        # A copy, because imports are silenced by giving away the original.
        self._stderr = os.dup(2)

    def __call__(self, number: int, frame: FrameType | None) -> None:
        with contextlib.suppress(OSError):
            said = f"{_stopped_by(signal.Signals(number).name)}\n"
            os.write(self._stderr, said.encode())
        os._exit(errors.STOPPED)


def is_watched() -> bool:
    """Whether somebody looks on, at a terminal or in a notebook; not a log file."""
    return sys.stderr.isatty() or hasattr(builtins, "__IPYTHON__")


def bar_size() -> dict[str, Any]:
    """Arguments for tqdm: as large as the terminal, or 80 x 24 where it has no size."""
    try:
        known = os.get_terminal_size(2).columns > 0
    except OSError:
        known = True  # No terminal, and no limit.
    return {"dynamic_ncols": True} if known else {"ncols": 80, "nrows": 24}


@contextlib.contextmanager
def saying(what: str) -> Iterator[None]:
    """Say what is done while the block runs, where somebody looks on."""
    if not is_watched():
        yield
        return
    print(f"{what} ...", end="\r", file=sys.stderr, flush=True)
    try:
        yield
    finally:
        print(" " * (len(what) + 4), end="\r", file=sys.stderr, flush=True)


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """Import, in a command's function, what takes seconds: a signal ends it at once."""
    if not isinstance(sys.stdout, LastingStream):  # No command, but a library.
        yield
        return
    with saying("Loading"):
        yield from _importing()


def _importing() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    _handle(_Leave())
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler != signal.SIG_IGN:
                signal.signal(number, handler)


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
    logging.raiseExceptions = False


def status_of(command: Callable[[], int | None]) -> int:
    """Carry out a command; say what the user has to fix, and return the exit status.

    Args:
        command: returns its exit status; None for 0. A file that it cannot read or
            write is the user's to fix.
    """
    try:
        return command() or errors.COMPLETE
    except errors.UserError as error:
        return _failed(error, errors.USER_ERROR)
    except OSError as error:
        return _failed(
            "Every file that a command needs must be one that can be read or written, "
            f"but {errors.shortened(error.filename or 'one', 300)} cannot: "
            f"{error.strerror or errors.shortened(error)}. Change that, and give the "
            "same command again.",
            errors.USER_ERROR,
        )


def status_of_training(
    train: Callable[[], None], brief: Callable[[BaseException], str]
) -> int:
    """Train; say what went wrong if anything did, and return the exit status.

    Args:
        train: the run.
        brief: a UserError's message in a user's words.
    """
    try:
        train()
    except lock.DirectoryInUseError as error:
        return _failed(error, errors.IN_USE)
    except errors.UserError as error:
        return _failed(brief(error), errors.USER_ERROR)
    except errors.NotFiniteError as error:
        return _failed(error, errors.NOT_FINITE)
    except OSError as error:
        logging.getLogger("absl").debug("In the run:", exc_info=True)
        return _failed(
            f"The run's files could not be written or read ({error}). Fix that; the "
            "same command then goes on from the last checkpoint.",
            errors.CRASHED,
        )
    except StopRequested as stop:
        print(f"Stopped by {stop}. The same command goes on from here.")
        return errors.STOPPED
    return errors.COMPLETE


def _failed(message: object, status: int) -> int:
    print(f"error: {message}", file=sys.stderr)
    return status


def missing(error: ModuleNotFoundError) -> int:
    """Say what to install for a command, and return the exit status.

    Raises:
        ModuleNotFoundError: the module is one of this package's, which is a bug.
    """
    name = (error.name or "").partition(".")[0]
    if name in ("", "redo_dopamine"):
        raise error
    return _failed(
        f"This command needs the module {name!r}, which is not installed. Run 'pip "
        "install redo-dopamine', which installs what every command needs.",
        errors.USER_ERROR,
    )


def run(main: Callable[[], int | None]) -> NoReturn:
    """Run a command and end the process with its status; a signal stops it.

    Args:
        main: the command; returns its exit status.
    """
    begin()
    stop = _Stop()
    status: Any
    try:
        status = main()
    except ModuleNotFoundError as error:
        status = missing(error)
    except SystemExit as error:
        status = error.code
    except BaseException as error:
        # C++ code makes other errors of an interrupt that comes while it runs.
        if not (stop.signal or isinstance(error, KeyboardInterrupt)):
            raise
        stop.end()
        name = stop.signal or str(error) or signal.SIGINT.name
        print(_stopped_by(name), file=sys.stderr)
        status = errors.STOPPED
    stop.end()
    sys.exit(status)


class _Stop:
    """Raises KeyboardInterrupt at a signal, and again where it was swallowed.

    Attributes:
        signal: the name of the one that came; empty before.
    """

    def __init__(self) -> None:
        self.signal = ""
        self._came = 0.0
        self._unraisable = sys.unraisablehook
        if threading.current_thread() is threading.main_thread():
            sys.unraisablehook = self._again
            signal.signal(signal.SIGALRM, self._raise)
        _handle(self._note)

    def end(self) -> None:
        """Ignore signals: what is left is to leave, with a status that is known."""
        _handle(signal.SIG_IGN)
        if threading.current_thread() is threading.main_thread():
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_IGN)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.signal and time.monotonic() - self._came < _SAME_WISH:
            return
        self.signal, self._came = signal.Signals(number).name, time.monotonic()
        self._raise()

    def _raise(self, *_: Any) -> None:
        raise KeyboardInterrupt(self.signal)

    def _again(self, lost: Any) -> None:
        # In a callback of the garbage collector, say, it ends nothing.
        if isinstance(lost.exc_value, KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, 0.01)
        else:
            self._unraisable(lost)


def _stopped_by(name: str) -> str:
    return f"Stopped by {name}. {_AGAIN}"


def _handle(handler: Callable[[int, FrameType | None], Any] | signal.Handlers) -> None:
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
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


class StopRequested(KeyboardInterrupt):
    """A run has stopped between two steps; `str` names the signal.

    Like Ctrl-C no error, so that what handles errors lets it pass.
    """


class StopSwitch:
    """Is asked between two steps whether a signal has come."""

    def __init__(self) -> None:
        self._received: str | None = None
        self._came = 0.0

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Note the signals while the block runs, instead of dying of them.

        A second one acts as it would have without this, unless it comes at once: a
        scheduler and a launcher may both hand on the same wish. Signals that nohup or
        a shell's background job ignores stay ignored. Python hands signals to the main
        thread only; in another one nothing is listened to.
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
            if self._received is None:
                self._received = signal.Signals(number).name
                self._came = time.monotonic()
            elif time.monotonic() - self._came > _AT_ONCE:
                for each, handler in before.items():
                    signal.signal(each, handler)
                signal.raise_signal(number)

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
