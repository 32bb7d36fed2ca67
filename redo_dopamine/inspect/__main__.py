"""`redo-dopamine inspect --checkpoint=DIR_OR_FILE` measures a checkpoint.

Takes a run's base_dir, or one of its checkpoints. Prints tables, and with
`--output=DIR` writes two CSV files and a picture.
"""

from absl import flags

from redo_dopamine.cli import flags as command_line
from redo_dopamine.cli import process

_CHECKPOINT = flags.DEFINE_string(
    "checkpoint",
    None,
    "A run's base_dir, for its newest checkpoint, or the path of a "
    "checkpoint.<number>.npz.",
)
_STATES = flags.DEFINE_string(
    "states",
    None,
    "A .npy file of states [B, H, W, stack] to measure on, instead of the run's "
    "replay buffer.",
)
_METRICS = flags.DEFINE_list(
    "metrics", None, "Metrics beside dormancy, such as srank,magi; every one if absent."
)
_TAUS = flags.DEFINE_list(
    "taus", None, "Thresholds, such as 0,0.025,0.1; those of the run if absent."
)
_BATCH_SIZE = command_line.define_number(
    "batch_size",
    None,
    "States from the replay buffer; as many as tracking if absent.",
    command_line.whole("--batch_size", 1, 1_000_000),
)
_OUTPUT = flags.DEFINE_string(
    "output",
    None,
    "Directory for two CSV files and a picture; made if missing. If absent, nothing is "
    "written.",
)
_TRUST_MODULES = flags.DEFINE_list(
    "trust_modules",
    [],
    "Modules of your own that the run's configuration names, such as a network's: they "
    "are imported. Nothing else that a checkpoint names is.",
)


def main(argv: list[str]) -> int:
    """Entry point behind the flags; returns the exit status."""
    # Seconds: flags are read, and help shown, first.
    with process.importing():
        from redo_dopamine import training
        from redo_dopamine.inspect import show

    training.prepare(quiet=not flags.FLAGS["verbosity"].present)
    return show.run(
        argv[1:],
        checkpoint=_CHECKPOINT.value,
        states=_STATES.value,
        metrics=_METRICS.value,
        taus=_TAUS.value,
        batch_size=_BATCH_SIZE.value,
        output=_OUTPUT.value,
        trust_modules=_TRUST_MODULES.value,
    )


if __name__ == "__main__":
    command_line.run(main)
