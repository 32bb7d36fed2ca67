"""An exclusive lock on a directory, so that no two processes write the same run.

What comes in: a directory. What leaves: `run.lock` in it for as long as the lock is
held. The lock is the kernel's (`flock`), so it goes with its process, however that
ends; the file's content only tells a reader who has it.
"""

import contextlib
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from redo_dopamine.errors import UserError

NAME = "run.lock"
# A reader holds the lock for an instant, so the first refusal is not the last word.
_PATIENCE = 1.0  # seconds


class DirectoryInUseError(UserError):
    """Another process holds the lock."""


@contextlib.contextmanager
def held(
    directory: str | Path, name: str = NAME, patience: float = _PATIENCE
) -> Iterator[None]:
    """Hold the lock on a directory while the block runs.

    Args:
        directory: must exist.
        name: of the lock file.
        patience: seconds to go on trying.

    Raises:
        DirectoryInUseError: another process has it; the message names it.
    """
    path = Path(directory) / name
    deadline = time.monotonic() + patience
    while (file := _take(path)) is None:
        if time.monotonic() > deadline:
            raise DirectoryInUseError(_explain(path))
        time.sleep(0.02)
    with file:
        owner = {"host": socket.gethostname(), "pid": os.getpid(), "since": _now()}
        file.write(json.dumps(owner) + "\n")
        file.flush()
        try:
            yield
        finally:
            # While it is still held: whoever opened this file before finds that the
            # path leads elsewhere by now, and tries again.
            path.unlink(missing_ok=True)


def holder(directory: str | Path, name: str = NAME) -> dict[str, Any] | None:
    """Who holds the lock: `host`, `pid` and `since`; None if nobody does."""
    path = Path(directory) / name
    try:
        with path.open(encoding="utf-8") as file:
            # Shared, so that two readers do not take each other for a holder.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return None
    except BlockingIOError:
        return _owner(path)
    return None


def _take(path: Path) -> IO[str] | None:
    """The locked, empty file; None if another process has it or just let it go."""
    file = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(file.fileno()).st_ino == path.stat().st_ino:
            file.truncate(0)
            return file
    except (BlockingIOError, FileNotFoundError):
        pass
    file.close()
    return None


def _owner(path: Path) -> dict[str, Any]:
    unknown = {"host": "unknown", "pid": "unknown", "since": "unknown"}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return unknown  # Between taking the lock and saying so, or it just ended.
    return unknown | found


def _explain(path: Path) -> str:
    owner = _owner(path)
    return (
        f"A run's directory belongs to one process at a time, but {path.parent} is in "
        f"use by process {owner['pid']} on {owner['host']} since {owner['since']}. "
        "Wait for it, stop it, or give another directory."
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
