"""Augment the images of a batch, as DrQ does."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from dopamine.labs.atari_100k import atari_100k_rainbow_agent

# Of states [B, H, W, stack] and a key; it gives such states.
Augment = Callable[[jax.Array, jax.Array], jax.Array]


def shift_and_intensity(states: jax.Array, key: jax.Array) -> jax.Array:
    """Shift each state by up to 4 pixels, and scale its intensity by about 5%.

    Kostrikov et al., "Image Augmentation Is All You Need", ICLR 2021; the intensities
    as in Schwarzer et al., "Data-Efficient Reinforcement Learning with Self-Predictive
    Representations", ICLR 2021. Computed by Dopamine's own function.

    Args:
        states: bytes, or floats [B, H, W, stack].
        key: what is drawn from.

    Returns:
        Floats of the same shape.
    """
    floats = states.astype(jnp.float32)
    return atari_100k_rainbow_agent.drq_image_augmentation(key, floats)
