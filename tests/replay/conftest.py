"""Streams of steps, Dopamine's buffer and ours, for every test of the replay buffer."""

from types import SimpleNamespace

import numpy as np
import pytest
from dopamine.jax.replay_memory import accumulator, elements, replay_buffer, samplers

from redo_dopamine.replay.buffer import FrameReplay

FIELDS = ("state", "action", "reward", "next_state", "is_terminal", "episode_end")


def stream(seed=0, shape=(6, 4), dtype=np.uint8, action_shape=(), ends=0.2):
    """Steps for ever: episodes that end, are cut off, or last for one step."""
    rng = np.random.default_rng(seed)
    observation = rng.integers(0, 256, shape).astype(dtype)
    while True:
        if len(shape) > 1:
            # Only some rows change, so that bands are shared.
            observation = observation.copy()
            observation[rng.integers(shape[0])] = rng.integers(0, 256, shape[1:])
        else:
            observation = rng.normal(size=shape).astype(dtype)
        action = np.int32(rng.integers(5))
        if action_shape:
            action = rng.normal(size=action_shape).astype(np.float32)
        end = rng.random() if rng.random() < ends else 1.0
        yield elements.TransitionElement(
            observation, action, float(rng.normal()), end < 0.5, 0.3 < end < 1.0
        )


def dopamine(*, stack_size=4, update_horizon=1, seed=5, **settings):
    return replay_buffer.ReplayBuffer(
        accumulator.TransitionAccumulator(stack_size, update_horizon, 0.99),
        samplers.UniformSamplingDistribution(seed),
        **{"max_capacity": 40, "batch_size": 7, **settings},
    )


def ours(**settings):
    defaults = {"stack_size": 4, "update_horizon": 1, "gamma": 0.99, "seed": 5}
    return FrameReplay(**{**defaults, "max_capacity": 40, "batch_size": 7, **settings})


def feed(steps, count, *buffers):
    for _ in range(count):
        step = next(steps)
        for buffer in buffers:
            buffer.add(step)


def assert_same_batch(first, second):
    for name in FIELDS:
        one, two = getattr(first, name), getattr(second, name)
        assert (one.dtype, one.shape) == (two.dtype, two.shape), name
        np.testing.assert_array_equal(one, two, err_msg=name)


class EverySlot:
    """Stands in for a generator: draws each slot once, in order."""

    def integers(self, count, size):
        assert size == count
        return np.arange(count)


def everything(buffer):
    """All live transitions of our buffer, by slot."""
    count = min(buffer.add_count, buffer._max_capacity)
    return buffer.sample(count, rng=EverySlot())


@pytest.fixture
def replays():
    return SimpleNamespace(
        stream=stream,
        dopamine=dopamine,
        ours=ours,
        feed=feed,
        assert_same_batch=assert_same_batch,
        everything=everything,
        fields=FIELDS,
    )
