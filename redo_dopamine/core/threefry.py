"""The random bits of `jax.random`, sooner on a CPU.

What comes in: a key. What leaves: a key whose numbers are the same. On a CPU, JAX
keeps the rounds of its generator in a loop, which writes every intermediate value of
all the numbers to memory; here they are one expression, which the compiler fuses. A
recycle draws four million numbers, which is most of what it costs.
"""

import math

import jax
import jax.numpy as jnp
from jax.extend import random as extend

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA
_NUM_ROUNDS = 5
_WORD = 32


def _threefry(key: jax.Array, high: jax.Array, low: jax.Array) -> jax.Array:
    """Threefry-2x32 with 20 rounds of a 64-bit counter, its two words combined.

    Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011.
    """
    keys = (key[0], key[1], key[0] ^ key[1] ^ jnp.uint32(_PARITY))
    high, low = high + keys[0], low + keys[1]
    for i in range(_NUM_ROUNDS):
        for rotation in _ROTATIONS[i % 2]:
            high = high + low
            rotated = (low << jnp.uint32(rotation)) | (
                low >> jnp.uint32(_WORD - rotation)
            )
            low = high ^ rotated
        high = high + keys[(i + 1) % 3]
        low = low + keys[(i + 2) % 3] + jnp.uint32(i + 1)
    return high ^ low


def _random_bits(key: jax.Array, bit_width: int, shape: tuple[int, ...]) -> jax.Array:
    size = math.prod(shape)
    one_word = bit_width == _WORD and size < 2**_WORD
    by_counter = jax.config.jax_threefry_partitionable  # type: ignore[attr-defined]
    if not (one_word and by_counter):
        return extend.threefry_prng_impl.random_bits(key, bit_width, shape)
    low = jax.lax.iota(jnp.uint32, size)
    return _threefry(key, jnp.zeros_like(low), low).reshape(shape)


_IMPLEMENTATION = extend.define_prng_impl(
    key_shape=extend.threefry_prng_impl.key_shape,
    seed=extend.threefry_prng_impl.seed,
    split=extend.threefry_prng_impl.split,
    fold_in=extend.threefry_prng_impl.fold_in,
    random_bits=_random_bits,
    name="unrolled_threefry",
    tag="utf",
)


def unrolled(key: jax.Array) -> jax.Array:
    """A key that gives the same numbers as this one, to draw many of them.

    Args:
        key: of `jax.random.PRNGKey`, [2].
    """
    return jax.random.wrap_key_data(key, impl=_IMPLEMENTATION)  # type: ignore[arg-type]
