"""Distillation: `python -m redo_dopamine.supervised.distillation --base_dir=DIR`.

What comes in: the flags of every experiment (`command`), and a lesson's file. What
leaves: a run's directory.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import gin

from redo_dopamine.cli import paths, process
from redo_dopamine.errors import UserError
from redo_dopamine.supervised import command, gin_names
from redo_dopamine.supervised.q_distillation import Distillation

_LESSON = "Distillation.lesson"


def _configure(options: argparse.Namespace) -> None:
    bindings = list(options.gin_bindings)
    lesson = paths.optional("--lesson", options.lesson)
    if lesson is not None:
        bindings.append(f"{_LESSON} = {lesson!r}")
    gin_names.load(options.gin_files, bindings)


def _make() -> command.Made:
    try:
        lesson = gin.query_parameter(_LESSON)
    except ValueError:
        raise UserError(
            f"A lesson must be named, but there is no {_LESSON}. Give --lesson=FILE."
        ) from None
    return command.Made(gin_names.experiment(Distillation), Path(str(lesson)).stem)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = command.parser(
        "distillation", "Teach a network the Q-values of another on fixed states."
    )
    parser.add_argument("--lesson", help="path of a lesson's file")
    return command.main(parser, arguments, _configure, _make)


if __name__ == "__main__":
    process.run(main)
