"""Draws from a replay buffer that training does not notice."""

import numpy as np
from dopamine.jax.replay_memory import replay_buffer


def sample_apart(
    replay: replay_buffer.ReplayBuffer, size: int, rng: np.random.Generator
) -> np.ndarray:
    """States drawn with a generator of the caller's own.

    The buffer's own generator does not move, so that a run that looks at its
    neurons trains on the same batches as one that does not.

    Args:
        replay: a Dopamine replay buffer that is not empty.
        size: how many states, drawn with replacement.
        rng: where the randomness comes from.

    Returns:
        States [size, ..., stack] as the buffer stores them.
    """
    # Dopamine offers no seam here: the generator is a private attribute.
    distribution = replay._sampling_distribution
    training_rng = distribution._rng
    distribution._rng = rng
    try:
        return replay.sample(size).state
    finally:
        distribution._rng = training_rng
