"""Train in this process, as gin is configured (docs/training.md)."""

from redo_dopamine import compat  # isort: skip  Before Dopamine.

import shlex
from collections.abc import Sequence

import ale_py
import tensorflow as tf
from absl import logging

from redo_dopamine.cli import flags, memory, process
from redo_dopamine.config import load
from redo_dopamine.core import jit
from redo_dopamine.errors import UserError
from redo_dopamine.rundir import lock, provenance, status
from redo_dopamine.rundir.operative import unused_settings
from redo_dopamine.rundir.resume import RunFinishedError
from redo_dopamine.runners.resume import ResumeOptions
from redo_dopamine.runners.runner import PlasticityRunner, experiment
from redo_dopamine.studies.study import GAMES

_DOPAMINES_TRAINING_STEPS = 250_000


def prepare(quiet: bool) -> None:
    """Prepare the process of a command that trains.

    Args:
        quiet: whether errors alone are logged.
    """
    memory.keep_freed_memory()
    jit.ignore_environment()
    # TensorFlow only writes event files here: the accelerator is for jax. Where there
    # is none, it says so, in words that look like a failure.
    with compat.silenced():
        tf.config.set_visible_devices([], "GPU")
    if quiet:
        logging.set_verbosity(logging.ERROR)
        ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)


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
    base_dir = str(flags.writable_run("--base_dir", base_dir))
    with process.saying("Building and compiling the agent"), load.building():
        return experiment(base_dir, options=options)


def train(
    base_dir: str,
    scale: float = 1.0,
    options: ResumeOptions = ResumeOptions(),  # noqa: B008  It cannot change.
    *,
    strict: bool = False,
) -> None:
    """Run, or go on with, the experiment that gin's configuration describes.

    Args:
        base_dir: where the run is written; this process alone has it meanwhile.
        scale: what part of its study's length the run is, for `status.json`.
        options: on which it is resumed.
        strict: whether to refuse settings that nothing reads.

    Raises:
        UserError: as `build_runner`.
        DirectoryInUseError: another process has the directory, or it was deleted or
            replaced meanwhile.
        NotFiniteError: a loss or a parameter is NaN or infinite.
    """
    base_dir = str(flags.writable_run("--base_dir", base_dir))
    with lock.held(base_dir):
        try:
            runner = build_runner(base_dir, options)
        except RunFinishedError as error:
            print(load.brief(error))
            return
        unused = unused_settings()
        _check_unused(unused, runner.agent.seed, strict)
        _run(base_dir, runner, scale, unused)


def train_from(
    gin_files: Sequence[str],
    gin_bindings: Sequence[str],
    base_dir: str,
    scale: float = 1.0,
    options: ResumeOptions = ResumeOptions(),  # noqa: B008  It cannot change.
    *,
    strict: bool = False,
) -> None:
    """Configure gin by files and bindings, and `train`: what every door leads to.

    Raises:
        UserError: settings that cannot be read, and as `train`.
    """
    notes = load.load_gin_configs(gin_files, gin_bindings)
    if notes:
        print(f"Read by today's names: {', '.join(notes)}.")
    train(base_dir, scale, options, strict=strict)


def _check_unused(unused: list[str], seed: int, strict: bool) -> None:
    if unused and strict:
        raise UserError(
            "With --strict every setting must be read by the run, but nothing "
            f"reads {', '.join(unused)}. Leave them out."
        )
    task = load.task()
    # A run would be taken for one of the game and the seed that were named.
    for name in unused:
        if name in (*GAMES, *load.SEEDS) and load.bound(name) not in (task, seed):
            raise UserError(
                "The game and the seed must be set by the names that this run reads, "
                f"but nothing reads {name}: it plays {task} with seed {seed}. Leave it "
                "out, or begin with another gin file."
            )


def _run(
    base_dir: str, runner: PlasticityRunner, scale: float, unused: list[str]
) -> None:
    reporter = status.Reporter(
        base_dir,
        agent_step=lambda: runner.agent.training_steps,
        agent_steps=runner.num_iterations
        * load.bound("Runner.training_steps", _DOPAMINES_TRAINING_STEPS),
        scale=scale,
    )
    if runner.finished:
        reporter.confirm_done()
        print(
            f"{base_dir} is finished: all {runner.num_iterations} iterations are "
            "there. Raise Runner.num_iterations to prolong it, or give another "
            "--base_dir."
        )
        return
    for note in runner.agent.network_notes:
        print(note)
    if unused:
        print(f"Bound, but read by nothing in this run: {', '.join(unused)}.")
    with reporter:
        provenance.record_start(
            base_dir,
            seed=runner.agent.seed,
            game=load.task(),
            agent=type(runner.agent).__name__,
            unused=unused,
        )
        runner.run_experiment()
        provenance.record_end(base_dir)
    if runner.agent.gradient_step == 0:
        print(
            "Nothing was learned: the run ended before its first update. See "
            "min_replay_history, update_period, update_horizon, and the lengths of "
            "episodes and of the run."
        )
    print(
        f"{base_dir} is finished. Report: redo-dopamine report {shlex.quote(base_dir)}"
    )
