"""Compile functions, with random numbers that are quick on a CPU."""

import math
import os
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import jaxlib
from jax.extend import random as extend

# XLA has two ways to run a program on a CPU. The newer, its default since jaxlib
# 0.4.32, does not vectorize Adam's step and is slower at convolutions; from 0.7 on it
# is the only one.
HAS_OLD_RUNTIME = jaxlib.version.__version_info__ < (0, 7)


# Settings of JAX that numbers depend on, or that its checks read from the environment.
# Runs look for NaN themselves; JAX's own search takes a measure of nothing for one.
_SETTINGS = {
    "jax_enable_x64": False,
    "jax_default_prng_impl": "threefry2x32",
    "jax_threefry_partitionable": True,
    "jax_random_seed_offset": 0,
    "jax_legacy_prng_key": "allow",
    "jax_numpy_dtype_promotion": "standard",
    "jax_numpy_rank_promotion": "allow",
    "jax_debug_nans": False,
    "jax_debug_infs": False,
}


def ignore_environment() -> None:
    """Give JAX the settings that runs are made with, whatever the shell has set.

    For commands: a run that is resumed from another shell is the same run.
    """
    for name, value in _SETTINGS.items():
        jax.config.update(name, value)
    _keep_programs_by_cores()


def _keep_programs_by_cores() -> None:
    """Share compiled programs with processes of as many cores only.

    XLA's convolutions are compiled for a number of threads. In a process that has
    another number a cached program ends it ("Failed XLA_LIGHTWEIGHT_QCHECK").
    """
    directory = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
    if directory and not directory.endswith("_cores"):
        cores = len(os.sched_getaffinity(0))
        own = os.path.join(directory, f"{cores}_cores")
        jax.config.update("jax_compilation_cache_dir", own)


def in_old_runtime() -> bool:
    """Whether `compiled` programs run in the older one."""
    return _has_both() and not _is_left


def _has_both() -> bool:
    return HAS_OLD_RUNTIME and jax.default_backend() == "cpu"


# Pixels times channels of a state that goes into a max-pool. From twice as many on the
# older runtime can end the process while it compiles the gradient of a batch of 32
# ("could not find evaluated value").
_LARGEST_POOLED = 84 * 84 * 32
# It ends so too at the gradient of a network that takes both of what it computes.
_NOT_TOGETHER = {"sin", "cos"}
_is_left = False


def choose_runtime(function: Callable[..., Any], *arguments: Any) -> None:
    """Choose the runtime of a network's programs, whatever the last network's was.

    It is the older one, unless the network has what that cannot compile.

    Args:
        function: runs the network on one state; it is traced only.
        *arguments: of the function.
    """
    global _is_left
    if _has_both():
        program = jax.make_jaxpr(function)(*arguments)
        operations = list(_operations(program.jaxpr))
        pooled = [
            math.prod(x.invars[0].aval.shape)
            for x in operations
            if x.primitive.name == "reduce_window_max"
        ]
        _is_left = (
            max(pooled, default=0) > _LARGEST_POOLED
            or {x.primitive.name for x in operations} >= _NOT_TOGETHER
        )


def _operations(program: Any) -> Iterator[Any]:
    """Those of a program, and of the programs in it."""
    for operation in program.eqns:
        yield operation
        for part in jax.tree.leaves(operation.params):
            inner = getattr(part, "jaxpr", part)
            if hasattr(inner, "eqns"):
                yield from _operations(inner)


def compiled(function: Callable[..., Any], **settings: Any) -> Any:
    """`jax.jit`, on a CPU for the faster of XLA's runtimes.

    Args:
        function: a pure function.
        **settings: what `jax.jit` takes.
    """
    if in_old_runtime():
        settings["compiler_options"] = {"xla_cpu_use_thunk_runtime": False}
    return jax.jit(function, **settings)


_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA
_NUM_ROUNDS = 5
_WORD = 32


def _threefry(
    key: jax.Array, high: jax.Array, low: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Threefry-2x32 with 20 rounds of a 64-bit counter.

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
    return high, low


def _random_bits(key: jax.Array, bit_width: int, shape: tuple[int, ...]) -> jax.Array:
    size = math.prod(shape)
    one_word = bit_width == _WORD and size < 2**_WORD
    by_counter = jax.config.jax_threefry_partitionable  # type: ignore[attr-defined]
    if not (one_word and by_counter):
        return extend.threefry_prng_impl.random_bits(key, bit_width, shape)
    low = jax.lax.iota(jnp.uint32, size)
    high, low = _threefry(key, jnp.zeros_like(low), low)
    return (high ^ low).reshape(shape)


def _split(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    if not jax.config.jax_threefry_partitionable:  # type: ignore[attr-defined]
        return extend.threefry_prng_impl.split(key, shape)
    low = jax.lax.iota(jnp.uint32, math.prod(shape))
    words = _threefry(key, jnp.zeros_like(low), low)
    return jnp.stack(words, axis=-1).reshape(*shape, 2)


_IMPLEMENTATION = extend.define_prng_impl(
    key_shape=extend.threefry_prng_impl.key_shape,
    seed=extend.threefry_prng_impl.seed,
    split=_split,
    fold_in=extend.threefry_prng_impl.fold_in,
    random_bits=_random_bits,
    name="unrolled_threefry",
    tag="utf",
)


def unrolled(key: jax.Array) -> jax.Array:
    """A key that gives the same numbers as this one, to draw many of them.

    Without loops, which XLA's older runtime can fail to compile beside a gradient.

    Args:
        key: of `jax.random.PRNGKey`, [2]; one of this function is returned as it is.
    """
    if jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        return key
    return jax.random.wrap_key_data(key, impl=_IMPLEMENTATION)  # type: ignore[arg-type]
