"""Arrays of indices that move through a program as its values do.

An index array is compressed: an axis on which it does not depend has size 1. Reshape,
transpose, concatenate and the like act on indices as on numbers, so that the order of
a flatten, an offset or a permutation needs no case of its own.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from redo_dopamine.core.neuron_index import compressed
from redo_dopamine.tracing.program import Operation

Shape = tuple[int, ...]
Move = Callable[[np.ndarray], np.ndarray]


def varying(array: np.ndarray) -> set[int]:
    """The axes on which an index array depends."""
    return {axis for axis, size in enumerate(array.shape) if size > 1}


def reshape(array: np.ndarray, old: Sequence[int], new: Sequence[int]) -> np.ndarray:
    """Reshape from `old` to `new`, writing out only axes that are merged or split."""
    i = j = 0
    middle: list[int] = []
    result: list[int] = []
    while i < len(old) or j < len(new):
        first, out = i, j
        a = b = 1
        if i < len(old):
            a, i = old[i], i + 1
        if j < len(new):
            b, j = new[j], j + 1
        while a != b:
            if a < b:
                a, i = a * old[i], i + 1
            else:
                b, j = b * new[j], j + 1
        if all(size == 1 for size in array.shape[first:i]):
            middle += [1] * (i - first)
            result += [1] * (j - out)
        else:
            middle += old[first:i]
            result += new[out:j]
    return compressed(np.broadcast_to(array, middle).reshape(result))


def concatenate(
    arrays: Sequence[np.ndarray], shapes: Sequence[Shape], axis: int
) -> np.ndarray:
    """Concatenate arrays of values of these shapes."""
    rank = arrays[0].ndim
    sizes = [max(x.shape[d] for x in arrays) for d in range(rank)]
    parts = [
        np.broadcast_to(x, [*sizes[:axis], shape[axis], *sizes[axis + 1 :]])
        for x, shape in zip(arrays, shapes, strict=True)
    ]
    return compressed(np.concatenate(parts, axis))


def take(array: np.ndarray, positions: Any, axis: int) -> np.ndarray:
    """Entries at positions of an axis."""
    if array.shape[axis] == 1:
        return array
    return compressed(np.take(array, positions, axis))


def pad(array: np.ndarray, config: Sequence[tuple[int, int, int]]) -> np.ndarray:
    """Pad as `jax.lax.pad` does, with -1, along the axes on which the array depends."""
    for axis, (low, high, inner) in enumerate(config):
        size = array.shape[axis]
        if size == 1:
            continue
        length = low + size + (size - 1) * inner + high
        where = low + np.arange(size) * (inner + 1)
        inside = (where >= 0) & (where < length)
        shape = [length if d == axis else s for d, s in enumerate(array.shape)]
        padded = np.full(shape, -1, array.dtype)
        np.moveaxis(padded, axis, 0)[where[inside]] = np.moveaxis(array, axis, 0)[
            inside
        ]
        array = padded
    return array


def mover(op: Operation, shape: Shape) -> Move | None:
    """What an operation that only moves values does to an index array of its operand.

    Args:
        op: the operation.
        shape: of its first operand.

    Returns:
        A function of a compressed array, or None for an operation of another kind.
    """
    make = _MOVERS.get(op.name)
    return None if make is None else make(op.params, shape, op.shapes[0])


def _reshape(params: Any, shape: Shape, out: Shape) -> Move:
    order = params.get("dimensions")
    if order is None:
        return lambda x: reshape(x, shape, out)
    # It transposes first, as in a convolution under vmap.
    turned = [shape[d] for d in order]
    return lambda x: reshape(np.transpose(x, order), turned, out)


def _squeeze(params: Any, shape: Shape, out: Shape) -> Move:
    dropped = {d % len(shape) for d in params["dimensions"]}
    return lambda x: x.reshape([s for d, s in enumerate(x.shape) if d not in dropped])


def _expand_dims(params: Any, shape: Shape, out: Shape) -> Move:
    return lambda x: np.expand_dims(x, params["dimensions"])


def _broadcast(params: Any, shape: Shape, out: Shape) -> Move:
    def move(x: np.ndarray) -> np.ndarray:
        sizes = [1] * len(out)
        for axis, to in enumerate(params["broadcast_dimensions"]):
            sizes[to] = x.shape[axis]
        return x.reshape(sizes)

    return move


def _transpose(params: Any, shape: Shape, out: Shape) -> Move:
    return lambda x: np.transpose(x, params["permutation"])


def _reverse(params: Any, shape: Shape, out: Shape) -> Move:
    return lambda x: np.flip(x, params["dimensions"])


def _slice(params: Any, shape: Shape, out: Shape) -> Move:
    strides = params["strides"] or (1,) * len(shape)
    starts, limits = params["start_indices"], params["limit_indices"]

    def move(x: np.ndarray) -> np.ndarray:
        for axis, bounds in enumerate(zip(starts, limits, strides, strict=True)):
            x = take(x, np.arange(*bounds), axis)
        return x

    return move


def _tile(params: Any, shape: Shape, out: Shape) -> Move:
    reps = [b // a if a else 1 for a, b in zip(shape, out, strict=True)]
    return lambda x: np.tile(
        x, [r if s > 1 else 1 for r, s in zip(reps, x.shape, strict=True)]
    )


_MOVERS: dict[str, Callable[[Any, Shape, Shape], Move]] = {
    "reshape": _reshape,
    "squeeze": _squeeze,
    "expand_dims": _expand_dims,
    "broadcast_in_dim": _broadcast,
    "transpose": _transpose,
    "rev": _reverse,
    "slice": _slice,
    "tile": _tile,
}
