"""Flags of the commands that absl runs: a wrong one ends with the status of a mistake.

What comes in: a command's `main` behind the flags. What leaves: the process, by its
status.
"""

import sys
from collections.abc import Callable

from absl import app, flags

from redo_dopamine import exit_status, process


def parse(argv: list[str]) -> list[str]:
    """What is left beside the flags; ends the program where a flag is wrong.

    absl itself would end with status 1, as a crash does, which launchers try again.
    """
    try:
        return flags.FLAGS(argv)
    except flags.Error as error:
        print(f"error: {error} All flags: --helpshort.", file=sys.stderr)
        sys.exit(exit_status.USER_ERROR)


def run(main: Callable[[list[str]], int | None]) -> None:
    """Parse the flags, run `main` with what is left, and end the process."""
    process.run(lambda: app.run(main, flags_parser=parse))
