"""The two replay buffers, built and filled alike."""

from benchmarks import frames  # isort: skip  Before Dopamine.

import itertools
from collections.abc import Iterable
from typing import Any

from dopamine.jax.replay_memory import accumulator, replay_buffer, samplers

from redo_dopamine.replay.buffer import FrameReplay

CAPACITY = 1_000_000
BATCH_SIZE = 32


def ours(update_horizon: int = 1, capacity: int = CAPACITY) -> Any:
    return FrameReplay(
        stack_size=frames.STACK_SIZE,
        update_horizon=update_horizon,
        gamma=frames.GAMMA,
        seed=0,
        max_capacity=capacity,
        batch_size=BATCH_SIZE,
    )


def peer(update_horizon: int = 1, capacity: int = CAPACITY) -> Any:
    return replay_buffer.ReplayBuffer(
        accumulator.TransitionAccumulator(
            frames.STACK_SIZE, update_horizon, frames.GAMMA
        ),
        samplers.UniformSamplingDistribution(seed=0),
        max_capacity=capacity,
        batch_size=BATCH_SIZE,
    )


def fill(replay: Any, transitions: Iterable[Any], count: int) -> Any:
    """Add `count` transitions."""
    for transition in itertools.islice(transitions, count):
        replay.add(transition)
    return replay
