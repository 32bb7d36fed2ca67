"""`redo-dopamine COMMAND`, and `python -m redo_dopamine COMMAND`."""

import difflib
import runpy
import sys

from redo_dopamine import __version__, errors
from redo_dopamine.cli import process
from redo_dopamine.cli.commands import COMMANDS

_EXAMPLE = "redo-dopamine train --base_dir=runs/pong --gin_files=dqn_redo.gin"


def usage(start: str = "") -> str:
    """Every command, or each that starts so, a line each."""
    lines = [
        f"  {name:14}{what}"
        for name, (_, what) in COMMANDS.items()
        if name.startswith(start)
    ]
    return "\n".join(
        [
            f"redo-dopamine {__version__}: dormant neurons, tracked and recycled.",
            "",
            "usage: redo-dopamine COMMAND [--help] ...",
            "",
            *lines,
            "",
            f"example: {_EXAMPLE}",
        ]
    )


def main() -> None:
    """Run the command that is named first; ends the process with its status."""
    process.begin()
    words = sys.argv[1:]
    if not words or words[0] in ("-h", "--help", "help"):
        print(usage())
        sys.exit(0)
    if words[0] == "--version":
        print(__version__)
        sys.exit(0)
    if words[0] == "launch" and words[1:2] in (["-h"], ["--help"], ["help"]):
        print(usage("launch"))
        sys.exit(0)
    used = 2 if words[0] == "launch" else 1
    name = " ".join(words[:used])
    if name not in COMMANDS:
        _refuse(name)
    sys.argv = [f"redo-dopamine {name}", *words[used:]]
    try:
        runpy.run_module(COMMANDS[name][0], run_name="__main__", alter_sys=True)
    except ModuleNotFoundError as error:  # Of what a command imports before it begins.
        sys.exit(process.missing(error))


def train() -> None:
    """The command `redo-train`: `redo-dopamine train`."""
    sys.argv.insert(1, "train")
    main()


def _refuse(name: str) -> None:
    near = difflib.get_close_matches(name, COMMANDS, n=1)
    remedy = f"Did you mean {near[0]!r}?" if near else "See redo-dopamine --help."
    print(
        f"error: The command must be one of {', '.join(COMMANDS)}, but is {name!r}. "
        f"{remedy}",
        file=sys.stderr,
    )
    sys.exit(errors.USER_ERROR)


if __name__ == "__main__":
    main()
