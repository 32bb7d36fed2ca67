"""Directories and files that were typed: one rule for every command."""

import errno
import os
import tempfile
from pathlib import Path

from redo_dopamine.errors import UserError, shortened
from redo_dopamine.rundir import files


def given(flag: str, text: str) -> str:
    """A path that a flag names, with `~` expanded.

    Args:
        flag: for the message.
        text: as typed.

    Raises:
        UserError: it is empty, no text, too long, or of a user that there is not.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise UserError(
            f"{flag} must be a name in UTF-8, but is {text!r}, whose bytes are not. "
            "Rename it."
        ) from None
    return usable(flag, text)


def usable(name: str, text: str) -> str:
    """A path of whatever bytes, with `~` expanded.

    Args:
        name: of the flag or argument, for the message.
        text: as given.

    Raises:
        UserError: it is empty, too long, or of a user that there is not.
    """
    if not text.strip():
        raise UserError(
            f"{name} must name a file or directory, but is {text!r}. Give one; perhaps "
            "a variable of the shell that should be it is not set."
        )
    if "\0" in text:
        raise UserError(f"{name} must be a name, but {text!r} has a zero byte.")
    expanded = os.path.expanduser(text)
    if expanded.startswith("~"):
        raise UserError(
            f"{name} begins with ~, which stands for a home directory, but there is "
            f"none of {text.partition('/')[0]!r}. Write ./{text} if it is a name."
        )
    try:
        os.stat(expanded)
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
            raise UserError(
                f"{name} must be a path that the system takes, but "
                f"{shortened(repr(text), 60)} is not: {error.strerror}. Give another."
            ) from None
    return expanded


def optional(flag: str, text: str | None) -> str | None:
    """As `given`; None where nothing was typed."""
    return None if text is None else given(flag, text)


def writable_run(flag: str, text: str) -> Path:
    """The directory of a run, made if missing, that a flag names.

    Raises:
        UserError: as `writable`, or it holds what a run must not write to
            (`files.check_layout`).
    """
    directory = writable(flag, text)
    try:
        files.check_layout(flag, directory)
    except OSError as error:
        raise UserError(
            f"{flag} must be a directory that can be read, but {text!r} cannot: "
            f"{error.strerror}. Give another one."
        ) from error
    return directory


def writable(flag: str, text: str) -> Path:
    """A directory, made if missing, that a flag names.

    Raises:
        UserError: as `given`, or it cannot be written.
    """
    directory = Path(given(flag, text))
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise UserError(
            f"{flag} must be a directory that can be written, but {text!r} cannot: "
            f"{error.strerror}. Give another one."
        ) from error
    return directory
