"""Real transitions: an Atari game under random actions, as an agent stores them."""

from redo_dopamine import compat  # noqa: F401  isort: skip  Before Dopamine.

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import ale_py
import numpy as np
from dopamine.discrete_domains import atari_lib
from dopamine.jax.replay_memory import accumulator, elements, replay_buffer, samplers

from redo_dopamine.environments.atari import seed_environment
from redo_dopamine.replay.buffer import FrameReplay

STACK_SIZE = 4
GAMMA = 0.99


def make_environment(game: str, seed: int = 0, sticky_actions: bool = True) -> Any:
    """Dopamine's environment with a seed."""
    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
    environment = atari_lib.create_atari_environment(
        game_name=game, sticky_actions=sticky_actions
    )
    seed_environment(environment, np.random.default_rng(seed))
    return environment


def play(game: str, seed: int = 0) -> Iterator[elements.TransitionElement]:
    """Transitions without end; the same for the same seed."""
    environment = make_environment(game, seed)
    rng = np.random.default_rng(seed)
    while True:
        observation, over = environment.reset(), False
        while not over:
            action = int(rng.integers(environment.action_space.n))
            following, reward, terminal, _ = environment.step(action)
            over = environment.game_over
            yield elements.TransitionElement(
                np.reshape(observation, observation.shape[:2]),
                np.asarray(action, np.int32),
                float(np.clip(reward, -1, 1)),
                terminal,
                over or terminal,
            )
            observation = following


def cycle(game: str, num_recorded: int) -> Iterator[elements.TransitionElement]:
    """A recording, over and over."""
    return itertools.cycle(itertools.islice(play(game), num_recorded))


CAPACITY = 1_000_000
BATCH_SIZE = 32


def ours(update_horizon: int = 1, capacity: int = CAPACITY) -> Any:
    return FrameReplay(
        stack_size=STACK_SIZE,
        update_horizon=update_horizon,
        gamma=GAMMA,
        seed=0,
        max_capacity=capacity,
        batch_size=BATCH_SIZE,
    )


def peer(update_horizon: int = 1, capacity: int = CAPACITY) -> Any:
    return replay_buffer.ReplayBuffer(
        accumulator.TransitionAccumulator(STACK_SIZE, update_horizon, GAMMA),
        samplers.UniformSamplingDistribution(seed=0),
        max_capacity=capacity,
        batch_size=BATCH_SIZE,
    )


def fill(replay: Any, transitions: Iterable[Any], count: int) -> Any:
    """Add `count` transitions."""
    for transition in itertools.islice(transitions, count):
        replay.add(transition)
    return replay
