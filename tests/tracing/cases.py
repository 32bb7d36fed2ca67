"""A table of networks: what the trace must find of each, and what it must decline."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from redo_dopamine.core.graph import leaf_path


class Network(NamedTuple):
    """A function of parameters and inputs.

    Attributes:
        apply: `(params, inputs) -> outputs`.
        params: shapes of the parameters.
        example: inputs, as arrays.
    """

    apply: Callable[[Any, Any], Any]
    params: Any
    example: Any


class Case(NamedTuple):
    """A network, and what must be found of it.

    Attributes:
        make: makes it.
        recyclable: neurons by layer.
        declined: a part of the reason, by layer.
        unexplained: parameters of no layer.
        options: of `trace_network`.
    """

    make: Callable[[], Network]
    recyclable: Mapping[str, int]
    declined: Mapping[str, str]
    unexplained: frozenset[str]
    options: Mapping[str, bool]


class Table(dict[str, Case]):
    """Cases by name."""

    def add(self, name, recyclable=(), declined=(), unexplained=(), **options):
        """A decorator of a function that makes the network."""

        def register(make):
            assert name not in self
            self[name] = Case(
                make,
                dict(recyclable),
                dict(declined),
                frozenset(unexplained),
                options,
            )
            return make

        return register


def numbers(shape: Any, seed: int = 0) -> np.ndarray:
    """Numbers in [0, 1) of a shape."""
    return np.random.default_rng(seed).random(shape).astype(np.float32)


def linen(module: Any, shape: tuple[int, ...], **kwargs: Any) -> Network:
    """A flax module, of inputs of this shape."""
    x = numbers(shape)
    params = jax.eval_shape(lambda k: module.init(k, x, **kwargs), key())
    return Network(lambda p, x: module.apply(p, x, **kwargs), params, x)


def plain(
    apply: Any, shapes: Mapping[str, tuple[int, ...]], shape: tuple[int, ...] = (4, 5)
) -> Network:
    """A function of a dictionary of arrays."""
    params = {k: jax.ShapeDtypeStruct(s, jnp.float32) for k, s in shapes.items()}
    return Network(apply, params, numbers(shape) - 0.5)


def key() -> jax.Array:
    """A random key."""
    return jax.random.PRNGKey(0)


def draw(params: Any, seed: int = 0) -> Any:
    """Parameters of these shapes; what must be positive is."""
    rng = np.random.default_rng(seed)

    def one(key_path, x):
        if not jnp.issubdtype(x.dtype, jnp.floating):
            return np.zeros(x.shape, x.dtype)
        if any(part in "/".join(leaf_path(key_path)) for part in ("var", "scale")):
            return (1 + 0.2 * rng.random(x.shape)).astype(np.float32)
        fan_in = np.prod(x.shape[:-1]) if len(x.shape) > 1 else 10
        return (rng.normal(size=x.shape) * 1.5 / fan_in**0.5).astype(np.float32)

    return jax.tree_util.tree_map_with_path(one, params)
