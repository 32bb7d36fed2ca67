"""Flags of every command: numbers and paths read, and a wrong one told."""

import argparse
import errno
import math
import os
import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from absl import app, flags

from redo_dopamine import errors
from redo_dopamine.cli import process
from redo_dopamine.errors import UserError, shortened
from redo_dopamine.rundir import files

# A flag is the command's that calls `define_number`: help shows those of the command.
flags.disclaim_key_flags()


class Parser(argparse.ArgumentParser):
    """A parser of options that are written out; `--flag=--` is refused, not lost."""

    def __init__(self, **settings: Any):
        super().__init__(allow_abbrev=False, **settings)

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> Any:
        """As argparse has it.

        Raises:
            UserError: a value that argparse would take for the end of all options.
        """
        words = sys.argv[1:] if args is None else args
        for word in words:
            flag, equals, value = word.partition("=")
            if equals and value == "--" and flag.startswith("--"):
                raise UserError(f"{flag} must have a value, but is '--'. Give one.")
        return super().parse_known_args(args, namespace)


def parse(argv: list[str]) -> list[str]:
    """What is left beside the flags; ends the program where a flag is wrong.

    absl itself would end with status 1, as a crash does, which launchers try again;
    and after help, too.
    """
    try:
        return flags.FLAGS(argv)
    except SystemExit:  # Help was asked for, and shown.
        sys.exit(errors.COMPLETE)
    # absl's own flags raise what they come upon.
    except (flags.Error, ValueError, TypeError, OSError, RecursionError) as error:
        said = str(error) if isinstance(error, flags.Error) else shortened(error)
        print(f"error: {said} All flags: --helpshort.", file=sys.stderr)
        sys.exit(errors.USER_ERROR)


def define_number(
    name: str, default: float | None, text: str, parse: Callable[[str], float]
) -> flags.FlagHolder[Any]:
    """Define a flag of numbers that a parser of `typed_numbers` takes."""
    return flags.DEFINE(_Number(parse), name, default, text)


class _Number(flags.ArgumentParser[float]):
    """Takes what the parser takes, and numbers as they are."""

    def __init__(self, parse: Callable[[str], float]):
        self._parse = parse

    def parse(self, argument: str | float) -> float:
        """The number of a text.

        Raises:
            ValueError: it is none, or out of its range.
        """
        try:
            return self._parse(argument) if isinstance(argument, str) else argument
        except UserError as error:
            raise ValueError(error) from error

    def flag_type(self) -> str:
        """What help says of it."""
        return "number"


def run(main: Callable[[list[str]], int | None]) -> None:
    """Parse the flags, run `main` with what is left, and end the process."""
    _let_help_find(main)
    process.run(lambda: app.run(main, flags_parser=parse))


def _let_help_find(main: Callable[[list[str]], int | None]) -> None:
    """Have --help show the flags and the docstring of the module of `main`.

    absl takes those of the script that was started, which an installed command's has
    none of.
    """
    module = sys.modules[main.__module__]
    script = sys.modules["__main__"]
    if module is script:
        return
    script.__doc__ = module.__doc__
    for flag in flags.FLAGS.get_key_flags_for_module(module.__name__):
        flags.FLAGS.register_key_flag_for_module(sys.argv[0], flag)


def add_trust_modules(options: argparse.ArgumentParser) -> None:
    """The option that names modules which a run may import."""
    options.add_argument(
        "--trust_modules",
        default=(),
        type=lambda text: [x for x in text.split(",") if x],
        metavar="MODULE,...",
        help="modules of your own that a run's configuration names: they are imported, "
        "and nothing else that a checkpoint names",
    )


LARGEST_SEED = 2**63 - 1
_WHOLE = re.compile(r"-?[0-9]+")
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_SHOWN = 40  # Characters of what was typed.


def as_whole(text: str, least: int, most: int) -> int | None:
    """A whole number; None where it is none, or out of its range."""
    if not _WHOLE.fullmatch(text) or len(text) > len(str(most)) + 20:
        return None
    number = int(text)
    return number if least <= number <= most else None


def as_number(text: str) -> float:
    """A finite number; NaN where it is none."""
    number = float(text) if _NUMBER.fullmatch(text) else math.nan
    return number if math.isfinite(number) else math.nan


def shown(text: str) -> str:
    """What was typed, for a message."""
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")


def whole(flag: str, least: int, most: int) -> Callable[[str], int]:
    """The type of an option of argparse: a whole number of a range.

    A wrong one raises a UserError, which argparse lets pass.
    """

    def parse(text: str) -> int:
        number = as_whole(text, least, most)
        if number is None:
            raise UserError(
                f"{flag} must be a whole number from {least} to {most}, but is "
                f"{shown(text)}. Give another one."
            )
        return number

    return parse


def number(
    flag: str, rule: str, fits: Callable[[float], bool]
) -> Callable[[str], float]:
    """The type of an option of argparse: a finite number that fits a rule.

    A wrong one raises a UserError, which argparse lets pass.
    """

    def parse(text: str) -> float:
        found = as_number(text)
        if math.isnan(found) or not fits(found):
            raise UserError(
                f"{flag} must be {rule}, but is {shown(text)}. Give another one."
            )
        return found

    return parse


# The type of every `--scale`.
scale = number(
    "--scale",
    "in (0, 1], where 1 is the study's length",
    lambda x: 0 < x <= 1,
)


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
