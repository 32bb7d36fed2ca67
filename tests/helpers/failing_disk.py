"""A disk that fails, or a process that dies, at a chosen call to the system."""

import builtins
import contextlib
import errno
import io
import os
import signal
from unittest import mock

# Of `os`, besides what goes through a file that is open for writing.
_CALLS = ("fsync", "replace", "rename", "unlink", "remove", "mkdir", "truncate")


class FailingDisk:
    """Counts what is done to the disk below a directory, and fails once or for good.

    Args:
        act: called at the chosen call, which it may or may not come back from.
        at: number of that call, from 0; None for none.
    """

    def __init__(self, act, at=None):
        self.calls = []
        self._act = act
        self._at = at

    def note(self, what):
        self.calls.append(what)
        if len(self.calls) - 1 == self._at:
            self._act()

    @contextlib.contextmanager
    def installed(self):
        with contextlib.ExitStack() as stack:
            for name in _CALLS:
                stack.enter_context(
                    mock.patch.object(os, name, self._noted(name, getattr(os, name)))
                )
            opener = self._opener(io.open)
            stack.enter_context(mock.patch.object(io, "open", opener))
            stack.enter_context(mock.patch.object(builtins, "open", opener))
            yield self

    def _noted(self, name, function):
        def noted(*args, **kwargs):
            self.note(name)
            return function(*args, **kwargs)

        return noted

    def _opener(self, original):
        def opened(file, mode="r", *args, **kwargs):
            if not set("wax") & set(mode):
                return original(file, mode, *args, **kwargs)
            self.note("open")
            return _Noted(original(file, mode, *args, **kwargs), self)

        return opened


class _Noted:
    """A file whose writes are counted; half of what was given arrives before one."""

    def __init__(self, file, disk):
        self._file = file
        self._disk = disk

    def write(self, data):
        half = len(memoryview(data).cast("B")) // 2 if not isinstance(data, str) else 0
        try:
            self._disk.note("write")
        except BaseException:
            if half:
                self._file.write(memoryview(data).cast("B")[:half])
            raise
        return self._file.write(data)

    def __enter__(self):
        self._file.__enter__()
        return self

    def __exit__(self, *args):
        return self._file.__exit__(*args)

    def __iter__(self):
        return iter(self._file)

    def __getattr__(self, name):
        return getattr(self._file, name)


def no_space():
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def die():
    """As a power cut would have it: nothing is cleaned up."""
    os.kill(os.getpid(), signal.SIGKILL)
