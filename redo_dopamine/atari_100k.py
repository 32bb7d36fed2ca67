"""The Atari 100K benchmark: its games and its protocol (Kaiser et al., 2020).

What comes in: gin's `Runner.*` bindings, with the length of an iteration. What
leaves: what `PlasticityRunner` leaves, with an evaluation per iteration.
"""

from redo_dopamine import compat as compat  # isort: skip  Before Dopamine.

import functools
import time
from typing import Any

import gin
import numpy as np
from dopamine.discrete_domains import atari_lib

from redo_dopamine import evaluation
from redo_dopamine.agents.drq_eps import RecycledDrQEpsAgent
from redo_dopamine.runner import PlasticityRunner, seed_environment

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
    """

    def __init__(
        self,
        base_dir: str,
        agent: Any = RecycledDrQEpsAgent,
        num_eval_episodes: int = 100,
        max_no_ops: int = 30,
    ):
        super().__init__(base_dir, agent)
        if self._max_steps_per_episode is None:
            raise ValueError(
                "Runner.max_steps_per_episode must be a number of agent steps, but is "
                "None. Atari 100K uses 27_000."
            )
        self._num_eval_episodes = num_eval_episodes
        self._start = functools.partial(
            evaluation.start_with_no_ops, max_no_ops=max_no_ops
        )
        self._starts = self._stream(_TRAINING_STARTS)
        self._eval_environments: list[Any] = []

    def _stream(self, stream: int) -> np.random.Generator:
        return np.random.default_rng([self._agent.seed, stream, self._iteration])

    # Training.

    def _run_train_phase(self, statistics: Any) -> tuple[int, float, float]:
        del statistics
        self._agent.eval_mode = False
        self._starts = self._stream(_TRAINING_STARTS)
        started, steps_left = time.time(), self._training_steps
        returns = []
        while steps_left > 0:
            length, episode_return, finished = self._run_at_most(steps_left)
            steps_left -= length
            if finished:
                returns.append(episode_return)
                self._report_episode(episode_return)
        steps_per_second = self._training_steps / (time.time() - started)
        average = float(np.mean(returns)) if returns else float("nan")
        return len(returns), average, steps_per_second

    def _run_at_most(self, max_steps: int) -> tuple[int, float, bool]:
        """One episode, or its beginning: steps, return, whether it finished."""
        limit = min(max_steps, self._max_steps_per_episode)
        action, episode_return = self._initialize_episode(), 0.0
        for length in range(1, limit + 1):
            observation, reward, terminal = self._run_one_step(action)
            episode_return += reward
            if self._clip_rewards:
                reward = np.clip(reward, -1, 1)
            if self._environment.game_over or length == limit:
                break
            if terminal:
                self._end_episode(reward, terminal)
                action = self._agent.begin_episode(observation)
            else:
                action = self._agent.step(reward, observation)
        self._end_episode(reward, terminal)
        finished = self._environment.game_over or length == self._max_steps_per_episode
        return length, episode_return, finished

    def _first_observation(self) -> np.ndarray:
        return self._start(self._environment, self._starts)

    # Evaluation.

    @property
    def _evaluates(self) -> bool:
        return self._num_eval_episodes > 0

    def eval_environments(self) -> list[Any]:
        """One environment per episode of an evaluation, made when first asked for."""
        while len(self._eval_environments) < self._num_eval_episodes:
            environment = atari_lib.create_atari_environment()
            environment.terminal_on_life_loss = False
            self._eval_environments.append(environment)
        return self._eval_environments

    def _run_eval_phase(self, statistics: Any) -> tuple[int, float]:
        del statistics
        environments, rng = self.eval_environments(), self._stream(_EVALUATION)
        for environment in environments:
            seed_environment(environment, rng)
        returns = evaluation.play_episodes(
            environments,
            self._agent.greedy_actions,
            stack_size=self._agent.stack_size,
            epsilon=self._agent.epsilon_eval,
            max_steps=self._max_steps_per_episode,
            rng=rng,
            start=self._start,
        )
        return len(returns), float(np.mean(returns))
