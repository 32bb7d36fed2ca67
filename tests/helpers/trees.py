"""Trees as flat dictionaries of numpy arrays, and bit-for-bit comparison.

Written apart from `redo_dopamine.core`, so that a test of it does not lean on it.
"""

from collections.abc import Mapping
from typing import Any

import flax
import jax
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

Path = tuple[str, ...]


def by_path(params: Any) -> dict[Path, np.ndarray]:
    """Every leaf of a parameter tree, as a writable numpy array."""
    flat = flatten_dict(flax.core.unfreeze(params))
    return {path: np.array(leaf) for path, leaf in flat.items()}


def from_paths(leaves: Mapping[Path, Any]) -> dict[str, Any]:
    """The inverse of `by_path`, with JAX arrays."""
    return unflatten_dict({path: jax.numpy.asarray(x) for path, x in leaves.items()})


def split_opt_state(
    opt_state: Any, params: Any
) -> tuple[dict[str, tuple[Path, np.ndarray]], dict[str, np.ndarray]]:
    """Moments and counters of an optimizer state, by their place in it.

    A moment is a leaf whose key path ends in a parameter's path; with it comes
    that path. All other leaves are counters.
    """
    known = set(by_path(params))
    moments, counters = {}, {}
    for key_path, leaf in jax.tree_util.tree_flatten_with_path(opt_state)[0]:
        place = jax.tree_util.keystr(key_path)
        keys = [getattr(key, "key", None) for key in key_path]
        ends = [tuple(keys[start:]) for start in range(len(keys))]
        path = next((end for end in ends if end in known), None)
        if path is not None:
            moments[place] = path, np.array(leaf)
        else:
            counters[place] = np.array(leaf)
    return moments, counters


def same_bits(first: Any, second: Any) -> bool:
    """Whether two arrays agree in shape, dtype and every bit."""
    first, second = np.asarray(first), np.asarray(second)
    alike = first.shape == second.shape and first.dtype == second.dtype
    return alike and first.tobytes() == second.tobytes()


def assert_same_bits(first: Any, second: Any) -> None:
    """Fail unless two trees agree in structure and every bit of every leaf."""
    assert jax.tree.structure(first) == jax.tree.structure(second)
    leaves = jax.tree_util.tree_flatten_with_path(first)[0]
    for (key_path, one), other in zip(leaves, jax.tree.leaves(second), strict=True):
        assert same_bits(one, other), jax.tree_util.keystr(key_path)
