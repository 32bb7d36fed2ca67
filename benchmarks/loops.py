"""Agents under a gin file, with games of their own, warm and timed."""

from benchmarks import frames  # isort: skip  Before Dopamine.

import time
from collections.abc import Sequence
from typing import Any

import gin

from redo_dopamine.agents.dqn import RecyclingAgent
from redo_dopamine.config import load
from redo_dopamine.environments import atari
from redo_dopamine.runners import malloc

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
    if issubclass(agent_class, RecyclingAgent):
        malloc.keep_freed_memory()
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
