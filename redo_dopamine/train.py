"""One run: `python -m redo_dopamine.train --base_dir=DIR --gin_files=dqn_redo.gin`.

What comes in: Dopamine's flags. What leaves: a base directory with metrics,
checkpoints and the configuration (docs/training.md). The exit status is one
of `redo_dopamine.cli.exit_status`: 0 for a run that is complete.
"""

import sys

from redo_dopamine import compat  # isort: skip  Before Dopamine.

import ale_py
import tensorflow as tf
from absl import flags, logging

from redo_dopamine.cli import exit_status, paths
from redo_dopamine.cli import flags as command_line
from redo_dopamine.cli import flags as typed_numbers
from redo_dopamine.config import load
from redo_dopamine.errors import NotFiniteError, UserError
from redo_dopamine.rundir import lock, provenance
from redo_dopamine.rundir import status as run_status
from redo_dopamine.rundir.fresh_start import RunFinishedError
from redo_dopamine.rundir.signals import StopRequested
from redo_dopamine.runners import malloc
from redo_dopamine.runners.resume import ResumeOptions
from redo_dopamine.runners.runner import PlasticityRunner, experiment

_BASE_DIR = flags.DEFINE_string(
    "base_dir", None, "Directory of the run; made if missing, resumed if not."
)
_GIN_FILES = flags.DEFINE_multi_string(
    "gin_files", [], "Gin files: paths, or names that ship with the package."
)
_GIN_BINDINGS = flags.DEFINE_multi_string(
    "gin_bindings",
    [],
    "Gin bindings that win over the files, e.g. 'RecycledDQNAgent.replay_ratio = 1'.",
)
_DOPAMINES_TRAINING_STEPS = 250_000
_SCALE = command_line.define_number(
    "scale",
    1.0,
    "What part of its study's length this run is: noted in status.json, no more.",
    typed_numbers.scale,
)
_ALLOW_CONFIG_CHANGE = flags.DEFINE_bool(
    "allow_config_change",
    False,
    "Resume although settings differ from the checkpoint's: they are listed, and hold "
    "from then on. The game, the seed, and what the saved arrays do not fit stay an "
    "error.",
)
_ON_NAN = flags.DEFINE_enum(
    "on_nan",
    "stop",
    ["stop", "rollback"],
    "When a loss or parameter is NaN or infinite: stop with status "
    f"{exit_status.NOT_FINITE}, or go back to the last checkpoint and on with another "
    "data order, once.",
)
_DOPAMINE_CHECKPOINT = flags.DEFINE_string(
    "unpickle_dopamine_checkpoint",
    None,
    "Start a new run from a DQN checkpoint of Dopamine's own: a file ckpt.<n> or its "
    "directory. Such a file is a pickle: take none from anyone you do not trust.",
)


def build_runner(
    base_dir: str,
    options: ResumeOptions = ResumeOptions(),  # noqa: B008  It cannot change.
) -> PlasticityRunner:
    """The runner that gin's current configuration describes.

    Args:
        base_dir: where the run is written; resumed if there is one.
        options: on which it is resumed.

    Raises:
        UserError: a directory that cannot be written, a setting out of its range, or
            a checkpoint that does not fit.
    """
    base_dir = str(paths.writable_run("--base_dir", base_dir))
    with load.building():
        return experiment(base_dir, options=options)


def train(
    base_dir: str,
    scale: float = 1.0,
    options: ResumeOptions = ResumeOptions(),  # noqa: B008  It cannot change.
) -> None:
    """Run, or go on with, the experiment that gin's configuration describes.

    Args:
        base_dir: where the run is written; this process alone has it meanwhile.
        scale: what part of its study's length the run is, for `status.json`.
        options: on which it is resumed.

    Raises:
        UserError: as `build_runner`.
        DirectoryInUseError: another process has the directory, or it was deleted or
            replaced meanwhile.
        NotFiniteError: a loss or a parameter is NaN or infinite.
    """
    base_dir = str(paths.writable_run("--base_dir", base_dir))
    with lock.held(base_dir):
        try:
            runner = build_runner(base_dir, options)
        except RunFinishedError as error:
            print(load.brief(error))
            return
        _run(base_dir, runner, scale)


def _run(base_dir: str, runner: PlasticityRunner, scale: float) -> None:
    status = run_status.Reporter(
        base_dir,
        agent_step=lambda: runner.agent.training_steps,
        agent_steps=runner.num_iterations
        * load.bound("Runner.training_steps", _DOPAMINES_TRAINING_STEPS),
        scale=scale,
    )
    if runner.finished:
        status.confirm_done()
        print(
            f"{base_dir} is finished: all {runner.num_iterations} iterations are "
            "there. Raise Runner.num_iterations to prolong it, or give another "
            "--base_dir."
        )
        return
    with status:
        provenance.record_start(
            base_dir,
            seed=runner.agent.seed,
            game=load.task(),
            agent=type(runner.agent).__name__,
        )
        runner.run_experiment()
        provenance.record_end(base_dir)
    print(
        f"{base_dir} is finished. For its figures run "
        f"'python -m redo_dopamine.report --base_dir={base_dir}'."
    )


def _options() -> ResumeOptions:
    return ResumeOptions(
        allow_config_change=_ALLOW_CONFIG_CHANGE.value,
        rollbacks=int(_ON_NAN.value == "rollback"),
        dopamine_checkpoint=paths.optional(
            "--unpickle_dopamine_checkpoint", _DOPAMINE_CHECKPOINT.value
        ),
    )


def _quiet_logs() -> None:
    """Errors only, unless --verbosity asks for more."""
    if not flags.FLAGS["verbosity"].present:
        logging.set_verbosity(logging.ERROR)
        ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)


def main(argv: list[str]) -> None:
    """Entry point behind the flags."""
    try:
        if len(argv) > 1:
            raise UserError(
                f"Settings are given by flags, but {argv[1:]} are not flags. Write "
                "--gin_bindings='NAME = VALUE'."
            )
        if _BASE_DIR.value is None:
            raise UserError(
                "--base_dir must name the directory of the run, but is not given. Add "
                "--base_dir=DIR."
            )
        _quiet_logs()
        base_dir, options = paths.given("--base_dir", _BASE_DIR.value), _options()
        load.load_gin_configs(_GIN_FILES.value, _GIN_BINDINGS.value)
        train(base_dir, _SCALE.value, options)
    except lock.DirectoryInUseError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(exit_status.IN_USE)
    except UserError as error:
        print(f"error: {load.brief(error)}", file=sys.stderr)
        sys.exit(exit_status.USER_ERROR)
    except NotFiniteError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(exit_status.NOT_FINITE)
    except OSError as error:
        logging.debug("In the run:", exc_info=True)
        print(
            f"error: The run's files could not be written or read ({error}). Fix "
            "that; the same command then goes on from the last checkpoint.",
            file=sys.stderr,
        )
        sys.exit(exit_status.CRASHED)
    except StopRequested as signal:
        print(f"Stopped by {signal}. The same command goes on from here.")
        sys.exit(exit_status.STOPPED)


def run() -> None:
    """The console script `redo-train`."""
    malloc.keep_freed_memory()
    # TensorFlow only writes event files here: the accelerator is for jax. Where there
    # is none, it says so, in words that look like a failure.
    with compat.silenced():
        tf.config.set_visible_devices([], "GPU")
    command_line.run(main)


if __name__ == "__main__":
    run()
