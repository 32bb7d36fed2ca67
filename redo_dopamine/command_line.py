"""Flags of the commands that absl runs: a wrong one ends with the status of a mistake.

What comes in: a command's `main` behind the flags. What leaves: the process, by its
status.
"""

import sys
from collections.abc import Callable
from typing import Any

from absl import app, flags

from redo_dopamine import exit_status, process
from redo_dopamine.errors import UserError

# A flag is the command's that calls `define_number`: help shows those of the command.
flags.disclaim_key_flags()


def parse(argv: list[str]) -> list[str]:
    """What is left beside the flags; ends the program where a flag is wrong.

    absl itself would end with status 1, as a crash does, which launchers try again;
    and after help, too.
    """
    try:
        return flags.FLAGS(argv)
    except SystemExit:  # Help was asked for, and shown.
        sys.exit(exit_status.COMPLETE)
    except flags.Error as error:
        print(f"error: {error} All flags: --helpshort.", file=sys.stderr)
        sys.exit(exit_status.USER_ERROR)


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
