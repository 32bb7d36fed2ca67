"""Find the states of an inspection: of the run's replay buffer, or of a file."""

from redo_dopamine import compat as compat  # isort: skip  Before Dopamine.

import io
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import gin
import jax.numpy as jnp
import numpy as np
from absl import logging

from redo_dopamine.config import load, stored
from redo_dopamine.core.graph import Params
from redo_dopamine.errors import UserError
from redo_dopamine.plasticity.learner import Batch
from redo_dopamine.replay.buffer import FrameReplay
from redo_dopamine.rundir import checkpoint, files
from redo_dopamine.runners.runner import PlasticityRunner, experiment

_AGENT = "agent"  # As in `resuming`.
_SEED = f"{_AGENT}['seed']"


class Restored(NamedTuple):
    """A run's agent.

    Attributes:
        path: of the checkpoint.
        agent: as it stood at the checkpoint.
        runner: of a run that has not begun, in the same settings.
        initial_params: those that the run started with, drawn again from its seed.
    """

    path: Path
    agent: Any
    runner: PlasticityRunner
    initial_params: Params


class _NoReplay:
    """Stands in for a replay buffer where none is needed: it can be gigabytes."""

    def load(self, checkpoint_dir: str, iteration_number: int) -> None:
        """Load nothing."""


def find_checkpoint(given: str | Path) -> Path:
    """The checkpoint that a path means.

    Args:
        given: a file `checkpoint.<number>.npz`, or a run's directory, or its
            `checkpoints/`: there the newest one.

    Raises:
        UserError: there is none.
    """
    path = Path(given)
    if path.is_file() and checkpoint.NAME.fullmatch(path.name):
        return path
    for directory in (path / "checkpoints", path):
        found = checkpoint.numbers(directory)
        if found:
            return checkpoint.path_of(directory, found[0])
    is_what = "is a directory without one" if path.is_dir() else "is none"
    is_what = is_what if path.exists() else "does not exist"
    raise UserError(
        "A checkpoint must be a file checkpoint.<number>.npz or a run's directory, but "
        f"{str(given)!r} {is_what}. Give the --base_dir of the run."
    )


def restore(path: Path, *, replay: bool, trust_modules: Sequence[str] = ()) -> Restored:
    """Build the agent of a checkpoint.

    Args:
        path: from `find_checkpoint`.
        replay: whether the replay buffer is needed.
        trust_modules: modules of the user's own that the run's settings name.

    Raises:
        UserError: the checkpoint is damaged, does not fit its configuration, or has
            one that is more than settings of known names.
    """
    arrays, config = _read(path, replay)
    bindings = stored.read(config, path, trust_modules)
    runner = _build(path, bindings, arrays.get(_SEED))
    agent = runner.agent
    initial_params = agent.online_params
    if not replay and isinstance(agent._replay, FrameReplay):
        agent._replay = _NoReplay()
    number = int(path.name.split(".")[1])
    try:
        bundle = checkpoint.unflatten(agent.state_tree(), arrays, _AGENT)
        whole = agent.unbundle(str(path.parent), number, bundle)
    # Arrays that are not what their names say lead to whatever they lead to.
    except Exception as error:
        logging.debug("While loading the agent:", exc_info=True)
        raise UserError(f"{path} cannot be loaded: {error}") from error
    if not whole:
        raise UserError(
            f"A checkpoint must have its replay buffer beside it, but state.{number} "
            f"is not whole in {path.parent / 'replay'}. Copy it there, give states by "
            "--states=FILE.npy, or try again where the run itself is at work."
        )
    return Restored(path, agent, runner, initial_params)


def atari_agent(path: Path, *, replay: bool, trust_modules: Sequence[str] = ()) -> Any:
    """The agent of a checkpoint, which must play an Atari game; as `restore`.

    Raises:
        UserError: as there, or it plays something else.
    """
    agent = restore(path, replay=replay, trust_modules=trust_modules).agent
    check_plays_atari(f"the agent of {path}")
    return agent


def check_plays_atari(who: str) -> None:
    """Refuse a configuration, the one that gin has, that is of no Atari game.

    Raises:
        UserError: it is of something else, or of nothing.
    """
    environment = load.bound("Runner.create_environment_fn")
    game = load.bound(load.GAME)
    other = environment is not None and "create_atari_environment" not in str(
        environment
    )
    if other or game is None:
        raise UserError(
            f"A data set must be of an Atari game, but {who} plays {load.task()}. "
            "Give an agent of an Atari game."
        )


def _read(path: Path, replay: bool) -> tuple[checkpoint.Arrays, str]:
    """A checkpoint's arrays and its configuration."""
    try:
        arrays, meta = checkpoint.read(path)
        if replay:
            checkpoint.check_replay_state(path, meta)
    except checkpoint.DamagedCheckpointError as error:
        raise UserError(f"{error} {_others(path)}") from error
    except ValueError as error:
        raise UserError(str(error)) from error
    if not isinstance(meta.get("config"), str):
        raise UserError(
            "A checkpoint must hold the configuration of its run, to build the agent "
            f"from, but {path} holds {sorted(meta)}. {_others(path)}"
        )
    return arrays, meta["config"]


def _others(path: Path) -> str:
    others = [x for x in checkpoint.numbers(path.parent) if f".{x}." not in path.name]
    if not others:
        return "There is no other one beside it."
    return f"Give another one: {checkpoint.path_of(path.parent, others[0])}."


def _build(path: Path, bindings: Sequence[str], seed: Any) -> PlasticityRunner:
    """The runner of the agent at its start, in a directory that is then deleted."""
    own = ["CollectorDispatcher.collectors = ('csv',)"]
    gin.clear_config()
    try:
        if seed is not None:
            # A run without a seed of its own drew one.
            own += [f"{name} = {int(seed)}" for name in load.SEEDS]
        load.load_gin_configs([], [*bindings, *own])
        with tempfile.TemporaryDirectory(prefix="redo_dopamine_inspect.") as scratch:
            return experiment(scratch)
    # Settings may be anything: what they lead to is the checkpoint's fault.
    except Exception as error:
        logging.debug("While building the agent:", exc_info=True)
        raise UserError(
            f"The agent of {path} must be built from the configuration that it "
            f"holds, but cannot: {load.brief(error)} Use the version of "
            "redo-dopamine, and the modules of your own, that wrote it."
        ) from error


class Look(NamedTuple):
    """A batch of transitions, or of states alone.

    Attributes:
        batch: arrays [B, ...] by name.
        origin: where they come from, in a sentence.
    """

    batch: Batch
    origin: str


def from_file(agent: Any, path: str | Path) -> Look:
    """States [B, H, W, stack] of a .npy file.

    Raises:
        UserError: they are not what the agent's network takes.
    """
    states = _load(path)
    expected = (*agent.observation_shape, agent.stack_size)
    kind = np.dtype(agent.observation_dtype)
    if states.shape[1:] != expected or not len(states) or states.dtype != kind:
        sizes = ", ".join(map(str, expected))
        raise UserError(
            f"--states must hold an array [B, {sizes}] of {kind} with B >= 1, but "
            f"{str(path)!r} holds {list(states.shape)} of {states.dtype}. The stacked "
            "frames come last, the newest of them the last."
        )
    batch = {"state": agent.preprocess_fn(jnp.asarray(states))}
    return Look(batch, f"{len(states)} states of {path}.")


def _load(path: str | Path) -> np.ndarray:
    try:
        # In memory: an archive is refused below, so nothing is read of it later.
        states = np.load(io.BytesIO(files.read_bytes(path)), allow_pickle=False)
    except (OSError, ValueError, EOFError, MemoryError) as error:
        raise UserError(
            f"--states must be a file that numpy.save wrote, but {str(path)!r} cannot "
            f"be read ({error}). Write one by numpy.save(FILE, states)."
        ) from error
    if not isinstance(states, np.ndarray):
        raise UserError(
            f"--states must hold one array, but {str(path)!r} is an archive of "
            f"{states.files}. Write one by numpy.save(FILE, states)."
        )
    return states


def from_replay(agent: Any, batch_size: int | None) -> Look:
    """A draw from the run's replay buffer: tracking's own where there was one.

    Args:
        agent: with its replay buffer, whose newest transitions may be taken away.
        batch_size: states; None for as many as tracking draws.

    Raises:
        UserError: the batch size is no number of states, or the buffer is empty.
    """
    plasticity, step = agent._plasticity, agent.gradient_step
    size = plasticity.tracking_batch_size if batch_size is None else batch_size
    as_tracked = size == plasticity.tracking_batch_size and plasticity.tracks_at(step)
    if size < 1:
        raise UserError(f"--batch_size must be at least 1 state, but is {size}.")
    has_replay = isinstance(agent._replay, FrameReplay)
    if as_tracked and has_replay and _rewind(agent, size):
        origin = f"{size} states: those that tracking drew at this gradient step."
    else:
        memory = "replay buffer" if has_replay else "running rollout"
        origin = f"{size} states of the run's {memory}, drawn by its seed."
    try:
        batch = agent._draw_batch(size, plasticity.tracking_rng(step))
    except ValueError as error:
        raise UserError(f"{error} Or give states by --states=FILE.npy.") from error
    return Look(batch, origin)


def _rewind(agent: Any, size: int) -> bool:
    """Take away what the replay buffer got since the last gradient update.

    The draw depends on how much there is to draw from.

    Returns:
        Whether tracking's draw of that moment can be made again; if not, the buffer
        is as it was.
    """
    frames, records = agent._replay._contents
    end, first = records.end, records.first
    # Before train step t, counted from 0, come t observations, one each.
    if agent.training_steps - frames.end not in (0, 1):
        return False
    period = agent.update_period
    last_update = (agent.training_steps - 1) // period * period
    kept = records.since(first)
    # A transition is complete when its next state is there.
    newer = np.count_nonzero(kept["frame"] + kept["span"] >= last_update)
    records.end = end - newer
    rng = agent._plasticity.tracking_rng(agent.gradient_step)
    _, drawn = agent._replay.sample(size, rng=rng, with_sample_metadata=True)
    # Of a buffer that was full, what came since has overwritten the oldest.
    if np.any(drawn.keys < first):
        records.end = end
        return False
    return True
