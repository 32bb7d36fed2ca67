"""Small data sets, written by hand and read whole."""

import numpy as np
from dopamine.jax.replay_memory import elements

from redo_dopamine.offline import reading, writing
from redo_dopamine.replay.windows import WindowSettings

SHAPE = (6, 5)


def steps_of(episodes, seed=0, shape=SHAPE):
    """Steps of episodes, given as `(length, comes to its end)`."""
    rng = np.random.default_rng(seed)
    for length, ends in episodes:
        for i in range(length):
            last = i == length - 1
            yield elements.TransitionElement(
                rng.integers(1, 256, shape, dtype=np.uint8),
                np.int32(rng.integers(4)),
                float(rng.integers(-1, 2)),
                last and ends,
                last,
            )


def write(directory, steps, split_rows=10**6, stack_size=4):
    tape = writing.Tape(directory, stack_size, split_rows)
    for step in steps:
        tape.add(step)
    tape.close()


def settings(stack_size=4, horizon=1, gamma=0.9):
    return WindowSettings(stack_size, horizon, gamma)


def load(directory, splits=None, **more):
    return reading.load(directory, splits, settings(**more)).contents
