"""Opens stored files that may be anybody's, for those who read arrays from them.

What comes in: the path of a file that looks like one of this package's. What leaves:
the open file. Nobody waits for a pipe, and what is read of an archive is never more
than the file has on the disk.
"""

import contextlib
import os
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO


@contextlib.contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a regular file to read.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: it is a directory, a pipe or a device.
    """
    # Not blocking: opening a pipe waits for whoever writes to it.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ValueError("it is not a regular file")
    with os.fdopen(descriptor, "rb") as file:
        yield file


@contextlib.contextmanager
def opened_archive(path: Path) -> Iterator[IO[bytes]]:
    """Open a zip archive of arrays, none of them compressed, as they are written here.

    So its members cannot be larger than the file itself, alone or together.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: it is no regular file, or its members are compressed or overlap.
        zipfile.BadZipFile: it is no zip archive.
    """
    with opened(path) as file:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
        if any(x.compress_type != zipfile.ZIP_STORED for x in members):
            raise ValueError("its arrays are compressed, as none is written")
        if sum(x.file_size for x in members) > os.fstat(file.fileno()).st_size:
            raise ValueError("its arrays are larger than the file")
        yield file
