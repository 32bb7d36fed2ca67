"""Runners of other training than a game's: continuous control, and fixed data."""

from collections.abc import Callable
from typing import Any

import gin
import numpy as np

from redo_dopamine.agents.offline_dqn import OfflineDQNAgent
from redo_dopamine.agents.ppo import RecycledPPOAgent
from redo_dopamine.environments import atari
from redo_dopamine.runners.collectors import Progress
from redo_dopamine.runners.resume import ResumeOptions, TrainPhase
from redo_dopamine.runners.runner import PlasticityRunner


@gin.configurable(module="redo_dopamine", allowlist=["agent"])
class ControlRunner(PlasticityRunner):
    """Runs an agent of continuous actions in `create_control_environment`.

    Returns, in training and evaluation, are of rewards as they are before any
    preprocessing. The agent is shown the state that an episode was cut off at. Bind
    `Runner.clip_rewards = False`, as the files that ship do: the default is Atari's.

    Args:
        base_dir: where everything is written.
        agent: class of the agent, called with the shapes and limits of the
            environment's spaces.
        options: as in `PlasticityRunner`.
    """

    NEEDS = ("reset", "step", "agent_kwargs", "true_reward")

    def __init__(
        self,
        base_dir: str,
        agent: Callable[..., Any] = RecycledPPOAgent,
        options: ResumeOptions = ResumeOptions(),  # noqa: B008  It cannot change.
    ):
        super().__init__(base_dir, agent, options=options)

    def _build_agent(self, agent: Callable[..., Any], environment: Any) -> Any:
        made = agent(**environment.agent_kwargs())
        if hasattr(made, "check_minibatches"):  # PPO's, before anything is played.
            made.check_minibatches()
        return made

    def _true_reward(self, reward: float) -> float:
        del reward
        return self._environment.true_reward

    def _end_episode_at(self, observation: Any, reward: float, terminal: bool) -> None:
        self._agent.end_episode(reward, terminal, observation)

    def _run_one_step(self, action: Any) -> tuple[Any, float, bool]:
        observation, reward, terminal = super()._run_one_step(action)
        if self._agent.eval_mode:  # Nothing learns from it; it is only summed up.
            reward = self._environment.true_reward
        return observation, reward, terminal

    def _run_eval_phase(self, statistics: Any) -> tuple[int, float]:
        with self._environment.held_statistics():
            return super()._run_eval_phase(statistics)


_EVALUATION = 7  # A random stream, apart from the others.


@gin.configurable(module="redo_dopamine", allowlist=["agent"])
class OfflineRunner(PlasticityRunner):
    """Trains on a data set; an environment is there for its actions and evaluation.

    An iteration is `Runner.training_steps` train steps, none of which steps the
    environment; at replay ratio 1 each is one gradient update, and `agent_step` in
    `metrics.csv` counts them. After it come `Runner.evaluation_steps` agent steps of
    the game, if there are any; each evaluation has a seed of its own.

    Args:
        base_dir: where everything is written.
        agent: class of the agent, with a `train_step`.
        options: as in `PlasticityRunner`.
    """

    def __init__(
        self,
        base_dir: str,
        agent: Any = OfflineDQNAgent,
        options: ResumeOptions = ResumeOptions(),  # noqa: B008  It cannot change.
    ):
        super().__init__(base_dir, agent, options=options)
        self._progress = Progress("train steps")

    def _advance(self, phase: TrainPhase) -> None:
        self._agent.train_step()
        phase.num_steps += 1
        self._progress.advance(self._agent.dormant_fraction)

    def _phase_metrics(self, phase: TrainPhase) -> dict[str, float]:
        return {"train/steps_per_second": phase.steps_per_second}

    def _run_eval_phase(self, statistics: Any) -> tuple[int, float]:
        stream = [self._agent.seed, _EVALUATION, self._iteration]
        atari.seed_environment(self._environment, np.random.default_rng(stream))
        return super()._run_eval_phase(statistics)
