"""From neurons and the weights around them to the layers of a network."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from redo_dopamine.core.graph import Layer, NetworkGraph, Path
from redo_dopamine.core.layer import Weights
from redo_dopamine.core.neuron_index import NeuronIndex
from redo_dopamine.tracing import reasons
from redo_dopamine.tracing.groups import Group, compare, overlap, united
from redo_dopamine.tracing.neurons import Neurons, Read
from redo_dopamine.tracing.values import Place


class Declined(NamedTuple):
    """A layer that is not recycled.

    Attributes:
        name: as in the graph, if it is tracked.
        kernels: paths of the parameters that feed it.
        reasons: why not.
        remedies: what to do about each.
    """

    name: str
    kernels: tuple[Path, ...]
    reasons: tuple[str, ...]
    remedies: tuple[str, ...]

    def __str__(self) -> str:
        why = "; ".join(self.reasons)
        return f"Layer {self.name!r} is not recycled: {why}. {self.remedies[0]}"


class Source(NamedTuple):
    """Where a layer's activations are read off.

    Attributes:
        place: a value of the program.
        neurons: the neuron of each element, compressed over the value's axes.
    """

    place: Place
    neurons: NeuronIndex


class Found(NamedTuple):
    """What was found of a network.

    Attributes:
        graph: recyclable and tracked layers.
        sources: by layer.
        notes: by layer, what else to know of it.
        declined: layers that are not recycled.
        told: parameters that belong to a layer or a head.
        heads: kernels that write an output.
    """

    graph: NetworkGraph
    sources: dict[str, tuple[Source, ...]]
    notes: dict[str, tuple[str, ...]]
    declined: tuple[Declined, ...]
    told: frozenset[int]
    heads: tuple[Path, ...] = ()


def assemble(
    register: Neurons,
    outputs: frozenset[int],
    paths: list[Path],
    *,
    linear: bool,
    joint: bool,
) -> Found:
    """Make layers of the neurons of a register.

    Args:
        register: of an analysis.
        outputs: blocks that the function's outputs are of.
        paths: of the parameters.
        linear: whether layers without an activation function are recyclable.
        joint: whether gates are.
    """
    groups = [Group(register, b, outputs) for b in united(register)]
    compare(groups, register)
    layers: list[tuple[int, Layer]] = []
    found = Found(NetworkGraph(()), {}, {}, (), frozenset())
    declined: list[Declined] = []
    naming = _Naming(paths)
    for group in groups:
        if group.is_head:
            continue
        _judge(group, linear=linear, joint=joint)
        recyclable = not group.doubts
        parts = _parts(group)
        names = []
        for part in parts:
            if recyclable or _is_tracked(group, part, parts):
                writer = _last_writer(group, part)
                leaf = register.blocks[writer].leaves[0]
                names.append(naming.of(leaf, _pass_of(group, part)))
                layer = _layer(names[-1], group, part, writer, paths)
                layers.append((min(group.places(part))[0], layer))
                found.sources[layer.name] = _sources(group, part)
                found.notes[layer.name] = _notes(group)
        if not recyclable:
            told = tuple(sorted(group.doubts))
            remedies = tuple(reasons.REMEDIES[x] for x in told)
            kernels = tuple(paths[x] for x in group.leaves)
            names = names or [naming.of(group.leaves[0], None)]
            declined += [Declined(name, kernels, told, remedies) for name in names]
    in_order = tuple(layer for _, layer in sorted(layers, key=lambda x: x[0]))
    told_leaves = {x.leaf for g in groups for x in (*g.feeds, *g.reads)}
    return found._replace(
        graph=NetworkGraph(in_order, _heads(groups, in_order, paths)),
        declined=tuple(declined),
        told=frozenset(told_leaves),
        heads=tuple(paths[x] for g in groups if g.is_head for x in g.leaves),
    )


def _judge(group: Group, *, linear: bool, joint: bool) -> None:
    """Add the reasons that only the whole layer shows."""
    doubts, register = group.doubts, group.register
    if not group.reads:
        doubts.add(reasons.UNREAD)
        return
    if group.outputs:
        doubts.add(reasons.OUTPUT)
    if group.is_stream():
        doubts.add(reasons.STREAM)
    own = set(group.numbers)
    places = group.places(group.reads)
    norms_at = [register.norms_at[place] for place in places]
    if len({frozenset(x for x in norms if x[0] in own) for norms in norms_at}) > 1:
        doubts.add(reasons.NORM_BETWEEN)
    if places & register.unreachable and reasons.BRANCH not in doubts:
        doubts.add(reasons.OWN_DERIVATIVE)
    if not places or not _is_even(group, places):
        doubts.add(reasons.UNEVEN)
    if doubts:
        return
    if group.is_gate and not joint:
        doubts.add(reasons.JOINT)
    if not linear and not group.is_active(group.reads):
        doubts.add(reasons.LINEAR)


def _is_even(group: Group, places: frozenset[Place]) -> bool:
    """Whether all its neurons stand equally often in the values to look at."""
    for place in places:
        ids = group.local(group.register.ids_at[place])
        counts = np.bincount(ids[ids >= 0], minlength=group.num_neurons)
        if counts.min() != counts.max():
            return False
    return True


def _parts(group: Group) -> list[list[Read]]:
    """What to look at as a layer: a stream once for every form in which it is read."""
    if group.doubts and len(group.leaves) > 1 and group.is_stream():
        return list(group.forms().values())
    return [group.reads] if group.reads else []


def _is_tracked(group: Group, part: list[Read], parts: list[list[Read]]) -> bool:
    """Whether a layer that is not recycled has activations to look at."""
    places = group.places(part)
    if group.outputs or not places or places & group.register.unreachable:
        return False
    if len(parts) > 1 and not group.is_active(part):
        return False  # A stream that is read raw: there is no activation to score.
    return _is_even(group, places)


def _last_writer(group: Group, part: list[Read]) -> int:
    """The block after which to name a layer."""
    if not (group.doubts and group.is_stream()):
        return group.numbers[0]
    own = set(group.numbers)
    writers = [b for read in part for b in read.writers if b in own]
    return max(writers, default=group.numbers[0])


def _pass_of(group: Group, part: list[Read]) -> int | None:
    """Which of several stacked layers it is; None for none of them."""
    passes = {place[1] for place in group.places(part)}
    if len(passes) != 1:
        return None
    return next((x for x in next(iter(passes)) if x is not None), None)


def _sources(group: Group, part: list[Read]) -> tuple[Source, ...]:
    ids_at = group.register.ids_at
    return tuple(
        Source(place, NeuronIndex(group.local(ids_at[place])))
        for place in sorted(group.places(part), key=str)
    )


def _notes(group: Group) -> tuple[str, ...]:
    notes = []
    if group.is_coupled:
        notes.append("coupled: normalized together, so that recycling moves the others")
    if len(group.numbers) > 1:
        notes.append(f"joint: {len(group.numbers)} kernels feed each neuron")
    return tuple(notes)


def _layer(
    name: str, group: Group, part: list[Read], writer: int, paths: list[Path]
) -> Layer:
    feeds = sorted(group.feeds, key=lambda x: not x.is_kernel)
    if group.doubts and group.is_stream():  # What wrote last is its kernel.
        feeds = [x for x in feeds if writer in x.blocks]
    return Layer(
        name,
        num_neurons=group.num_neurons,
        incoming=_joined((paths[x.leaf], x.neurons, x.is_kernel) for x in feeds),
        outgoing=_joined((paths[x.leaf], x.neurons, True) for x in part),
        recyclable=not group.doubts,
    )


def _joined(weights: Iterable[tuple[Path, np.ndarray, bool]]) -> tuple[Weights, ...]:
    """One index for each parameter, where they can be told apart."""
    found: dict[tuple, list[np.ndarray]] = {}
    for path, neurons, is_kernel in weights:
        own = found.setdefault((path, is_kernel), [])
        for k, other in enumerate(own):
            if other.shape == neurons.shape and not overlap(other, neurons):
                own[k] = np.where(other >= 0, other, neurons)
                break
        else:
            if not any(np.array_equal(other, neurons) for other in own):
                own.append(neurons)
    return tuple(
        Weights(path, NeuronIndex(neurons), is_kernel)
        for (path, is_kernel), own in found.items()
        for neurons in own
    )


def _heads(
    groups: list[Group], layers: Iterable[Layer], paths: list[Path]
) -> tuple[Path, ...]:
    """The kernels that read a layer and write an output."""
    read = {weights.path for layer in layers for weights in layer.outgoing}
    kernels = [paths[x] for g in groups if g.outputs for x in g.leaves]
    return tuple(dict.fromkeys(path for path in kernels if path in read))


class _Naming:
    """Names for layers, after the modules of their kernels."""

    def __init__(self, paths: list[Path]):
        self._paths = paths
        self._taken: Counter[str] = Counter()

    def of(self, leaf: int, position: int | None) -> str:
        """A name that no other layer has."""
        name = module_name(self._paths[leaf])
        if position is not None:
            name = f"{name}[{position}]"
        self._taken[name] += 1
        if self._taken[name] == 1:
            return name
        return self.of_again(f"{name}#{self._taken[name]}")

    def of_again(self, name: str) -> str:
        """Another name, if that one is taken too."""
        self._taken[name] += 1
        return name if self._taken[name] == 1 else self.of_again(f"{name}'")


def module_name(path: Path) -> str:
    """The name of a parameter's module; its own name where it is in none."""
    parts = [p for p in path if p != "params"] or list(path)
    if parts[-1] == "value" and len(parts) > 2:  # As in nnx.
        parts = parts[:-1]
    return "/".join(parts[:-1] if len(parts) > 1 else parts)
