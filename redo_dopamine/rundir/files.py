"""Files of a run directory: no link is followed, nothing is half written."""

import contextlib
import errno
import json
import os
import re
import stat
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from redo_dopamine.errors import UserError

# Ours have a few kilobytes; what is beyond that is not read into memory.
LARGEST_JSON = 64 * 1024**2
# As names of ours have it: not `007`, nor the digits of other scripts.
NUMBER = "(0|[1-9][0-9]{0,17})"
# Of a run's directory, whoever writes them.
_FILES = (
    *("run.lock", "metrics.csv", "config.gin", "run.json", "status.json"),
    *("config.gin.part", "run.json.part", "status.json.part"),
)
_DIRECTORIES = (
    *("checkpoints", "checkpoints/replay", "metrics", "metrics/tensorboard"),
)


class NotOrdinaryError(OSError):
    """Something else lies where an ordinary file or directory must be."""

    def __init__(self, path: str | os.PathLike[str], seen: str, must_be: str = "file"):
        super().__init__(
            errno.EINVAL, f"it must be an ordinary {must_be}, but is {seen}", str(path)
        )


def no_follow(path: str, flags: int) -> int:
    """An opener, as of `open`, for ordinary files alone.

    Raises:
        NotOrdinaryError: there is a link, a directory, a FIFO, a socket or a device.
    """
    try:
        # A FIFO is opened without waiting for its other end.
        safe = flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(path, safe, 0o666)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
            raise NotOrdinaryError(path, _kind(os.lstat(path).st_mode)) from error
        raise
    return _checked(descriptor, path)


def _following(path: str, flags: int) -> int:
    try:
        descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise NotOrdinaryError(path, _kind(os.stat(path).st_mode)) from error
        raise
    return _checked(descriptor, path)


def _checked(descriptor: int, path: str) -> int:
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise NotOrdinaryError(path, _kind(mode))
    return descriptor


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFLNK: "a link",
        stat.S_IFDIR: "a directory",
        stat.S_IFIFO: "a FIFO",
        stat.S_IFSOCK: "a socket",
        stat.S_IFREG: "a file",
    }
    return kinds.get(stat.S_IFMT(mode), "a device")


def open_read(path: str | os.PathLike[str]) -> IO[bytes]:
    """Open an ordinary file, or a link to one, for reading.

    Raises:
        FileNotFoundError: it is not there.
        NotOrdinaryError: it is something else.
    """
    return open(path, "rb", opener=_following)


@contextlib.contextmanager
def open_archive(path: Path) -> Iterator[IO[bytes]]:
    """Open a zip archive of arrays, none of them compressed, as they are written here.

    So its members cannot be larger than the file itself, alone or together.

    Raises:
        OSError: as `open_read`.
        ValueError: its members are compressed or overlap.
        zipfile.BadZipFile: it is no zip archive.
    """
    with open_read(path) as file:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
        if any(x.compress_type != zipfile.ZIP_STORED for x in members):
            raise ValueError("its arrays are compressed, as none is written")
        if sum(x.file_size for x in members) > os.fstat(file.fileno()).st_size:
            raise ValueError("its arrays are larger than the file")
        yield file


def open_append(path: str | os.PathLike[str]) -> IO[bytes]:
    """Open an ordinary file to write at its end, without a buffer; made if missing.

    Raises:
        NotOrdinaryError: it is something else, or a link.
    """
    return open(path, "ab", buffering=0, opener=no_follow)


def open_new(path: Path) -> IO[bytes]:
    """Open a new file for writing; one of that name, or a link, is deleted before."""
    path.unlink(missing_ok=True)
    return path.open("xb")  # As exclusive it follows no link either.


def check_replaceable(path: Path) -> None:
    """Check that a new file may take the place of what is there.

    Raises:
        NotOrdinaryError: that is no ordinary file.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        raise NotOrdinaryError(path, _kind(mode))


def named(
    directory: str | os.PathLike[str], pattern: re.Pattern[str], suffix: str = ""
) -> list[tuple[re.Match[str], Path]]:
    """What in a directory has a name of ours; nothing where there is no directory.

    Args:
        directory: where to look.
        pattern: of the whole name, without the suffix.
        suffix: of the name.
    """
    try:
        names = os.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [
        (match, Path(directory) / name)
        for name in sorted(names)
        if name.endswith(suffix)
        and (match := pattern.fullmatch(name.removesuffix(suffix)))
    ]


def delete(path: Path) -> None:
    """Delete a file or link of ours; a directory of that name is not, and stays."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)


def read_bytes(path: str | os.PathLike[str], at_most: int = -1) -> bytes:
    """The content of an ordinary file, or its first bytes.

    Raises:
        OSError: as `open_read`, or it cannot be read.
    """
    with open_read(path) as file:
        return file.read(at_most)


def read_json(path: str | os.PathLike[str]) -> Any:
    """The content of a file of JSON, whatever somebody has written into it.

    Raises:
        OSError: as `read_bytes`.
        ValueError: it is no JSON, too deep, or far larger than any of ours.
    """
    content = read_bytes(path, LARGEST_JSON + 1)
    if len(content) > LARGEST_JSON:
        raise ValueError(f"it has more than {LARGEST_JSON:,} bytes")
    try:
        return json.loads(content.decode("utf-8"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def check_layout(flag: str, base_dir: str | os.PathLike[str]) -> None:
    """Check that what a run writes to in its directory is its own kind of thing.

    Args:
        flag: that names the directory, for the message.
        base_dir: of the run; it may be a link itself.

    Raises:
        UserError: a link lies there, or anything but a file or directory; or one that
            this process may not read and write.
    """
    read_write = os.R_OK | os.W_OK
    for names, is_right, must_be, rights in (
        (_FILES, stat.S_ISREG, "file", read_write),
        (_DIRECTORIES, stat.S_ISDIR, "directory", read_write | os.X_OK),
    ):
        for name in names:
            path = Path(base_dir) / name
            try:
                mode = path.lstat().st_mode
            except (FileNotFoundError, NotADirectoryError):
                continue
            if not is_right(mode):
                raise UserError(
                    f"{name} must be an ordinary {must_be} in {flag}, but {path} is "
                    f"{_kind(mode)}. A run follows no link there and replaces nothing "
                    "else: move it away, or give another directory."
                )
            if not os.access(path, rights):
                raise UserError(
                    f"{name} must be a {must_be} that can be read and written in "
                    f"{flag}, but {path} cannot. Change its permissions "
                    f"(chmod u+rwX), or give another directory."
                )


def set_aside(path: Path) -> None:
    """Rename a file that is not what was written, and say so; it may not be there."""
    aside = path.with_name(f"{path.name}.damaged")
    number = 1
    while os.path.lexists(aside):  # One that was set aside before stays.
        number += 1
        aside = path.with_name(f"{path.name}.damaged.{number}")
    check_replaceable(path)
    try:
        path.replace(aside)
    except FileNotFoundError:
        return
    print(
        f"warning: {path} must be what this program wrote, but is not. It now is "
        f"{aside.name}, and another one is begun.",
        file=sys.stderr,
    )


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that takes the place of `path` once it is all on the disk.

    Until then it is beside it, as `<name>.part`. If the block or the disk fails, that
    is deleted and `path` is as it was.

    Raises:
        NotOrdinaryError: `path` is there and no ordinary file.
    """
    check_replaceable(path)
    beside = path.with_name(f"{path.name}.part")
    try:
        with open_new(beside) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
    _sync_directory(path.parent)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all."""
    with atomic_write(path) as file:
        file.write(content)


def write_text(path: Path, text: str) -> None:
    r"""Write a text file, whole or not at all.

    Bytes of a file's name that are no text stand in it as `\udc..`.
    """
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


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
