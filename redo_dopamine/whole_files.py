"""Files that are there whole or not at all, however the process that writes them ends.

What comes in: a path and what is to be there. What leaves: that file, on the disk.
Whoever writes has the directory to itself, by a lock.
"""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from redo_dopamine import run_files


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that takes the place of `path` once it is all on the disk.

    Until then it is beside it, as `<name>.part`. If the block or the disk fails, that
    is deleted and `path` is as it was.

    Raises:
        NotOrdinaryError: `path` is there and no ordinary file.
    """
    run_files.check_replaceable(path)
    beside = path.with_name(f"{path.name}.part")
    try:
        with run_files.open_new(beside) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
    _sync_directory(path.parent)


def write_text(path: Path, text: str) -> None:
    r"""Write a text file, whole or not at all.

    Bytes of a file's name that are no text stand in it as `\udc..`.
    """
    with written_whole(path) as file:
        file.write(text.encode("utf-8", "backslashreplace"))


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file that people can read, whole or not at all."""
    # What is no text becomes an escape, which is JSON's own for the same.
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _sync_directory(directory: Path) -> None:
    """Have the new name on the disk as well."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
