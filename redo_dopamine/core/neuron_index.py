"""Which neuron each entry of a parameter belongs to, and sums over a neuron's entries.

An index is never as large as the parameter: an axis on which the neuron does not
depend has size 1. So the index of a dense kernel [in, N] is [1, N], and that of the
rows that read N channels at H * W positions is [H * W * N, 1].
"""

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class NeuronIndex:
    """The neuron of each entry of a parameter, -1 for none.

    Two indices are equal, and hash alike, where they say the same.

    Args:
        neurons: whole numbers that broadcast to the parameter's shape.

    Attributes:
        array: int32, each axis on which the neurons do not depend of size 1.
    """

    __slots__ = ("_hash", "array")

    def __init__(self, neurons: Any):
        array = np.asarray(neurons)
        if not np.issubdtype(array.dtype, np.integer):
            raise TypeError(
                f"A neuron index must be whole numbers, but its dtype is {array.dtype}."
                " Write the neuron of each entry, and -1 for none."
            )
        if array.size and not (array.min() >= -1 and array.max() < 2**31):
            raise ValueError(
                "A neuron index must hold numbers of neurons, and -1 for none, but has "
                f"numbers from {array.min()} to {array.max()}."
            )
        self.array = compressed(np.ascontiguousarray(array, np.int32)).copy()
        self.array.flags.writeable = False
        self._hash = hash((self.array.shape, self.array.tobytes()))

    def resolve(self, shape: tuple[int, ...], num_neurons: int) -> "NeuronIndex":
        """This index: it depends on nothing."""
        del shape, num_neurons
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NeuronIndex) and (
            self._hash == other._hash
            and self.array.shape == other.array.shape
            and bool((self.array == other.array).all())
        )

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> Any:
        return NeuronIndex, (np.array(self.array),)

    def __repr__(self) -> str:
        values = self.array.ravel()
        shown = ", ".join(map(str, values[:8])) + (", ..." if values.size > 8 else "")
        return f"NeuronIndex({list(self.array.shape)}: {shown})"


class Along(NamedTuple):
    """A neuron index that is written by a rule; see `along`."""

    axis: int
    copies: int = 1
    repeat: int = 1
    start: int = 0

    def resolve(self, shape: tuple[int, ...], num_neurons: int) -> NeuronIndex:
        """The index of a parameter of this shape."""
        return _resolve_along(self, tuple(shape), num_neurons)


def along(axis: int, copies: int = 1, repeat: int = 1, start: int = 0) -> Along:
    r"""Neurons in order along one axis of a parameter.

    .. math:: \text{neuron}(p) = \lfloor (p - \text{start}) / \text{repeat} \rfloor
              \bmod N, \qquad \text{start} \le p < \text{start} +
              N \cdot \text{repeat} \cdot \text{copies}

    Other entries belong to no neuron.

    Args:
        axis: of the parameter; 0 for a kernel [out, in], -1 for [in, out].
        copies: how often the whole row of neurons stands on the axis: H * W where
            [H, W, N] is flattened channel last, 2 behind a CReLU.
        repeat: how often each neuron stands side by side: H * W where [N, H, W] is
            flattened channel first.
        start: the first entry, behind what else is concatenated.

    Raises:
        TypeError: something else than a whole number.
    """
    given = {"axis": axis, "copies": copies, "repeat": repeat, "start": start}
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise TypeError(f"{name} must be a whole number, but is {value!r}.")
    return Along(*map(int, given.values()))


@functools.lru_cache(maxsize=4096)
def _resolve_along(
    rule: Along, shape: tuple[int, ...], num_neurons: int
) -> NeuronIndex:
    length = shape[rule.axis]
    position = np.arange(length) - rule.start
    neurons = position // rule.repeat % num_neurons
    inside = position < num_neurons * rule.repeat * rule.copies
    neurons = np.where((position >= 0) & inside, neurons, -1)
    sizes = [1] * len(shape)
    sizes[rule.axis] = length
    return NeuronIndex(neurons.reshape(sizes))


def compressed(array: np.ndarray) -> np.ndarray:
    """The array with size 1 on every axis on which it does not vary."""
    for axis in range(array.ndim):
        if array.shape[axis] > 1:
            first = array.take([0], axis)
            if (array == first).all():
                array = first
    return array


def overlap(one: NeuronIndex, other: NeuronIndex) -> bool:
    """Whether an entry of a parameter belongs to neurons by both indices."""
    first, second = compressed(one.array >= 0), compressed(other.array >= 0)
    return bool((first & second).any())


def fits(index: NeuronIndex, shape: tuple[int, ...]) -> bool:
    """Whether an index broadcasts to a parameter of this shape."""
    sizes = index.array.shape
    return len(sizes) == len(shape) and all(
        size in (1, length) for size, length in zip(sizes, shape, strict=True)
    )


def spread(values: jax.Array, index: NeuronIndex, fill: Any = False) -> jax.Array:
    """Each entry's value, from one value per neuron; shaped like the index.

    Args:
        values: [N].
        index: of a parameter.
        fill: the value of entries that belong to no neuron.
    """
    ids = index.array
    copies = _num_copies(ids, values.shape[0])
    if copies is not None:
        return jnp.tile(values, copies).reshape(ids.shape)
    filled = jnp.append(values, jnp.asarray(fill, values.dtype))
    return filled[np.where(ids < 0, values.shape[0], ids)]


def sum_by_neuron(leaf: jax.Array, index: NeuronIndex, num_neurons: int) -> jax.Array:
    """Sum over the entries of each neuron.

    Args:
        leaf: a parameter, or something of its shape.
        index: of the parameter.
        num_neurons: N.

    Returns:
        Sums [N]; 0 for a neuron without an entry.
    """
    ids = index.array
    axis = _only_axis(ids, num_neurons)
    if axis is not None:
        after = math.prod(leaf.shape[axis + 1 :])
        if after == 1:
            return jnp.sum(leaf.reshape(-1, num_neurons), axis=0)
        return jnp.sum(leaf.reshape(-1, num_neurons, after), axis=(0, 2))
    others = tuple(a for a, size in enumerate(ids.shape) if size == 1)
    values = jnp.sum(leaf, axis=others).ravel()
    sums = jnp.zeros(num_neurons + 1, values.dtype)  # The last is of no neuron.
    return sums.at[ids.ravel()].add(values)[:num_neurons]


def mean_by_neuron(
    leaves: list[tuple[jax.Array, NeuronIndex]], num_neurons: int
) -> jax.Array:
    """Mean over the entries of each neuron, of all its parameters.

    Args:
        leaves: parameters and their indices.
        num_neurons: N.

    Returns:
        Means [N] in float32; 0 for a neuron without an entry.
    """
    if len(leaves) == 1:
        [(leaf, index)] = leaves
        axis = _only_axis(index.array, num_neurons)
        if axis is not None and leaf.shape[axis] == num_neurons:
            others = tuple(a for a in range(leaf.ndim) if a != axis)
            return jnp.mean(leaf, axis=others, dtype=jnp.float32)
    total: Any = sum(
        sum_by_neuron(leaf.astype(jnp.float32), index, num_neurons)
        for leaf, index in leaves
    )
    count = sum(
        count_by_neuron(index, leaf.shape, num_neurons) for leaf, index in leaves
    )
    return total / np.maximum(count, 1)


def count_by_neuron(
    index: NeuronIndex, shape: tuple[int, ...], num_neurons: int
) -> np.ndarray:
    """How many entries of a parameter belong to each neuron, [N]."""
    ids = index.array
    counts = np.bincount(ids[ids >= 0].ravel(), minlength=num_neurons)
    return counts * (math.prod(shape) // ids.size)


def entries(leaf: jax.Array, index: NeuronIndex) -> jax.Array:
    """The entries of a parameter that belong to some neuron.

    Returns:
        The parameter itself where all do; else what is left of it along the axis on
        which the others stand, or a row of numbers.
    """
    owned = compressed(index.array >= 0)
    if owned.all():
        return leaf
    axes = [axis for axis, size in enumerate(owned.shape) if size > 1]
    if len(axes) == 1:
        return jnp.take(leaf, np.flatnonzero(owned), axis=axes[0])
    return leaf[np.broadcast_to(owned, leaf.shape)]


def _num_copies(ids: np.ndarray, num_neurons: int) -> int | None:
    """How often all neurons stand in order in an index; None if otherwise."""
    copies, rest = divmod(ids.size, num_neurons)
    if rest or sum(size > 1 for size in ids.shape) > 1:
        return None
    in_order = np.tile(np.arange(num_neurons), copies)
    return copies if (ids.ravel() == in_order).all() else None


def _only_axis(ids: np.ndarray, num_neurons: int) -> int | None:
    """The one axis on which the neurons stand in order; None if otherwise."""
    axes = [axis for axis, size in enumerate(ids.shape) if size > 1]
    if len(axes) != 1 or _num_copies(ids, num_neurons) is None:
        return None
    return axes[0]
