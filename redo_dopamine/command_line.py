"""How the commands that absl runs begin: their flags, and what is never collected.

What comes in: a command's `main` behind the flags. What leaves: the process, by its
status.
"""

import gc
import sys
from collections.abc import Callable

from absl import app, flags

from redo_dopamine import exit_status


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
    """Parse the flags, run `main` with what is left, and end the process.

    What has been imported lives as long as the process: the garbage collector is not to
    look through it again, least of all at the end, where that takes a second.
    """
    gc.freeze()
    app.run(main, flags_parser=parse)
