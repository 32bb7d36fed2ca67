"""Record a data set: an agent plays, and every step is written down.

The agent comes from a run's checkpoint, or from gin files and has learned nothing; it
does not learn meanwhile, and the run is only read. Writes splits in the layout of
`redo_dopamine.offline.arrays`. Touches gin's global state.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import gin
import jax
import numpy as np

from redo_dopamine.config import load
from redo_dopamine.environments import atari
from redo_dopamine.errors import UserError
from redo_dopamine.inspect import restore
from redo_dopamine.offline import arrays
from redo_dopamine.offline.writing import Tape
from redo_dopamine.runners.resume import TrainPhase
from redo_dopamine.runners.runner import PlasticityRunner, experiment

_RECORDING = 8  # A random stream, apart from the others.
_COLLECTORS = "CollectorDispatcher.collectors = ('csv',)"


class Request(NamedTuple):
    """What to record.

    Attributes:
        output: root of the data set.
        num_steps: agent steps; an episode that runs on is cut there.
        checkpoint: of the agent; None for one that has learned nothing.
        game: for that one; None for the one its gin files name.
        gin_files: for that one.
        gin_bindings: for that one.
        epsilon: share of random actions; None for that of the run's training, or 1
            where nothing was learned.
        seed: of the game and the random actions.
        run: names the directory beside others of the game.
        split_rows: rows of a split at most.
        trust_modules: modules of the user's own that the run's settings name.
    """

    output: str
    num_steps: int
    checkpoint: str | None = None
    game: str | None = None
    gin_files: Sequence[str] = ()
    gin_bindings: Sequence[str] = ()
    epsilon: float | None = None
    seed: int = 0
    run: int = 1
    split_rows: int = 1_000_000
    trust_modules: Sequence[str] = ()


class Player(PlasticityRunner):
    """Has an agent play, as training would, for a number of steps.

    Args:
        base_dir: to be thrown away.
        agent: that plays.
        seed: of the game and the random actions.
    """

    def __init__(self, base_dir: str, agent: Any, seed: int):
        super().__init__(base_dir, lambda num_actions: agent)
        self._player_seed = seed
        agent.set_actor_state(agent.actor_state() | {"rng": jax.random.PRNGKey(seed)})

    def _initialize_episode(self) -> Any:
        if self._phase.num_starts == 0:
            rng = np.random.default_rng([self._player_seed, _RECORDING])
            atari.seed_environment(self._environment, rng)
        return self._agent.begin_episode(self._first_observation())

    def _cuts_off(self, phase: TrainPhase) -> bool:
        return False

    def play(self, num_steps: int) -> None:
        """Play; every step goes into the agent's replay buffer."""
        self._agent.eval_mode = False
        with self._progress.over(0, 1, num_steps, 0):
            self._progress.start_iteration(0)
            while self._phase.num_steps < num_steps:
                self._advance(self._phase)


def record(request: Request) -> Path:
    """Record a data set; returns the directory of its files.

    Raises:
        UserError: a setting out of its range, no such agent, or a directory that is
            in use or cannot be written.
    """
    if request.num_steps < 1:
        raise UserError(
            f"--num_steps must be at least 1 agent step, but is {request.num_steps}."
        )
    if request.epsilon is not None and not 0 <= request.epsilon <= 1:
        raise UserError(f"--epsilon must be in [0, 1], but is {request.epsilon}.")
    agent = _agent_of(request)
    game = load.bound(load.GAME)
    directory = arrays.directory_of(request.output, game, request.run)
    try:
        tape = Tape(directory, agent.stack_size, request.split_rows)
        agent._replay = tape
        agent._epsilon = lambda step: np.float32(_epsilon(request, agent))
        with tempfile.TemporaryDirectory(prefix="redo_dopamine_record.") as scratch:
            try:
                Player(scratch, agent, request.seed).play(request.num_steps)
                tape.close()
            except BaseException:
                tape.discard()
                raise
    except OSError as error:
        raise UserError(
            f"--output must be a directory that can be written, but {directory} "
            f"cannot: {error.strerror}. Give another one."
        ) from error
    return directory


def _epsilon(request: Request, agent: Any) -> float:
    if request.epsilon is not None:
        return request.epsilon
    return 1.0 if request.checkpoint is None else agent.epsilon_train


def _agent_of(request: Request) -> Any:
    """The agent; gin is then configured for its game."""
    if request.checkpoint is None:
        return _new_agent(request)
    if request.game or request.gin_files or request.gin_bindings:
        raise UserError(
            "A checkpoint brings its configuration along, but --game, --gin_files or "
            "--gin_bindings is given beside --checkpoint. Leave them out."
        )
    path = restore.find_checkpoint(request.checkpoint)
    return restore.atari_agent(path, replay=False, trust_modules=request.trust_modules)


def _new_agent(request: Request) -> Any:
    bindings = [*request.gin_bindings, f"JaxDQNAgent.seed = {request.seed}"]
    if request.game is not None:
        bindings.append(f"{load.GAME} = {request.game!r}")
    gin.clear_config()
    load.load_gin_configs(
        list(request.gin_files) or ["dqn.gin"], [*bindings, _COLLECTORS]
    )
    restore.check_plays_atari("that of --gin_files")
    with (
        tempfile.TemporaryDirectory(prefix="redo_dopamine_record.") as scratch,
        load.building(),
    ):
        return experiment(scratch).agent
