"""`redo-dopamine data record --checkpoint=RUN_DIR --output=DIR ...`.

Of a run's directory or checkpoint, or of a game's name for an agent that plays at
random, it makes files in the layout of the DQN Replay data set.

`redo-dopamine data teacher --teacher=RUN_DIR --student=RUN_DIR ...`.

Of two runs it makes what a network is distilled from.

Out: files, and their path on the terminal. Exit status 2 and one line on standard error
where that cannot be.
"""

import argparse
from collections.abc import Sequence
from typing import Any

from redo_dopamine.cli import flags, process
from redo_dopamine.cli.flags import LARGEST_SEED, number, whole

_MOST = 10**9
_SEED = whole("--seed", 0, LARGEST_SEED)

# Of both commands, as far as they have them.
_PATHS = ("output", "checkpoint", "teacher", "student")


def _parser() -> argparse.ArgumentParser:
    parser = flags.Parser(
        prog="redo-dopamine data",
        description="Fixed data sets.",
        epilog="example: redo-dopamine data record --game=Pong --num_steps=10000 "
        "--output=data/dqn",
    )
    commands = parser.add_subparsers(required=True)
    _add_record(commands.add_parser("record", help="have an agent play, write it down"))
    _add_teacher(
        commands.add_parser(
            "teacher",
            aliases=["lesson"],  # Its old name.
            help="have a teacher judge its replay",
        )
    )
    return parser


def _add_record(options: argparse.ArgumentParser) -> None:
    options.set_defaults(command=_record)
    add = options.add_argument
    add(
        "--output",
        required=True,
        metavar="DIR",
        help="root of the data set: files go to DIR/<game>/<run>/replay_logs",
    )
    add(
        "--num_steps",
        required=True,
        type=whole("--num_steps", 1, _MOST),
        metavar="N",
        help="agent steps",
    )
    add(
        "--checkpoint",
        metavar="DIR_OR_FILE",
        help="a run's base_dir, or one of its checkpoints; without it, an agent that "
        "has learned nothing",
    )
    add("--game", help="for an agent that has learned nothing, such as DemonAttack")
    for name in ("gin_files", "gin_bindings"):
        add(
            f"--{name}",
            action="append",
            default=[],
            help="for such an agent; may be given several times",
        )
    flags.add_trust_modules(options)
    add(
        "--epsilon",
        type=number("--epsilon", "in [0, 1]", lambda x: 0 <= x <= 1),
        help="share of random actions; that of the run's training, or 1 without a "
        "checkpoint",
    )
    add("--seed", type=_SEED, default=0, help="of the game and random actions")
    add(
        "--run",
        type=whole("--run", 0, _MOST),
        default=1,
        help="names the directory of this recording",
    )
    add(
        "--split_rows",
        type=whole("--split_rows", 1, _MOST),
        default=1_000_000,
        help="rows per file; reading takes 7 GB at most for a million",
    )


def _add_teacher(options: argparse.ArgumentParser) -> None:
    options.set_defaults(command=_teacher)
    add = options.add_argument
    run = "a run's base_dir, or one of its checkpoints"
    add("--teacher", required=True, metavar="DIR_OR_FILE", help=f"{run}, with replay")
    add("--student", required=True, metavar="DIR_OR_FILE", help=run)
    add(
        "--output",
        default="data/distillation",
        metavar="DIR",
        help="for <game>.npz (default: %(default)s, where the study looks)",
    )
    add(
        "--num_states",
        type=whole("--num_states", 1, _MOST),
        default=10_000,
        metavar="N",
        help="of the replay",
    )
    add("--seed", type=_SEED, default=0, help="of the draw")
    flags.add_trust_modules(options)


def _record(settings: dict[str, Any]) -> str:
    # Seconds: the command line is read, and help shown, first.
    with process.importing():
        from redo_dopamine import training
        from redo_dopamine.offline import arrays
        from redo_dopamine.tools import record

    training.prepare(quiet=True)
    directory = record.record(record.Request(**settings))
    splits = arrays.splits_in(directory)
    return f"{settings['num_steps']:,} steps are in {directory}, splits {splits}."


def _teacher(settings: dict[str, Any]) -> str:
    with process.importing():
        from redo_dopamine import training
        from redo_dopamine.tools import teacher_data

    training.prepare(quiet=True)
    path = teacher_data.make(teacher_data.Request(**settings))
    return f"Teacher data of {settings['num_states']:,} states are in {path}."


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    return process.status_of(lambda: _run(arguments))


def _run(arguments: Sequence[str] | None) -> None:
    settings = vars(_parser().parse_args(arguments))
    command = settings.pop("command")
    for name in _PATHS:
        if settings.get(name) is not None:
            settings[name] = flags.given(f"--{name}", settings[name])
    print(command(settings))


if __name__ == "__main__":
    process.run(main)
