"""An agent and a game, as the runners drive them. Imports neither package."""

from typing import Any

import jax
import numpy as np


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
