"""Small agents on made-up observations, and a loop that drives them."""

import functools

import gin
import jax
import numpy as np
from dopamine.jax.agents.dqn import dqn_agent

from redo_dopamine.agents.dqn import RecycledDQNAgent
from redo_dopamine.agents.full_rainbow import RecycledFullRainbowAgent
from redo_dopamine.networks.rainbow import RainbowNetwork

OBSERVATION_SHAPE = (20, 20)
NUM_ACTIONS = 3
SMALL = {
    "observation_shape": OBSERVATION_SHAPE,
    "stack_size": 2,
    "min_replay_history": 20,
    "target_update_period": 16,
    "epsilon_decay_period": 50,
    "seed": 7,
}


def bind_replay():
    gin.bind_parameter("ReplayBuffer.max_capacity", 500)
    gin.bind_parameter("ReplayBuffer.batch_size", 8)


def bind_small(**settings):
    """Bind to JaxDQNAgent what agents take by its name, and a small replay buffer."""
    bind_replay()
    for name, value in {**SMALL, **settings}.items():
        gin.bind_parameter(f"JaxDQNAgent.{name}", value)


def full_rainbow_agent(**settings):
    """After `bind_small`."""
    network = functools.partial(RainbowNetwork, width=0.125)
    made = {"network": network, "num_atoms": 5, "seed": 7, "taus": ()}
    return RecycledFullRainbowAgent(NUM_ACTIONS, **{**made, **settings})


def recycled_agent(**settings):
    return RecycledDQNAgent(NUM_ACTIONS, **{**SMALL, "taus": (), **settings})


def stock_agent(**settings):
    return dqn_agent.JaxDQNAgent(NUM_ACTIONS, **{**SMALL, **settings})


class Stream:
    """Observations, rewards and episode ends that do not depend on the actions."""

    def __init__(self, seed=0, episode_length=25):
        self._rng = np.random.default_rng(seed)
        self._episode_length = episode_length
        self._num_steps = 0

    def _observation(self):
        return self._rng.integers(0, 256, (*OBSERVATION_SHAPE, 1), dtype=np.uint8)

    def _step(self, agent):
        starts = self._num_steps % self._episode_length == 0
        if starts and self._num_steps > 0:
            agent.end_episode(1.0, terminal=True)
        self._num_steps += 1
        if starts:
            return int(agent.begin_episode(self._observation()))
        return int(agent.step(float(self._rng.normal()), self._observation()))

    def drive(self, agent, num_steps):
        """Step the agent; returns its actions."""
        return [self._step(agent) for _ in range(num_steps)]


class Recorder:
    """Stands in for a collector dispatcher: keeps `(step, name, value)`."""

    def __init__(self):
        self.rows = []

    def write(self, statistics, collector_allowlist=()):
        assert not collector_allowlist
        self.rows += [(s.step, s.name, s.value) for s in statistics]

    def values(self, name):
        return [value for _, key, value in self.rows if key == name]


def assert_trees_equal(first, second):
    jax.tree.map(np.testing.assert_array_equal, first, second)


def assert_trees_close(first, second, **tolerances):
    close = functools.partial(np.testing.assert_allclose, **tolerances)
    jax.tree.map(close, first, second)


def trees_differ(first, second):
    unequal = jax.tree.map(lambda a, b: not np.array_equal(a, b), first, second)
    return any(jax.tree.leaves(unequal))
