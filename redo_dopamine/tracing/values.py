"""What is known of a value of the program: its neurons, its weights, its numbers.

All three are arrays of indices or numbers that move as the value's elements do.
Reshape, transpose, concatenate and the like act on them alike, so the order of a
flatten, an offset or a permutation needs no case of its own. Such an array is
compressed: an axis on which it does not depend has size 1.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from redo_dopamine.core.neuron_index import compressed
from redo_dopamine.tracing.program import Key, Operation

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

# A place where activations can be read: a value, and in which pass of each loop around
# it, None for all.
Place = tuple[Key, tuple[int | None, ...]]


class Atom(NamedTuple):
    """Where entries of one parameter stand in a value.

    Attributes:
        leaf: number of the parameter.
        mask: where the value depends on it; compressed over the value's axes.
        axes: for every axis of the parameter, which entry; compressed likewise.
    """

    leaf: int
    mask: np.ndarray
    axes: tuple[np.ndarray, ...]

    def moved(self, move: Move) -> "Atom":
        """The same after the values have moved."""
        return Atom(self.leaf, move(self.mask), tuple(map(move, self.axes)))


@dataclasses.dataclass(frozen=True)
class Value:
    """An abstract value.

    Attributes:
        shape: its shape.
        known: its numbers, compressed, if it is a constant of few.
        data: whether it depends on the network's input.
        ids: the neuron of each element, -1 for none, compressed; None for no neuron.
        atoms: the parameters that stand in it entry by entry.
        vanishes: whether it is 0 where all its parameters are 0.
        places: where its neurons' activations are read off.
        nonlinear: blocks on whose neurons an activation function has acted.
        norms: where its neurons were normalized together, by block.
        taint: blocks of which it depends on several neurons at once.
        writers: blocks whose kernels wrote it.
        computed: whether parameters stand in it otherwise than entry by entry.
    """

    shape: tuple[int, ...]
    known: Any = None
    data: bool = False
    ids: np.ndarray | None = None
    atoms: tuple[Atom, ...] = ()
    vanishes: bool = False
    places: frozenset[Place] = frozenset()
    nonlinear: frozenset[int] = frozenset()
    norms: frozenset[tuple[int, Key]] = frozenset()
    taint: frozenset[int] = frozenset()
    writers: frozenset[int] = frozenset()
    computed: bool = False

    @property
    def is_weight(self) -> bool:
        """Whether it is made of parameters and has seen no neuron."""
        return bool(self.atoms) and self.ids is None and not self.taint

    @property
    def is_zero(self) -> bool:
        """Whether it is known to be 0 everywhere."""
        return self.known is not None and not np.any(self.known)

    def but(self, **changes: Any) -> "Value":
        """This value with something changed."""
        return dataclasses.replace(self, **changes)

    def moved(self, move: Move, shape: tuple[int, ...]) -> "Value":
        """This value after its elements have moved."""
        return self.but(
            shape=shape,
            known=None if self.known is None else move(self.known),
            ids=None if self.ids is None else move(self.ids),
            atoms=tuple(atom.moved(move) for atom in self.atoms),
        )


def together(values: list[Value], shape: tuple[int, ...]) -> Value:
    """What a value has of all those that it is made of, but its elements."""
    none: frozenset[Any] = frozenset()
    return Value(
        shape,
        data=any(x.data for x in values),
        places=none.union(*(x.places for x in values)),
        nonlinear=none.union(*(x.nonlinear for x in values)),
        norms=none.union(*(x.norms for x in values)),
        taint=none.union(*(x.taint for x in values)),
        writers=none.union(*(x.writers for x in values)),
        computed=any(x.computed for x in values),
    )


def constant(array: Any) -> Value:
    """A constant; its numbers are kept if they are few."""
    shape = tuple(np.shape(array))
    if np.size(array) > 1_000_000:
        return Value(shape)
    try:
        numbers = np.asarray(array)
    except TypeError:  # A random key.
        return Value(shape)
    return Value(shape, known=numbers, vanishes=not numbers.any())


def parameter(leaf: int, shape: tuple[int, ...]) -> Value:
    """A whole parameter."""
    rank = len(shape)
    index = tuple(
        np.arange(size).reshape([size if d == axis else 1 for d in range(rank)])
        for axis, size in enumerate(shape)
    )
    atom = Atom(leaf, np.ones([1] * rank, bool), index)
    return Value(shape, atoms=(atom,), vanishes=True)


# By numpy: a call of JAX would compile each of them.
_NUMBERS: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "max": np.maximum,
    "min": np.minimum,
    "neg": np.negative,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "eq": np.equal,
    "ne": np.not_equal,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "not": np.bitwise_not,
}
_LARGEST = 1_000_000


def fold(op: Operation, ins: list[Value]) -> list[Value]:
    """The results of an operation on constants; known if they are few and easy."""
    results = [Value(shape) for shape in op.shapes]
    if op.name == "iota":
        axis = op.params["dimension"]
        shape = [s if d == axis else 1 for d, s in enumerate(op.shapes[0])]
        return [_known(np.arange(op.shapes[0][axis]).reshape(shape), op.shapes[0])]
    if not ins or any(x.known is None for x in ins):
        return results
    values = [_of_rank(x.known, len(op.shapes[0])) for x in ins]
    if op.name in _NUMBERS:
        return [_known(_NUMBERS[op.name](*values), op.shapes[0])]
    if op.name == "convert_element_type":
        dtype = np.dtype(op.params["new_dtype"])
        return [_known(ins[0].known.astype(dtype), op.shapes[0])]
    if op.name in ("copy", "copy_p", "device_put", "stop_gradient"):
        return [ins[0]]
    if op.name == "select_n" and ins[0].known.dtype == bool and len(ins) == 3:
        chosen = np.where(values[0], values[2], values[1])
        return [_known(chosen, op.shapes[0])]
    if op.name == "concatenate" and sum(np.prod(s) for s in op.shapes) < _LARGEST:
        shapes = [x.shape for x in ins]
        joined = concatenate(values, shapes, op.params["dimension"])
        return [_known(joined, op.shapes[0])]
    move = mover(op, ins[0].shape) if len(ins) == 1 else None
    if move is None:
        return results
    return [_known(move(ins[0].known), op.shapes[0])]


def _known(numbers: Any, shape: tuple[int, ...]) -> Value:
    numbers = compressed(np.asarray(numbers))
    return Value(shape, known=numbers, vanishes=not numbers.any())


def _of_rank(numbers: np.ndarray, rank: int) -> np.ndarray:
    return numbers.reshape([1] * rank) if numbers.ndim == 0 else numbers
