"""Real transitions: an Atari game under random actions, as an agent stores them."""

from redo_dopamine import compat  # noqa: F401  isort: skip  Before Dopamine.

import itertools
from collections.abc import Iterator
from typing import Any

import ale_py
import numpy as np
from dopamine.discrete_domains import atari_lib
from dopamine.jax.replay_memory import elements

from redo_dopamine.environments.atari import seed_environment

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
