"""`python -m redo_dopamine.offline record --checkpoint=RUN_DIR --output=DIR ...`.

In: a run's directory or checkpoint, or a game's name for an agent that plays at random.
Out: files in the layout of the DQN Replay data set, and their path on the terminal.
Exit status 2 and one line on standard error where that cannot be.
"""

from redo_dopamine import compat  # isort: skip  Before Dopamine.

import argparse
import sys
from collections.abc import Sequence

import ale_py
import tensorflow as tf
from absl import logging

from redo_dopamine import exit_status
from redo_dopamine.errors import UserError
from redo_dopamine.offline import layout, recording


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m redo_dopamine.offline", description="Fixed data sets."
    )
    commands = parser.add_subparsers(required=True)
    options = commands.add_parser("record", help="have an agent play, write it down")
    add = options.add_argument
    add(
        "--output",
        required=True,
        metavar="DIR",
        help="root of the data set: files go to DIR/<game>/<run>/replay_logs",
    )
    add("--num_steps", required=True, type=int, metavar="N", help="agent steps")
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
    add(
        "--epsilon",
        type=float,
        help="share of random actions; that of the run's training, or 1 without a "
        "checkpoint",
    )
    add("--seed", type=int, default=0, help="of the game and random actions")
    add("--run", type=int, default=1, help="names the directory of this recording")
    add(
        "--split_rows",
        type=int,
        default=1_000_000,
        help="rows per file; reading takes 7 GB at most for a million",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    options = _parser().parse_args(arguments)
    logging.use_absl_handler()
    logging.set_verbosity(logging.ERROR)
    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
    try:
        directory = recording.record(recording.Request(**vars(options)))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return exit_status.USER_ERROR
    splits = layout.splits_in(directory)
    print(f"{options.num_steps:,} steps are in {directory}, splits {splits}.")
    return exit_status.COMPLETE


if __name__ == "__main__":
    # TensorFlow comes with Dopamine, and must leave the accelerator to jax.
    with compat.silenced():
        tf.config.set_visible_devices([], "GPU")
    sys.exit(main())
