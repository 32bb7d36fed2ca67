"""`redo-train` in this process: a status, and flags and gin as they were before."""

import gin
from absl import flags

from redo_dopamine.cli import flags as command_line
from redo_dopamine.tools import train

FLAGS = (
    *("base_dir", "gin_files", "gin_bindings", "scale", "on_nan"),
    *("allow_config_change", "unpickle_dopamine_checkpoint"),
)


def redo_train(*arguments):
    """The exit status of the command."""
    gin.clear_config()
    saved = {name: flags.FLAGS[name].value for name in FLAGS}
    flags.FLAGS.unparse_flags()
    for name in FLAGS:
        flags.FLAGS[name].unparse()
    try:
        train.main(command_line.parse(["redo-train", *arguments]))
    except SystemExit as end:
        return end.code
    finally:
        flags.FLAGS.unparse_flags()
        for name, value in saved.items():
            setattr(flags.FLAGS, name, value)
        gin.clear_config()
    return 0


def arguments(base_dir, bindings, gin_file="dqn_redo.gin"):
    """Those of a run."""
    bound = (f"--gin_bindings={x}" for x in bindings)
    return [f"--base_dir={base_dir}", f"--gin_files={gin_file}", *bound]
