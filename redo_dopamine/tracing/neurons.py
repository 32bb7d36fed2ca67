"""The neurons found so far, the weights that feed and read them, and doubts.

A *block* is the row of neurons that one kernel writes. Where two neurons are combined
element by element they become one (a union), so that a layer is one block or several.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from redo_dopamine.core.neuron_index import compressed
from redo_dopamine.tracing import reasons
from redo_dopamine.tracing.program import Key, Operation, Program
from redo_dopamine.tracing.values import Atom, Place, Value, varying


class Block(NamedTuple):
    """Neurons `first` to `first + size - 1`, and the parameters of their kernel."""

    first: int
    size: int
    leaves: tuple[int, ...]


class Feed(NamedTuple):
    """Entries of a parameter that feed neurons, and the blocks that those are of."""

    leaf: int
    neurons: np.ndarray
    is_kernel: bool
    blocks: frozenset[int]


class Read(NamedTuple):
    """Entries of a parameter that read neurons, and what they read of them."""

    leaf: int
    neurons: np.ndarray
    places: frozenset[Place]
    writers: frozenset[int]
    nonlinear: frozenset[int]


class Neurons:
    """A register of neurons.

    Args:
        shapes: of the parameters.
    """

    def __init__(self, shapes: list[tuple[int, ...]]):
        self.shapes = shapes
        self.blocks: list[Block] = []
        self.feeds: dict[tuple, Feed] = {}
        self.reads: dict[tuple, Read] = {}
        # Entries of parameters that read something that is no neuron.
        self.other_reads: dict[tuple, tuple[int, np.ndarray]] = {}
        self.doubts: defaultdict[int, set[str]] = defaultdict(set)
        # Parameters that are used otherwise than entry by entry.
        self.spoiled: dict[int, str] = {}
        self.coupled: set[int] = set()
        self.merges: defaultdict[int, set[str]] = defaultdict(set)
        # Of values at which activations can be read off.
        self.ids_at: dict[Place, np.ndarray] = {}
        self.norms_at: dict[Place, frozenset[tuple[int, int]]] = {}
        self.writers_at: dict[Place, frozenset[int]] = {}
        self.unreachable: set[Place] = set()
        self._parent = np.zeros(0, np.int64)
        self._memo: dict[tuple, int] = {}

    def find(self, ids: np.ndarray) -> np.ndarray:
        """Each neuron's representative; -1 stays."""
        parent = np.append(self._parent, -1)
        while True:
            up = parent[ids]
            if (up == ids).all():
                return ids
            ids = up

    def unite(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Make one neuron of each pair."""
        for a, b in pairs:
            one, other = (int(self.find(np.asarray(x))) for x in (a, b))
            self._parent[max(one, other)] = min(one, other)

    def blocks_of(self, ids: np.ndarray | None) -> frozenset[int]:
        """Numbers of the blocks that neurons are of."""
        if ids is None:
            return frozenset()
        firsts = [block.first for block in self.blocks]
        found = np.searchsorted(firsts, np.unique(ids[ids >= 0]), "right") - 1
        return frozenset(int(b) for b in np.unique(found))

    def doubt(self, ids: np.ndarray | None, reason: str) -> None:
        """Say why the neurons' layers cannot be recycled."""
        self.doubt_blocks(self.blocks_of(ids), reason)

    def doubt_blocks(self, blocks: Iterable[int], reason: str) -> None:
        """Say why layers cannot be recycled."""
        for block in blocks:
            self.doubts[block].add(reason)

    def spoil(self, value: Value, how: str) -> None:
        """Say that parameters are used otherwise than entry by entry."""
        for atom in value.atoms:
            self.spoiled.setdefault(atom.leaf, how)

    def pull(self, atom: Atom, ids: np.ndarray) -> tuple[np.ndarray, bool]:
        """Bring numbers over a value's axes to the axes of its parameter.

        Args:
            atom: where the parameter stands in the value.
            ids: numbers over the value's axes, compressed.

        Returns:
            Numbers over the parameter's axes, compressed, -1 where it is not in the
            value; and whether every entry has one number only.
        """
        shape = self.shapes[atom.leaf]
        axes, dims = self._axes_of(atom, ids)
        pieces = [ids, atom.mask, *(atom.axes[a] for a in axes)]
        full = np.broadcast_shapes(*(x.shape for x in pieces))
        full = tuple(s if d in dims else 1 for d, s in enumerate(full))

        def spread(x: np.ndarray) -> np.ndarray:
            return np.broadcast_to(x, full).ravel()

        inside = spread(atom.mask)
        if not shape:  # One number, for whichever neurons take it.
            wanted = spread(ids)[inside]
            alone = bool((wanted == wanted[:1]).all())
            return np.array(wanted[0] if wanted.size else -1), alone
        sizes = [s if a in axes else 1 for a, s in enumerate(shape)]
        pulled = np.full(sizes, -1, np.int64)
        nowhere = np.zeros(int(inside.sum()), int)
        where = tuple(
            spread(atom.axes[a])[inside] if a in axes else nowhere
            for a in range(len(shape))
        )
        wanted = spread(ids)[inside]
        pulled[where] = wanted
        return compressed(pulled), bool((pulled[where] == wanted).all())

    def _axes_of(self, atom: Atom, ids: np.ndarray) -> tuple[set[int], set[int]]:
        """Axes of the parameter, and of the value, on which the result depends."""
        shape = self.shapes[atom.leaf]
        dims = varying(ids) | varying(atom.mask)
        axes = {
            a for a, index in enumerate(atom.axes) if len(np.unique(index)) < shape[a]
        }
        while True:
            more = {a for a, index in enumerate(atom.axes) if varying(index) & dims}
            grown = dims.union(*(varying(atom.axes[a]) for a in axes | more))
            if more <= axes and grown == dims:
                return axes, dims
            axes, dims = axes | more, grown

    def write(self, weight: Value, free: set[int]) -> tuple[np.ndarray, int]:
        """New neurons, one for each index of a kernel's axes `free`.

        Returns:
            Their ids over the kernel's axes, and the block.
        """
        sizes = [s if d in free else 1 for d, s in enumerate(weight.shape)]
        count = math.prod(sizes)
        local = np.arange(count).reshape(sizes)
        pulled = [self.pull(atom, local) for atom in weight.atoms]
        key = tuple(
            (atom.leaf, array.shape, array.tobytes())
            for atom, (array, _) in zip(weight.atoms, pulled, strict=True)
        )
        if key not in self._memo:
            self._memo[key] = len(self.blocks)
            first = len(self._parent)
            self._parent = np.append(self._parent, np.arange(first, first + count))
            leaves = tuple(dict.fromkeys(atom.leaf for atom in weight.atoms))
            self.blocks.append(Block(first, count, leaves))
            fed = np.zeros(count, bool)
            for atom, (array, alone) in zip(weight.atoms, pulled, strict=True):
                fed[array[array >= 0]] = True
                self._feed(atom.leaf, np.where(array < 0, -1, array + first), True)
                if not alone:
                    self.doubts[self._memo[key]].add(reasons.ONE_ENTRY_FEEDS_SEVERAL)
            if weight.computed:
                self.doubts[self._memo[key]].add(reasons.COMPUTED)
            if not fed.all():
                self.doubts[self._memo[key]].add(reasons.PARTLY_CONSTANT)
        block = self._memo[key]
        return local + self.blocks[block].first, block

    def _feed(self, leaf: int, neurons: np.ndarray, is_kernel: bool) -> None:
        key = (leaf, is_kernel, neurons.shape, neurons.tobytes())
        if key not in self.feeds:
            blocks = self.blocks_of(neurons)
            self.feeds[key] = Feed(leaf, neurons, is_kernel, blocks)

    def belong(self, weight: Value, ids: np.ndarray) -> None:
        """Parameters that act on neurons one by one, such as a bias, are the neurons'.

        Args:
            weight: a value made of parameters, of as many axes as the neurons.
            ids: the neurons that it is added to, or multiplied with.
        """
        for atom in weight.atoms:
            neurons, alone = self.pull(atom, ids)
            if alone and (neurons >= 0).any():
                self._feed(atom.leaf, neurons, False)
            else:
                self.spoiled.setdefault(atom.leaf, "acts on several neurons at once")

    def read(self, x: Value, weight: Value, rows: np.ndarray | None) -> None:
        """A kernel reads a value.

        Args:
            x: what is read.
            weight: the kernel.
            rows: over the kernel's axes, the neuron that each entry reads, -1 for
                none; None for none at all.
        """
        if x.is_zero:
            return
        if rows is None:
            rows = np.full([1] * len(weight.shape), -1)
        for atom in weight.atoms:
            if (rows < 0).any():
                others, _ = self.pull(atom, np.where(rows < 0, 0, -1))
                key = (atom.leaf, others.shape, others.tobytes())
                self.other_reads[key] = (atom.leaf, others)
            if not (rows >= 0).any():
                continue
            neurons, alone = self.pull(atom, rows)
            if not alone:
                self.doubt(rows, reasons.ONE_ENTRY_READS_SEVERAL)
            seen = (atom.leaf, neurons.shape, neurons.tobytes(), x.places)
            before = self.reads.get(seen)
            writers = x.writers | (before.writers if before else frozenset())
            nonlinear = x.nonlinear | (before.nonlinear if before else frozenset())
            self.reads[seen] = Read(atom.leaf, neurons, x.places, writers, nonlinear)
        if (rows >= 0).any() and not weight.vanishes:
            self.doubt(rows, reasons.NEVER_ZERO)

    def merge(self, values: list[Value], ids: list[np.ndarray], how: str) -> "Merged":
        """Combine values of neurons element by element.

        Args:
            values: those that are combined.
            ids: theirs, all of one rank.
            how: the primitive.

        Returns:
            The neurons of the result, None where there is no one neuron for each
            element; and blocks of which one neuron acts on many.
        """
        linear = not any(x.nonlinear for x in values)
        result, acting = ids[0], frozenset[int]()
        for other in ids[1:]:
            merged = self._merge_two(result, other, how, linear)
            acting |= merged.acting
            if merged.ids is None:
                return Merged(None, acting)
            result = merged.ids
        return Merged(result, acting)

    def _merge_two(
        self, a: np.ndarray, b: np.ndarray, how: str, linear: bool
    ) -> "Merged":
        a, b = np.broadcast_arrays(a, b)
        both = (a >= 0) & (b >= 0)
        first, second = self.find(a[both]), self.find(b[both])
        if (first == second).all():
            return Merged(compressed(np.where(a >= 0, a, b)), frozenset())
        pairs = np.unique(np.stack([first, second]), axis=1)
        num_first, num_second = (len(np.unique(x)) for x in pairs)
        if num_first == num_second == pairs.shape[1]:
            for block in self.blocks_of(pairs):
                self.merges[block].add("sum" if linear and how in _SUMS else how)
            self.unite([(int(x), int(y)) for x, y in pairs.T])
            return Merged(compressed(np.where(a >= 0, a, b)), frozenset())
        few, many = (a, b) if num_first < num_second else (b, a)
        acting = self.blocks_of(few)
        if pairs.shape[1] != max(num_first, num_second):
            self.doubt(many, reasons.COMBINED_WITH_SEVERAL)
            return Merged(None, acting | self.blocks_of(many))
        return Merged(compressed(np.where(many >= 0, many, few)), acting)


class Merged(NamedTuple):
    """See `Neurons.merge`."""

    ids: np.ndarray | None
    acting: frozenset[int]


_SUMS = ("add", "sub", "add_any", "carry", "branch")


class Context(Protocol):
    """An analysis at some operation.

    Attributes:
        neurons: the register.
        passes: which pass of each loop around the operation; None for all.
    """

    neurons: Neurons
    passes: tuple[int | None, ...]

    def run(self, program: Program, inputs: Sequence[Value]) -> list[Value]:
        """The values of a program's outputs."""

    def place(self, value: Value, key: Key) -> Value:
        """A value at which the activations of its neurons are read off from now on."""

    def unknown(self, op: Operation, ins: list[Value]) -> list[Value]:
        """The results of what is not understood."""

    def lose(self, values: Sequence[Value], reason: str) -> None:
        """Say that values are not followed any further."""
