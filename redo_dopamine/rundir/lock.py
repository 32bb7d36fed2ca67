"""Lock a directory, so that no two processes write the same run.

`run.lock` is there for as long as the lock is held. The lock is the kernel's (`flock`):
it goes with its process, however that ends, and the file only tells a reader who has
it. A directory that is deleted takes the lock along; its holder can ask whether it
still is the holder.
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
from redo_dopamine.rundir import files

NAME = "run.lock"
# A reader holds the lock for an instant, so the first refusal is not the last word.
_PATIENCE = 1.0  # seconds
_ours: dict[Path, IO[str]] = {}  # Those that this process holds, by absolute path.


class DirectoryInUseError(UserError):
    """Another process holds the lock."""


class LockLostError(DirectoryInUseError):
    """This process held the lock, but its directory was deleted or replaced."""


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
        UserError: something else has the lock file's name.
    """
    path = (Path(directory) / name).absolute()
    deadline = time.monotonic() + patience
    while (file := _take(path)) is None:
        if time.monotonic() > deadline:
            raise DirectoryInUseError(_explain(path))
        time.sleep(0.02)
    with file:
        owner = {"host": socket.gethostname(), "pid": os.getpid(), "since": _now()}
        file.write(json.dumps(owner) + "\n")
        file.flush()
        _ours[path] = file
        try:
            yield
        finally:
            del _ours[path]
            # While it is still held: whoever opened this file before finds that the
            # path leads elsewhere by now, and tries again. Another one's stays.
            if _leads_to(path, file):
                path.unlink(missing_ok=True)


def check(directory: str | Path, name: str = NAME) -> None:
    """Check that a lock of this process still is one; for use before it writes.

    Does nothing where this process has taken no lock.

    Raises:
        LockLostError: the lock file is gone, or is another one.
    """
    path = (Path(directory) / name).absolute()
    file = _ours.get(path)
    if file is not None and not _leads_to(path, file):
        raise LockLostError(
            f"A run's directory must stay where it is, but {path.parent}, or {name} in "
            "it, was deleted or replaced while this process wrote to it. Nothing more "
            "is written there. Start again, with another directory if another run has "
            "this one."
        )


def holder(directory: str | Path, name: str = NAME) -> dict[str, Any] | None:
    """Who holds the lock: `host`, `pid` and `since`; None if nobody does."""
    path = Path(directory) / name
    try:
        with files.open_read(path) as file:
            # Shared, so that two readers do not take each other for a holder.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (FileNotFoundError, NotADirectoryError, files.NotOrdinaryError):
        return None
    except BlockingIOError:
        return _owner(path)
    return None


def _take(path: Path) -> IO[str] | None:
    """The locked, empty file; None if another process has it or just let it go."""
    try:
        file = open(path, "a+", encoding="utf-8", opener=files.no_follow)  # noqa: SIM115
    except files.NotOrdinaryError as error:
        raise UserError(
            f"A lock must be an ordinary file, but {path}: {error.strerror}. Move it "
            "away, or give another directory."
        ) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _leads_to(path, file):
            file.truncate(0)
            return file
    except BlockingIOError:
        pass
    file.close()
    return None


def _leads_to(path: Path, file: IO[str]) -> bool:
    """Whether a path is that of an open file."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.lstat())
    except (FileNotFoundError, NotADirectoryError):
        return False


def _owner(path: Path) -> dict[str, Any]:
    unknown = {"host": "unknown", "pid": "unknown", "since": "unknown"}
    try:
        found = files.read_json(path)
    except (OSError, ValueError):
        found = None  # Between taking the lock and saying so, or it just ended.
    if not isinstance(found, dict):
        return unknown
    told = {key: found[key] for key in unknown if isinstance(found.get(key), str | int)}
    return unknown | told


def _explain(path: Path) -> str:
    owner = _owner(path)
    return (
        f"A run's directory belongs to one process at a time, but {path.parent} is in "
        f"use by process {owner['pid']} on {owner['host']} since {owner['since']}. "
        "Wait for it, stop it, or give another directory."
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
