"""From a checkpoint to the run's agent as it stood then.

What comes in: the path of a checkpoint, or of a run. What leaves: the agent, built by
gin from the settings that the checkpoint holds, which are data: nothing of them is run.
The run's directory is only read, and its lock not taken. Touches gin's global state.
"""

from redo_dopamine import compat as compat  # isort: skip  Before Dopamine.

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import gin
from absl import logging

from redo_dopamine import checkpoints, configure, stored_config
from redo_dopamine.core.graph import Params
from redo_dopamine.errors import UserError
from redo_dopamine.replay.buffer import FrameReplay
from redo_dopamine.runner import experiment

_AGENT = "agent"  # As in `resuming`.
_SEED = f"{_AGENT}['seed']"


class Restored(NamedTuple):
    """A run's agent.

    Attributes:
        path: of the checkpoint.
        agent: as it stood at the checkpoint.
        initial_params: those that the run started with, drawn again from its seed.
    """

    path: Path
    agent: Any
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
    if path.is_file() and checkpoints.NAME.fullmatch(path.name):
        return path
    for directory in (path / "checkpoints", path):
        found = checkpoints.numbers(directory)
        if found:
            return checkpoints.path_of(directory, found[0])
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
    bindings = stored_config.read(config, path, trust_modules)
    agent = _build(path, bindings, arrays.get(_SEED))
    initial_params = agent.online_params
    if not replay and isinstance(agent._replay, FrameReplay):
        agent._replay = _NoReplay()
    number = int(path.name.split(".")[1])
    try:
        bundle = checkpoints.unflatten(agent.state_tree(), arrays, _AGENT)
        whole = agent.unbundle(str(path.parent), number, bundle)
    # Arrays that are not what their names say lead to whatever they lead to.
    except Exception as error:
        logging.debug("While loading the agent:", exc_info=True)
        raise UserError(f"{path} cannot be loaded: {error}") from error
    if not whole:
        raise UserError(
            f"A checkpoint must have its replay buffer beside it, but state.{number} "
            f"is not whole in {path.parent / 'replay'}. Copy it there, or give states "
            "by --states=FILE.npy."
        )
    return Restored(path, agent, initial_params)


def atari_agent(path: Path, *, replay: bool, trust_modules: Sequence[str] = ()) -> Any:
    """The agent of a checkpoint, which must play an Atari game; as `restore`.

    Raises:
        UserError: as there, or it plays something else.
    """
    agent = restore(path, replay=replay, trust_modules=trust_modules).agent
    environment = configure.bound("Runner.create_environment_fn")
    if environment is not None and "create_atari_environment" not in str(environment):
        raise UserError(
            f"A data set must be of an Atari game, but the agent of {path} plays "
            f"{configure.task()}. Give a run of an Atari game."
        )
    return agent


def _read(path: Path, replay: bool) -> tuple[checkpoints.Arrays, str]:
    """A checkpoint's arrays and its configuration."""
    try:
        arrays, meta = checkpoints.read(path)
        if replay:
            checkpoints.check_replay_state(path, meta)
    except checkpoints.DamagedCheckpointError as error:
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
    others = [x for x in checkpoints.numbers(path.parent) if f".{x}." not in path.name]
    if not others:
        return "There is no other one beside it."
    return f"Give another one: {checkpoints.path_of(path.parent, others[0])}."


def _build(path: Path, bindings: Sequence[str], seed: Any) -> Any:
    """The agent at its start, by a runner in a directory that is then deleted."""
    own = ["CollectorDispatcher.collectors = ('csv',)"]
    gin.clear_config()
    try:
        if seed is not None:
            # A run without a seed of its own drew one.
            own += [f"{name} = {int(seed)}" for name in configure.SEEDS]
        configure.load_gin_configs([], [*bindings, *own])
        with tempfile.TemporaryDirectory(prefix="redo_dopamine_inspect.") as scratch:
            return experiment(scratch).agent
    # Settings may be anything: what they lead to is the checkpoint's fault.
    except Exception as error:
        logging.debug("While building the agent:", exc_info=True)
        raise UserError(
            f"The agent of {path} must be built from the configuration that it "
            f"holds, but cannot: {configure.brief(error)} Use the version of "
            "redo-dopamine, and the modules of your own, that wrote it."
        ) from error
