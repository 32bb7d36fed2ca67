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

Path = tuple[str, ...]
Params = Any  # A pytree of arrays in nested mappings.


class Edge(NamedTuple):
    """A kernel that reads a layer.

    Attributes:
        kernel: path of the kernel in the parameter tree; its axis -2 is the input.
        copies: how many times the layer's neurons stand side by side on that
            axis. It is 1 between layers of a kind, and H * W where a convolution
            [H, W, N] is flattened, channel last, into a dense layer.
    """

    kernel: Path
    copies: int = 1


class Layer(NamedTuple):
    """A row of N neurons.

    Attributes:
        name: the layer's name, and the key of its activations.
        kernel: path of the incoming weights; the last axis is the neuron.
        bias: path of the bias [N], or None.
        outgoing: every kernel that reads the layer; two for a dueling head.
        recyclable: False where several layers write the same channels (a
            residual stream), so that no single kernel feeds a neuron.
    """

    name: str
    kernel: Path
    bias: Path | None
    outgoing: tuple[Edge, ...]
    recyclable: bool = True


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
            f"missing among what it recorded: {sorted(recorded)}. Give record() the "
            "graph's names."
        )
    return {layer.name: recorded[layer.name] for layer in layers}


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
    shapes = {path: np.shape(leaf) for path, leaf in leaves_by_path(params).items()}
    repeated = [n for n, k in Counter(x.name for x in graph.layers).items() if k > 1]
    if repeated:
        raise ValueError(
            f"Layer names must be unique, but {repeated} stand more than once. "
            "Give every layer of the graph its own name."
        )
    for layer in graph.layers:
        _validate_layer(layer, shapes)
    _validate_ownership(graph)
    read = {edge.kernel for layer in graph.layers for edge in layer.outgoing}
    for head in graph.heads:
        if head not in read:
            raise ValueError(
                f"A head must read a layer of the graph, but {_show(head)} reads none. "
                f"Name one of: {', '.join(sorted(map(_show, read)))}."
            )


def _validate_types(graph: NetworkGraph) -> None:
    """The short forms that are easily written and are none; '' names all layers."""
    _require(isinstance(graph, NetworkGraph), "A graph", "a NetworkGraph", graph)
    _validate_tuple("NetworkGraph.layers", graph.layers, Layer)
    for head in graph.heads if isinstance(graph.heads, tuple | list) else [graph.heads]:
        _validate_path("a head of the graph", head)
    for layer in graph.layers:
        name = f"Layer {layer.name!r}"
        is_name, known = isinstance(layer.name, str), isinstance(layer.recyclable, bool)
        _require(is_name and layer.name != "", name, "named by text", layer.name)
        _require(known, f"{name}: recyclable", "True or False", layer.recyclable)
        _validate_path(f"{name}: kernel", layer.kernel)
        if layer.bias is not None:
            _validate_path(f"{name}: bias", layer.bias)
        _validate_tuple(f"{name}: outgoing", layer.outgoing, Edge)
        for edge in layer.outgoing:
            _validate_path(f"{name}: kernel of an outgoing edge", edge.kernel)


def _require(
    holds: bool, what: str, rule: str, value: Any, remedy: str = "Give another one."
) -> None:
    if not holds:
        raise TypeError(f"{what} must be {rule}, but is {value!r}. {remedy}")


def _validate_tuple(what: str, value: Any, kind: type) -> None:
    # A layer and an edge are tuples themselves.
    whole = isinstance(value, tuple | list) and not isinstance(value, Layer | Edge)
    holds, one = whole and all(isinstance(x, kind) for x in value), kind.__name__
    remedy = f"Write ({one}(...),) for one, with the comma."
    _require(holds, what, f"a tuple of {one}s", value, remedy)


def _validate_path(what: str, path: Any) -> None:
    named = isinstance(path, tuple) and all(isinstance(x, str) for x in path)
    remedy = "Write ('params', 'Dense_0', 'kernel')."
    _require(named, what, "a path, a tuple of names", path, remedy)


def _validate_ownership(graph: NetworkGraph) -> None:
    """A neuron can be recycled only where no other layer shares its weights."""
    feeds = [(layer, "fed by", layer.kernel) for layer in graph.layers]
    feeds += [(x, "fed by", x.bias) for x in graph.layers if x.bias is not None]
    reads = [(x, "read by", edge.kernel) for x in graph.layers for edge in x.outgoing]
    for links in (feeds, reads):
        for layer, verb, path in links:
            sharing = [other.name for other, _, p in links if p == path]
            if layer.recyclable and len(sharing) > 1:
                raise ValueError(
                    f"Layer {layer.name!r}: the weights of a recyclable layer must "
                    f"be its own, but layers {sharing} are all {verb} "
                    f"{_show(path)}. Correct the path, or mark the layers "
                    "recyclable=False to track them only."
                )


def _validate_layer(layer: Layer, shapes: Mapping[Path, tuple[int, ...]]) -> None:
    kernel_shape = _shape_of(layer, layer.kernel, shapes)
    num_neurons = kernel_shape[-1]
    if layer.bias is not None:
        bias_shape = _shape_of(layer, layer.bias, shapes)
        if bias_shape != (num_neurons,):
            raise ValueError(
                f"Layer {layer.name!r}: the bias must have one entry per neuron, "
                f"({num_neurons},) as in kernel {_show(layer.kernel)} "
                f"{kernel_shape}, but {_show(layer.bias)} has shape {bias_shape}. "
                "Name the bias that belongs to this kernel."
            )
    if layer.recyclable and not layer.outgoing:
        raise ValueError(
            f"Layer {layer.name!r}: a recyclable layer must have an outgoing "
            "kernel, but outgoing is (). Name the kernels that read it, or leave "
            "an output head out of the graph."
        )
    for edge in layer.outgoing:
        _validate_edge(layer, num_neurons, edge, shapes)


def _validate_edge(
    layer: Layer, num_neurons: int, edge: Edge, shapes: Mapping[Path, tuple[int, ...]]
) -> None:
    shape = _shape_of(layer, edge.kernel, shapes)
    if not isinstance(edge.copies, Integral) or edge.copies < 1:
        raise ValueError(
            f"Layer {layer.name!r}: copies must be a whole number and at least 1, but "
            f"is {edge.copies} for outgoing kernel {_show(edge.kernel)}. It is the "
            "number of positions that are flattened, 1 where nothing is."
        )
    expected = num_neurons * edge.copies
    if len(shape) < 2 or shape[-2] != expected:
        inputs = shape[-2] if len(shape) >= 2 else 0
        fits = inputs > 0 and inputs % num_neurons == 0
        hint = f"copies={inputs // num_neurons} would fit." if fits else ""
        raise ValueError(
            f"Layer {layer.name!r}: an outgoing kernel must have neurons * copies = "
            f"{num_neurons} * {edge.copies} = {expected} inputs, but "
            f"{_show(edge.kernel)} has shape {shape}. Name the kernel that reads "
            f"this layer and the number of flattened positions. {hint}".rstrip()
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
