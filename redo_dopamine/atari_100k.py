"""The Atari 100K benchmark: its games and its protocol (Kaiser et al., 2020).

What comes in: gin's `Runner.*` bindings, with the length of an iteration. What
leaves: what `PlasticityRunner` leaves, with an evaluation per iteration.
"""

from redo_dopamine import compat as compat  # isort: skip  Before Dopamine.

import functools
from typing import Any

import gin
import numpy as np
from dopamine.discrete_domains import atari_lib

from redo_dopamine import emulator, evaluation
from redo_dopamine.agents.drq_eps import RecycledDrQEpsAgent
from redo_dopamine.resuming import Terms
from redo_dopamine.runner import PlasticityRunner
from redo_dopamine.train_phase import TrainPhase

GAMES = (
    *("Alien", "Amidar", "Assault", "Asterix", "BankHeist", "BattleZone", "Boxing"),
    *("Breakout", "ChopperCommand", "CrazyClimber", "DemonAttack", "Freeway"),
    *("Frostbite", "Gopher", "Hero", "Jamesbond", "Kangaroo", "Krull", "KungFuMaster"),
    *("MsPacman", "Pong", "PrivateEye", "Qbert", "RoadRunner", "Seaquest", "UpNDown"),
)

_TRAINING_STARTS, _EVALUATION = 4, 5  # Random streams, apart from the others.


@gin.configurable(
    module="redo_dopamine", allowlist=["agent", "num_eval_episodes", "max_no_ops"]
)
class Atari100kRunner(PlasticityRunner):
    """Trains for an exact number of steps, then evaluates on full episodes.

    An iteration is `Runner.training_steps` steps of one environment, where the loss
    of a life ends an episode if `AtariPreprocessing.terminal_on_life_loss` says so.
    Its end cuts off the running episode, as a time limit does. The evaluation that
    follows plays `num_eval_episodes` episodes side by side, in environments where
    only the end of the game is one. Every episode starts with up to `max_no_ops`
    steps that do nothing.

    Args:
        base_dir: where everything is written.
        agent: class of the agent, called with the number of actions.
        num_eval_episodes: episodes per evaluation; 0 for none.
        max_no_ops: agent steps of doing nothing at the start of an episode.
        terms: as in `PlasticityRunner`.
    """

    def __init__(
        self,
        base_dir: str,
        agent: Any = RecycledDrQEpsAgent,
        num_eval_episodes: int = 100,
        max_no_ops: int = 30,
        terms: Terms = Terms(),  # noqa: B008  It cannot change.
    ):
        super().__init__(base_dir, agent, terms=terms)
        if self._max_steps_per_episode is None:
            raise ValueError(
                "Runner.max_steps_per_episode must be a number of agent steps, but is "
                "None. Atari 100K uses 27_000."
            )
        self._num_eval_episodes = num_eval_episodes
        self._start = functools.partial(
            evaluation.start_with_no_ops, max_no_ops=max_no_ops
        )
        self._eval_environments: list[Any] = []

    def _stream(self, *stream: int) -> np.random.Generator:
        return np.random.default_rng([self._agent.seed, *stream])

    # Training.

    def _cuts_off(self, phase: TrainPhase) -> bool:
        return phase.num_steps >= self._training_steps

    def _first_observation(self) -> np.ndarray:
        starts = self._stream(_TRAINING_STARTS, self._iteration, self._phase.num_starts)
        return self._start(self._environment, starts)

    # Evaluation.

    @property
    def _evaluates(self) -> bool:
        return self._num_eval_episodes > 0

    def eval_environments(self) -> list[Any]:
        """One environment per episode of an evaluation, made when first asked for."""
        while len(self._eval_environments) < self._num_eval_episodes:
            environment = atari_lib.create_atari_environment()
            environment.terminal_on_life_loss = False
            self._eval_environments.append(emulator.direct(environment))
        return self._eval_environments

    def _run_eval_phase(self, statistics: Any) -> tuple[int, float]:
        del statistics
        environments = self.eval_environments()
        rng = self._stream(_EVALUATION, self._iteration)
        for environment in environments:
            emulator.seed_environment(environment, rng)
        returns = evaluation.play_episodes(
            environments,
            self._greedy_actions,
            stack_size=self._agent.stack_size,
            epsilon=self._agent.epsilon_eval,
            max_steps=self._max_steps_per_episode,
            rng=rng,
            start=self._start,
        )
        return len(returns), float(np.mean(returns))

    def _greedy_actions(self, states: np.ndarray) -> np.ndarray:
        self._stop.check()
        return self._agent.greedy_actions(states)
