"""Which weights feed a neuron and which weights read it.

A network is a tuple of `Layer`s, a layer is a row of neurons (dense units or
convolution channels), and every weight is named by its path in the tree that
`network.init` returns. All else in this package follows from that description.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any, NamedTuple

import jax
import numpy as np

from redo_dopamine.core.layer import Edge, Indexed, Layer, Path, Weights
from redo_dopamine.core.neuron_index import Along, NeuronIndex, fits, overlap

Params = Any  # A pytree of arrays in nested mappings.


class NetworkGraph(NamedTuple):
    """All layers of neurons of a network. Hashable, so static under `jax.jit`.

    Attributes:
        layers: from the input to the output.
        heads: paths of the kernels that give the network's outputs, where those are
            not just the ones that read the last layer: of several networks side by
            side, the heads of each.
    """

    layers: tuple[Layer, ...]
    heads: tuple[Path, ...] = ()

    @property
    def recyclable_layers(self) -> tuple[Layer, ...]:
        """The layers whose neurons can be recycled one by one."""
        return tuple(layer for layer in self.layers if layer.recyclable)


def leaf_path(key_path: tuple[Any, ...]) -> Path:
    """The names along a JAX key path, e.g. `('params', 'Dense_0', 'kernel')`."""
    return tuple(jax.tree_util.keystr((key,), simple=True) for key in key_path)


def leaves_by_path(params: Params) -> dict[Path, Any]:
    """Every leaf of a parameter tree under its path."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(params)
    return {leaf_path(key_path): leaf for key_path, leaf in leaves}


def shapes_by_path(params: Params) -> dict[Path, tuple[int, ...]]:
    """Shape of every leaf of a parameter tree under its path."""
    return {path: np.shape(leaf) for path, leaf in leaves_by_path(params).items()}


def widths(graph: NetworkGraph, params: Params) -> dict[str, int]:
    """Number of neurons of every layer, by its name."""
    shapes = shapes_by_path(params)
    return {layer.name: layer.width(shapes) for layer in graph.layers}


def resolve(graph: NetworkGraph, params: Params) -> NetworkGraph:
    """The same graph with every index written out, for a tree of parameters.

    Args:
        graph: one that fits the parameters (`validate`).
        params: the tree that `network.init` returned, or its shapes.
    """
    shapes = shapes_by_path(params)
    layers = tuple(layer.resolve(shapes) for layer in graph.layers)
    return NetworkGraph(layers, graph.heads)


def of_layers(layers: Sequence[Layer], recorded: Mapping[str, Any]) -> dict[str, Any]:
    """What a network recorded, for the layers of its graph.

    Args:
        layers: of the network's graph.
        recorded: anything by layer name, such as activations; more than the graph's
            layers is left out.

    Raises:
        ValueError: a layer of which nothing was recorded.
    """
    missing = [x.name for x in layers if x.name not in recorded]
    if missing:
        raise ValueError(
            f"A network must record every layer of its graph, but {missing} are "
            f"missing among what it recorded: {sorted(map(str, recorded))}. Give "
            "record() the graph's names."
        )
    return {layer.name: recorded[layer.name] for layer in layers}


def head_kernels(graph: NetworkGraph) -> frozenset[Path]:
    """The kernels that give the outputs.

    Those that the graph names; where it names none, those that read its last layer and
    feed no layer of it. Other kernels that feed none need not be heads: in a residual
    network some write on a stream that is not tracked.
    """
    fed = {w.path for x in graph.layers for w in x.incoming if w.is_kernel}
    last = {edge.path for layer in graph.layers[-1:] for edge in layer.outgoing}
    return frozenset(graph.heads) or frozenset(last - fed)


def validate(graph: NetworkGraph, params: Params) -> None:
    """Check that a graph describes a parameter tree.

    Args:
        graph: the description.
        params: the tree that `network.init` returned, or its shapes.

    Raises:
        TypeError: a string where a path is due, or one layer or edge where a tuple is.
        ValueError: a path that is not in the tree, a bias or an outgoing kernel
            whose shape does not fit the layer, a name used twice, a recyclable
            layer that nothing reads or whose weights are another layer's too. The
            message names the layer, the values and the remedy.
    """
    _validate_types(graph)
    shapes = shapes_by_path(params)
    repeated = [n for n, k in Counter(x.name for x in graph.layers).items() if k > 1]
    if repeated:
        raise ValueError(
            f"Layer names must be unique, but {repeated} stand more than once. "
            "Give every layer of the graph its own name."
        )
    for layer in graph.layers:
        _validate_layer(layer, shapes)
    _validate_ownership(graph, shapes)
    read = {edge.path for layer in graph.layers for edge in layer.outgoing}
    for head in graph.heads:
        if head not in read:
            raise ValueError(
                f"A head must read a layer of the graph, but {_show(head)} reads none. "
                f"Name one of: {', '.join(sorted(map(_show, read)))}."
            )


def require_graph(graph: Any) -> None:
    """Refuse what is no graph.

    Raises:
        TypeError: it is something else.
        ValueError: it has no layer.
    """
    _require(isinstance(graph, NetworkGraph), "A graph", "a NetworkGraph", graph)
    if not graph.layers:
        raise ValueError(
            "A graph must have a layer at least, but NetworkGraph.layers is empty. "
            "Describe the hidden layers of the network."
        )


def _validate_types(graph: NetworkGraph) -> None:
    """The short forms that are easily written and are none; '' names all layers."""
    require_graph(graph)
    _validate_tuple("NetworkGraph.layers", graph.layers, Layer)
    for head in graph.heads if isinstance(graph.heads, tuple | list) else [graph.heads]:
        _validate_path("a head of the graph", head)
    for layer in graph.layers:
        name = f"Layer {layer.name!r}"
        is_name, known = isinstance(layer.name, str), isinstance(layer.recyclable, bool)
        _require(is_name and layer.name != "", name, "named by text", layer.name)
        _require(known, f"{name}: recyclable", "True or False", layer.recyclable)
        count = layer.num_neurons
        whole = count is None or (
            isinstance(count, Integral) and not isinstance(count, bool)
        )
        _require(whole, f"{name}: num_neurons", "a whole number or None", count)
        _validate_tuple(f"{name}: incoming", layer.incoming, Weights)
        for weights in layer.incoming:
            what = "kernel" if weights.is_kernel else "bias"
            _validate_path(f"{name}: {what}", weights.path)
            known = isinstance(weights.is_kernel, bool)
            of = f"{name}: is_kernel of {_show(weights.path)}"
            _require(known, of, "True or False", weights.is_kernel)
        _validate_tuple(f"{name}: outgoing", layer.outgoing, Edge, Weights)
        for edge in layer.outgoing:
            _validate_path(f"{name}: kernel of an outgoing edge", edge.path)
        for part in (*layer.incoming, *layer.outgoing):
            is_index = isinstance(part.neurons, NeuronIndex | Along)
            what = f"{name}: the neurons of {_show(part.path)}"
            _require(is_index, what, "a NeuronIndex or along(...)", part.neurons)


def _require(
    holds: bool, what: str, rule: str, value: Any, remedy: str = "Give another one."
) -> None:
    if not holds:
        raise TypeError(f"{what} must be {rule}, but is {value!r}. {remedy}")


def _validate_tuple(what: str, value: Any, *kinds: type) -> None:
    # A layer and an edge are tuples themselves.
    whole = isinstance(value, tuple | list)
    whole = whole and not isinstance(value, Layer | Edge | Weights)
    holds, one = whole and all(isinstance(x, kinds) for x in value), kinds[0].__name__
    remedy = f"Write ({one}(...),) for one, with the comma."
    _require(holds, what, f"a tuple of {one}s", value, remedy)


def _validate_path(what: str, path: Any) -> None:
    named = isinstance(path, tuple) and all(isinstance(x, str) for x in path)
    remedy = "Write ('params', 'Dense_0', 'kernel')."
    _require(named, what, "a path, a tuple of names", path, remedy)


def _validate_ownership(
    graph: NetworkGraph, shapes: Mapping[Path, tuple[int, ...]]
) -> None:
    """A neuron can be recycled only where no other layer shares its weights."""
    layers = graph.layers
    feeds = [(layer, "fed by", x) for layer in layers for x in layer.fed_by(shapes)]
    reads = [(layer, "read by", x) for layer in layers for x in layer.read_by(shapes)]
    for links in (feeds, reads):
        of_path: dict[Path, list[tuple[Layer, str, Indexed]]] = {}
        for link in links:
            of_path.setdefault(link[2].path, []).append(link)
        for layer, verb, weights in links:
            sharing = [
                other.name
                for other, _, x in of_path[weights.path]
                if overlap(x.neurons, weights.neurons)
            ]
            if layer.recyclable and len(sharing) > 1:
                raise ValueError(
                    f"Layer {layer.name!r}: the weights of a recyclable layer must "
                    f"be its own, but layers {sharing} are all {verb} "
                    f"{_show(weights.path)}. Correct the path, or mark the layers "
                    "recyclable=False to track them only."
                )


def _validate_layer(layer: Layer, shapes: Mapping[Path, tuple[int, ...]]) -> None:
    for weights in layer.incoming:
        _shape_of(layer, weights.path, shapes)
    if not layer.incoming or layer.width(shapes) < 1:
        raise ValueError(
            f"Layer {layer.name!r}: a layer must have a neuron and a weight that "
            f"feeds it, but has num_neurons={layer.num_neurons} and "
            f"incoming={layer.incoming}. Name the weights that feed its neurons."
        )
    if layer.num_neurons is None and layer.bias is not None:
        kernel_shape, bias_shape = shapes[layer.kernel], shapes[layer.bias]
        if bias_shape != kernel_shape[-1:]:
            raise ValueError(
                f"Layer {layer.name!r}: the bias must have one entry per neuron, "
                f"({kernel_shape[-1]},) as in kernel {_show(layer.kernel)} "
                f"{kernel_shape}, but {_show(layer.bias)} has shape {bias_shape}. "
                "Name the bias that belongs to this kernel."
            )
    if layer.recyclable and not layer.outgoing:
        raise ValueError(
            f"Layer {layer.name!r}: a recyclable layer must have an outgoing "
            "kernel, but outgoing is (). Name the kernels that read it, or leave "
            "an output head out of the graph."
        )
    num_neurons = layer.width(shapes)
    for edge in layer.outgoing:
        shape = _shape_of(layer, edge.path, shapes)
        if isinstance(edge, Edge):
            _validate_edge(layer, num_neurons, edge, shape)
    for part in (*layer.incoming, *layer.outgoing):
        _validate_index(layer, num_neurons, part, shapes[part.path])


def _validate_edge(
    layer: Layer, num_neurons: int, edge: Edge, shape: tuple[int, ...]
) -> None:
    if not isinstance(edge.copies, Integral) or edge.copies < 1:
        raise ValueError(
            f"Layer {layer.name!r}: copies must be a whole number and at least 1, but "
            f"is {edge.copies} for outgoing kernel {_show(edge.kernel)}. It is the "
            "number of positions that are flattened, 1 where nothing is."
        )
    expected = num_neurons * edge.copies
    if len(shape) < 2 or shape[-2] != expected:
        inputs = shape[-2] if len(shape) >= 2 else 0
        divides = inputs > 0 and inputs % num_neurons == 0
        hint = f"copies={inputs // num_neurons} would fit." if divides else ""
        raise ValueError(
            f"Layer {layer.name!r}: an outgoing kernel must have neurons * copies = "
            f"{num_neurons} * {edge.copies} = {expected} inputs, but "
            f"{_show(edge.kernel)} has shape {shape}. Name the kernel that reads "
            f"this layer and the number of flattened positions. {hint}".rstrip()
        )


def _validate_index(
    layer: Layer,
    num_neurons: int,
    weights: Weights | Edge,
    shape: tuple[int, ...],
) -> None:
    where = f"Layer {layer.name!r}: the neurons of {_show(weights.path)} {shape}"
    rule = weights.neurons
    if isinstance(rule, Along):
        rank = len(shape)
        length = shape[rule.axis] if -rank <= rule.axis < rank else 0
        used = rule.start + num_neurons * rule.repeat * rule.copies
        if used > length or rule.start < 0 or rule.repeat < 1 or rule.copies < 1:
            raise ValueError(
                f"{where} must stand on axis {rule.axis}, but start + neurons * "
                f"repeat * copies = {rule.start} + {num_neurons} * {rule.repeat} * "
                f"{rule.copies} = {used}, and the axis has {length} entries. "
                "Correct along(...)."
            )
        return
    ids = rule.array
    if not fits(rule, shape) or ids.max() >= num_neurons or ids.min() < -1:
        raise ValueError(
            f"{where} must broadcast to its shape and be in [-1, {num_neurons}), but "
            f"their index is {rule}. Give the neuron of each entry, -1 for none."
        )


def _shape_of(
    layer: Layer, path: Path, shapes: Mapping[Path, tuple[int, ...]]
) -> tuple[int, ...]:
    if path not in shapes:
        known = ", ".join(sorted(_show(p) for p in shapes))
        raise ValueError(
            f"Layer {layer.name!r}: path {_show(path)} is not in the parameter "
            f"tree. Use one of: {known}."
        )
    shape = shapes[path]
    if math.prod(shape) == 0 or not shape:
        raise ValueError(
            f"Layer {layer.name!r}: {_show(path)} must have at least one entry on "
            f"every axis, but has shape {shape}."
        )
    return shape


def _show(path: Path) -> str:
    return "/".join(path)
