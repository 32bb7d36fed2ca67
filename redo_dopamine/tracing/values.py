"""What is known of a value of the program: whose neuron it is, and of which weights."""

import dataclasses
from typing import Any, NamedTuple

import numpy as np

from redo_dopamine.tracing.indices import Move
from redo_dopamine.tracing.program import Key

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
