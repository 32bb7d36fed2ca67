"""Neurons that belong together, and what speaks against recycling them."""

import itertools
from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from redo_dopamine.core.neuron_index import compressed
from redo_dopamine.tracing import reasons
from redo_dopamine.tracing.neurons import Neurons, Read
from redo_dopamine.tracing.values import Place, varying


class Group:
    """Blocks whose neurons were united: a layer, or a head."""

    def __init__(self, register: Neurons, numbers: list[int], outputs: frozenset[int]):
        self.register, self.numbers = register, numbers
        blocks = [register.blocks[b] for b in numbers]
        nodes = np.concatenate([np.arange(b.first, b.first + b.size) for b in blocks])
        roots, counts = np.unique(register.find(nodes), return_counts=True)
        self.num_neurons = len(roots)
        self._index = np.full(int(roots.max()) + 2, -1)
        self._index[roots] = np.arange(len(roots))
        self.leaves = list(dict.fromkeys(leaf for b in blocks for leaf in b.leaves))
        self.feeds = self._own(register.feeds.values())
        self.reads: list[Read] = self._own(register.reads.values())
        self.outputs = not outputs.isdisjoint(numbers)
        self.doubts = {r for b in numbers for r in register.doubts[b]}
        uneven = len(set(counts.tolist())) > 1
        if uneven or (self.num_neurons == 1 and counts[0] > len(blocks)):
            self.doubts.add(reasons.COMBINED_INSIDE)
        merges = {m for b in numbers for m in register.merges[b]}
        self.is_gate = bool(merges - {"sum"}) or counts[0] > len(blocks)
        self.is_head = not self.reads and (self.outputs or not self.doubts)
        self.is_coupled = not register.coupled.isdisjoint(numbers)

    def local(self, ids: np.ndarray) -> np.ndarray:
        """Numbers of neurons within the group; -1 for those of others."""
        roots = self.register.find(ids)
        inside = (roots >= 0) & (roots < len(self._index))
        return np.where(inside, self._index[np.where(inside, roots, -1)], -1)

    def _own(self, records: Iterable) -> list:
        found = []
        for record in records:
            neurons = self.local(record.neurons)
            if (neurons >= 0).any():
                found.append(record._replace(neurons=compressed(neurons)))
        return found

    def places(self, reads: Iterable[Read]) -> frozenset[Place]:
        """Where what is read of its neurons can be seen."""
        all_places = frozenset[Place]().union(*(x.places for x in reads))
        ids_at = self.register.ids_at
        return frozenset(p for p in all_places if (self.local(ids_at[p]) >= 0).any())

    def forms(self) -> dict[frozenset[Place], list[Read]]:
        """Its readings, by what they read."""
        found: defaultdict[frozenset[Place], list[Read]] = defaultdict(list)
        for read in self.reads:
            found[self.places([read])].append(read)
        return dict(found)

    def is_active(self, reads: Iterable[Read]) -> bool:
        """Whether what is read has passed an activation function."""
        return any(not read.nonlinear.isdisjoint(self.numbers) for read in reads)

    def is_stream(self) -> bool:
        """Whether it is read before all that write it have done so."""
        own = frozenset(self.numbers)
        writers_at = self.register.writers_at
        return len({writers_at[x] & own for x in self.places(self.reads)}) > 1


def united(register: Neurons) -> list[list[int]]:
    """Blocks, those together that share a neuron."""
    group = list(range(len(register.blocks)))
    owner: dict[int, int] = {}
    for number, block in enumerate(register.blocks):
        for root in register.find(np.arange(block.first, block.first + block.size)):
            first = group[owner.setdefault(int(root), number)]
            other = group[number]
            low, high = min(first, other), max(first, other)
            if low != high:
                group = [low if g == high else g for g in group]
    members: defaultdict[int, list[int]] = defaultdict(list)
    for number, g in enumerate(group):
        members[g].append(number)
    return list(members.values())


def compare(groups: list[Group], register: Neurons) -> None:
    """Doubt layers whose weights are also those of others, or are used otherwise."""
    feeds = [(g, x.leaf, x) for g in groups for x in g.feeds]
    reads = [(g, x.leaf, x.neurons) for g in groups for x in g.reads]
    tied: set[int] = set()
    for (g, leaf, x), (h, other, y) in itertools.combinations(feeds, 2):
        if leaf == other and overlap(x.neurons, y.neurons):
            # As a kernel and as a bias, or of two neurons.
            alike = g is h and x.is_kernel == y.is_kernel
            if not alike or _conflict(x.neurons, y.neurons):
                tied.add(leaf)
    for g in groups:
        own = {x.leaf for x in (*g.feeds, *g.reads)}
        if own & tied or any(_on_one_axis(g, read) for read in g.reads):
            g.doubts.add(reasons.TIED)
        if own & register.spoiled.keys():
            g.doubts.add(reasons.COMPUTED)
    for (g, leaf, a), (h, other, b) in itertools.combinations(reads, 2):
        if leaf == other and (_conflict(a, b) if g is h else overlap(a, b)):
            g.doubts.add(reasons.SHARED)
            h.doubts.add(reasons.SHARED)
    for g, leaf, a in reads:
        for other, b in register.other_reads.values():
            if leaf == other and overlap(a, b):
                g.doubts.add(reasons.SHARED)


def _conflict(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether an entry belongs to one neuron by one index and to another by another."""
    return bool(((a >= 0) & (b >= 0) & (a != b)).any())


def overlap(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether an entry of a parameter belongs to neurons by both indices."""
    return bool((compressed(a >= 0) & compressed(b >= 0)).any())


def _on_one_axis(group: Group, read: Read) -> bool:
    """Whether a parameter feeds a layer on the axis on which it reads it."""
    return any(
        feed.leaf == read.leaf
        and feed.is_kernel
        and varying(feed.neurons) == varying(read.neurons)
        and overlap(feed.neurons, read.neurons)
        and group.num_neurons > 1
        for feed in group.feeds
    )
