"""Agents under a gin file, with games of their own, warm and timed."""

from benchmarks import frames  # isort: skip  Before Dopamine.

import time
from collections.abc import Sequence
from typing import Any

import gin
import jax
import numpy as np

from redo_dopamine.agents.base import PlasticAgent
from redo_dopamine.cli import memory
from redo_dopamine.config import load
from redo_dopamine.environments import atari

MIN_REPLAY_HISTORY = 500


def set_up(gin_file: str, game: str, bindings: Sequence[str] = ()) -> None:
    """A gin file as it ships, a short start, and epsilon at its final value."""
    gin.clear_config()
    load.load_gin_configs(
        [gin_file],
        [
            f"create_atari_environment.game_name = '{game}'",
            f"JaxDQNAgent.min_replay_history = {MIN_REPLAY_HISTORY}",
            "JaxDQNAgent.epsilon_decay_period = 1",
            "JaxDQNAgent.seed = 0",
            *bindings,
        ],
    )


def make(
    loop: Any, agent_class: Any, game: str, sticky_actions: bool, **settings: Any
) -> Any:
    """An agent under gin's configuration with a game of its own.

    Ours plays it as our runners have it play, and Dopamine's as its own do. What our
    command says to the allocator holds for the whole process.
    """
    environment = frames.make_environment(game, sticky_actions=sticky_actions)
    if issubclass(agent_class, PlasticAgent):
        memory.keep_freed_memory()
        environment = atari.restorable(environment)
    return loop(agent_class(environment.action_space.n, **settings), environment)


def warm_up(loop: Any, num_steps: int = 100) -> Any:
    """Fill the buffer, compile, and make one measurement where there are any."""
    loop.run(MIN_REPLAY_HISTORY + num_steps)
    if hasattr(loop.agent, "gradient_step"):
        loop.agent.gradient_step = 999
        loop.run(8)
    return loop


def steps_per_second(loop: Any, num_steps: int) -> float:
    start = time.perf_counter()
    loop.run(num_steps)
    return num_steps / (time.perf_counter() - start)


class Loop:
    """One environment, as Dopamine's `Runner` and ours drive it."""

    def __init__(self, agent: Any, environment: Any):
        self.agent = agent
        self.environment = environment
        self._action = None

    def run(self, num_steps: int) -> None:
        """Some agent steps, to the end of the last one's update."""
        agent, environment = self.agent, self.environment
        for _ in range(num_steps):
            if self._action is None:
                self._action = agent.begin_episode(environment.reset())
            observation, reward, terminal, _ = environment.step(self._action)
            reward = np.clip(reward, -1, 1)
            if environment.game_over:
                agent.end_episode(reward, terminal)
                self._action = None
            elif terminal:
                agent.end_episode(reward, terminal)
                self._action = agent.begin_episode(observation)
            else:
                self._action = agent.step(reward, observation)
        jax.block_until_ready(agent.online_params)


class Updates:
    """An agent with a filled buffer that does nothing but update."""

    def __init__(self, agent: Any, recorded: Sequence[Any], warm: int):
        self._agent = agent
        for transition in recorded:
            agent._replay.add(transition)
        self.run(warm)

    def run(self, updates: int) -> float:
        """Seconds per update."""
        start = time.perf_counter()
        for _ in range(updates):
            self._agent._gradient_update()
        jax.block_until_ready(self._agent.online_params)
        return (time.perf_counter() - start) / updates


class BatchLoop:
    """One environment in a batch of one, as `DataEfficientAtariRunner` drives it."""

    def __init__(self, agent: Any, environment: Any):
        self.agent = agent
        self.environment = environment
        self._observations = np.zeros((2, 1, *agent.observation_shape, 1))
        self._rewards, self._terminals, self._ends = np.zeros((3, 1))
        self._steps = 0
        agent.reset_all(environment.reset()[None])

    def run(self, num_steps: int) -> None:
        agent, environment = self.agent, self.environment
        for _ in range(num_steps):
            self._ends.fill(0)
            actions = agent.step()
            self._steps += 1
            observations = self._observations[self._steps % 2]
            observation, reward, terminal, _ = environment.step(actions[0])
            observations[0], self._terminals[0] = observation, terminal
            self._rewards = np.clip(np.full(1, reward, float), -1, 1)
            if environment.game_over:
                self._ends[0] = 1
                observations[0] = environment.reset()
                agent.reset_one(env_id=0)
            elif terminal:
                agent.reset_one(env_id=0)
            agent.log_transition(
                observations, actions, self._rewards, self._terminals, self._ends
            )
        jax.block_until_ready(agent.online_params)
