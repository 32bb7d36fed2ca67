"""One run: `python -m redo_dopamine.train --base_dir=DIR --gin_files=dqn_redo.gin`.

What comes in: Dopamine's flags. What leaves: a base directory with metrics,
checkpoints and the configuration (README, 'What a run leaves'). Exit status 0 for a
run that is complete, 2 for a mistake in what was typed.
"""

import sys
import tempfile
from pathlib import Path

from redo_dopamine import compat  # isort: skip  Before Dopamine.

import ale_py
import tensorflow as tf
from absl import app, flags, logging

from redo_dopamine import configure, provenance
from redo_dopamine.errors import UserError
from redo_dopamine.runner import PlasticityRunner, experiment

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


def build_runner(base_dir: str) -> PlasticityRunner:
    """The runner that gin's current configuration describes.

    Args:
        base_dir: where the run is written; resumed if there is one.

    Raises:
        UserError: a directory that cannot be written, a setting out of its range, or
            a checkpoint that does not fit.
    """
    _check_writable(base_dir)
    try:
        return experiment(base_dir)
    except (ValueError, TypeError, AssertionError) as error:
        logging.debug("While building the run:", exc_info=True)
        raise UserError(configure.brief(error)) from error


def train(base_dir: str) -> None:
    """Run, or go on with, the experiment that gin's configuration describes.

    Raises:
        UserError: as `build_runner`.
    """
    runner = build_runner(base_dir)
    if runner.finished:
        print(
            f"{base_dir} is finished: all {runner.num_iterations} iterations are "
            "there. Raise Runner.num_iterations to prolong it, or give another "
            "--base_dir."
        )
        return
    provenance.record_start(
        base_dir,
        seed=runner.agent.seed,
        game=configure.bound(configure.GAME, "unknown"),
        agent=type(runner.agent).__name__,
    )
    runner.run_experiment()
    provenance.record_end(base_dir)
    print(
        f"{base_dir} is finished. For its figures run "
        f"'python -m redo_dopamine.report --base_dir={base_dir}'."
    )


def _check_writable(base_dir: str) -> None:
    try:
        Path(base_dir).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=base_dir):
            pass
    except OSError as error:
        raise UserError(
            f"--base_dir must be a directory that can be written, but {base_dir!r} "
            f"cannot: {error.strerror}. Give another one."
        ) from error


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
        configure.load_gin_configs(_GIN_FILES.value, _GIN_BINDINGS.value)
        train(_BASE_DIR.value)
    except UserError as error:
        print(f"error: {configure.brief(error)}", file=sys.stderr)
        sys.exit(2)


def run() -> None:
    """The console script `redo-train`."""
    # TensorFlow only writes event files here: the accelerator is for jax. Where there
    # is none, it says so, in words that look like a failure.
    with compat.silenced():
        tf.config.set_visible_devices([], "GPU")
    app.run(main)


if __name__ == "__main__":
    run()
