"""`python -m redo_dopamine.inspect --checkpoint=DIR_OR_FILE`.

In: a run's base_dir, or one of its checkpoints. Out: tables on the terminal, and with
`--output=DIR` two CSV files and a picture. Exit status 2 and one line on standard error
where that cannot be.
"""

from redo_dopamine import compat  # isort: skip  Before Dopamine.

import ale_py
import tensorflow as tf
from absl import flags, logging

from redo_dopamine.cli import flags as command_line
from redo_dopamine.cli import flags as typed_numbers
from redo_dopamine.inspect import command, show

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
    typed_numbers.whole("--batch_size", 1, 1_000_000),
)
_OUTPUT = flags.DEFINE_string(
    "output",
    None,
    f"Directory for {show.MEASURED}, {show.SCORES} and {show.PICTURE}; made if "
    "missing. If absent, nothing is written.",
)
_TRUST_MODULES = flags.DEFINE_list(
    "trust_modules",
    [],
    "Modules of your own that the run's configuration names, such as a network's: they "
    "are imported. Nothing else that a checkpoint names is.",
)


def main(argv: list[str]) -> int:
    """Entry point behind the flags; returns the exit status."""
    if not flags.FLAGS["verbosity"].present:
        logging.set_verbosity(logging.ERROR)
        ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
    return command.run(
        command.Request(
            checkpoint=_CHECKPOINT.value,
            states=_STATES.value,
            metrics=_METRICS.value,
            taus=_TAUS.value,
            batch_size=_BATCH_SIZE.value,
            output=_OUTPUT.value,
            trust_modules=_TRUST_MODULES.value,
            rest=argv[1:],
        )
    )


if __name__ == "__main__":
    # TensorFlow comes with Dopamine, and must leave the accelerator to jax.
    with compat.silenced():
        tf.config.set_visible_devices([], "GPU")
    command_line.run(main)
