"""Draws from a replay buffer that training does not notice."""

import numpy as np
from dopamine.jax.replay_memory import elements, replay_buffer


def sample_apart(
    replay: replay_buffer.ReplayBuffer, size: int, rng: np.random.Generator
) -> elements.ReplayElement:
    """Transitions drawn with a generator of the caller's own.

    The buffer's own generator does not move, so that a run that looks at its
    neurons trains on the same batches as one that does not.

    Args:
        replay: a Dopamine replay buffer that is not empty.
        size: how many, drawn with replacement.
        rng: where the randomness comes from.

    Returns:
        Arrays [size, ...] as the buffer stores them.
    """
    # Dopamine offers no seam here: the generator is a private attribute.
    distribution = replay._sampling_distribution
    training_rng = distribution._rng
    distribution._rng = rng
    try:
        return replay.sample(size)
    finally:
        distribution._rng = training_rng
