"""Directories and files that were typed: one rule for every command."""

import os
import tempfile
from pathlib import Path

from redo_dopamine.errors import UserError
from redo_dopamine.rundir import files


def given(flag: str, text: str) -> str:
    """A path that a flag names, with `~` expanded.

    Args:
        flag: for the message.
        text: as typed.

    Raises:
        UserError: it is empty, no text, or of a user that there is not.
    """
    if not text.strip():
        raise UserError(
            f"{flag} must name a file or directory, but is {text!r}. Give one; perhaps "
            "a variable of the shell that should be it is not set."
        )
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise UserError(
            f"{flag} must be a name in UTF-8, but is {text!r}, whose bytes are not. "
            "Rename it."
        ) from None
    if "\0" in text:
        raise UserError(f"{flag} must be a name, but {text!r} has a zero byte.")
    expanded = os.path.expanduser(text)
    if expanded.startswith("~"):
        raise UserError(
            f"{flag} begins with ~, which stands for a home directory, but there is "
            f"none of {text.partition('/')[0]!r}. Write ./{text} if it is a name."
        )
    return expanded


def optional(flag: str, text: str | None) -> str | None:
    """As `given`; None where nothing was typed."""
    return None if text is None else given(flag, text)


def writable_run(flag: str, text: str) -> Path:
    """The directory of a run, made if missing, that a flag names.

    Raises:
        UserError: as `given`, or it cannot be written, or holds what a run must not
            write to (`run_files.check_layout`).
    """
    directory = Path(given(flag, text))
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
        files.check_layout(flag, directory)
    except OSError as error:
        raise UserError(
            f"{flag} must be a directory that can be written, but {text!r} cannot: "
            f"{error.strerror}. Give another one."
        ) from error
    return directory
