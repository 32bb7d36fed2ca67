"""Small agents of continuous actions on made-up observations."""

import numpy as np
from dopamine.jax.agents.ppo import ppo_agent
from dopamine.jax.agents.sac import sac_agent

from redo_dopamine.agents.ppo import RecycledPPOAgent
from redo_dopamine.agents.sac import RecycledSACAgent
from redo_dopamine.networks.actor_critic import PPONetwork, SACNetwork

OBSERVATION_SHAPE, ACTION_SHAPE = (5,), (2,)
LIMITS = np.full(2, -1.0, np.float32), np.ones(2, np.float32)
LENGTH = 16  # Of a rollout.
SMALL_PPO = {"update_period": LENGTH, "num_epochs": 3, "batch_size": 8, "seed": 7}


def narrow_ppo(action_shape, action_limits):
    return PPONetwork(action_shape, action_limits=action_limits, width=0.25)


def ppo(action_limits=LIMITS, **settings):
    settings = {**SMALL_PPO, "network": narrow_ppo, "taus": (), **settings}
    return RecycledPPOAgent(ACTION_SHAPE, OBSERVATION_SHAPE, action_limits, **settings)


def stock_ppo(**settings):
    settings = {**SMALL_PPO, "network": narrow_ppo, **settings}
    return ppo_agent.PPOAgent(ACTION_SHAPE, OBSERVATION_SHAPE, LIMITS, **settings)


def narrow_sac(action_shape, num_layers, hidden_units, action_limits):
    del hidden_units
    return SACNetwork(action_shape, num_layers, 16, action_limits)


SMALL_SAC = {"min_replay_history": 20, "network": narrow_sac, "seed": 7}


def sac(action_limits=LIMITS, **settings):
    settings = {**SMALL_SAC, "taus": (), **settings}
    return RecycledSACAgent(ACTION_SHAPE, OBSERVATION_SHAPE, action_limits, **settings)


def stock_sac(**settings):
    settings = {**SMALL_SAC, **settings}
    return sac_agent.SACAgent(ACTION_SHAPE, LIMITS, OBSERVATION_SHAPE, **settings)


class Stream:
    """Observations and rewards that do not depend on the actions."""

    def __init__(self, seed=0, episode_length=1000):
        self._rng = np.random.default_rng(seed)
        self._episode_length = episode_length
        self._num_steps = 0

    def observation(self):
        return self._rng.normal(size=OBSERVATION_SHAPE)

    def _step(self, agent):
        starts = self._num_steps % self._episode_length == 0
        if starts and self._num_steps > 0:
            agent.end_episode(1.0, terminal=True)
        self._num_steps += 1
        if starts:
            return agent.begin_episode(self.observation())
        return agent.step(float(self._rng.normal()), self.observation())

    def drive(self, agent, num_steps):
        """Step the agent; returns its actions [num_steps, A]."""
        return np.stack([self._step(agent) for _ in range(num_steps)])
