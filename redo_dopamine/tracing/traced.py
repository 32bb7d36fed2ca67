"""`trace_network`, a network's graph from what it computes, and `check_graph`.

The second holds a graph that was written by hand against the one that the trace finds.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from redo_dopamine.core.graph import (
    Layer,
    NetworkGraph,
    Params,
    Path,
    resolve,
    shapes_by_path,
    validate,
)
from redo_dopamine.core.layer import Edge, Weights
from redo_dopamine.core.scores import dormancy_score
from redo_dopamine.tracing import reasons
from redo_dopamine.tracing.loss import loss_gradients
from redo_dopamine.tracing.network import Apply, DerivedNetwork, Options
from redo_dopamine.tracing.verify import verify

_HEADER = ("layer", "neurons", "fed by", "read by", "recycled")


class TracedNetwork(DerivedNetwork):
    """A network whose graph was derived; what `trace_network` returns.

    Attributes are those of `DerivedNetwork`; printed, it is a table of its layers.
    """

    def __str__(self) -> str:
        return _table(self)

    def verify(
        self, params: Params, inputs: Any, *, whole: bool = True, seed: int = 0
    ) -> None:
        """Check the graph on numbers; see `verify.verify`.

        Args:
            params: parameters such as `init` gives.
            inputs: like the example.
            whole: every neuron; otherwise two draws of neurons, which is quick.
            seed: of the draws.

        Raises:
            ValueError: recycling would change what the network says. The message
                names the layer and the kernel.
        """
        verify(self, params, inputs, whole=whole, seed=seed)

    def loss_gradients(
        self,
        loss: Callable[[Params, Any], jax.Array],
        params: Params,
        batch: Any,
    ) -> dict[str, jax.Array]:
        r"""Gradient of the loss of each example in each activation.

        .. math:: \partial L(x) / \partial h_i(x)

        Args:
            loss: scalar of `(params, example)`, whichever way it calls the network.
            params: the network's parameters.
            batch: a tree of arrays [B, ...].

        Returns:
            Gradients [B, ..., N] by layer, as `collect` gives activations.

        Raises:
            ValueError: a recyclable layer that is not found in the loss.
        """

        def one(example: Any) -> dict[str, jax.Array]:
            return loss_gradients(self.graph.layers, loss, params, example)

        return jax.vmap(one)(batch)


def trace_network(
    apply: Apply,
    params: Params,
    example: Any,
    *,
    linear: bool = False,
    joint: bool = False,
) -> TracedNetwork:
    """Derive the graph of a network from what it computes.

    The network is not run; it is traced by JAX, and every value followed from the
    kernel that writes it to those that read it. What cannot be followed for sure is
    declined, with a reason.

    Args:
        apply: `(params, inputs) -> outputs`, of any library: pure, and traceable.
        params: the tree of its parameters, or of their shapes.
        example: inputs, or their shapes: one state or a batch, as `apply` takes them.
        linear: also recycle layers without an activation function.
        joint: also recycle gates, whose neurons several kernels feed (LSTM, GLU).

    Returns:
        The traced network. Print it.

    Raises:
        TypeError: `apply` is no function, or JAX cannot trace it.
        ValueError: there are no parameters, or one without entries.
    """
    if not callable(apply):
        raise TypeError(
            "trace_network needs a function (params, inputs) -> outputs, but apply is "
            f"a {type(apply).__name__}. Give network.apply."
        )
    if not jax.tree.leaves(params):
        raise ValueError(
            "trace_network needs parameters, but their tree has no leaf. Give what "
            "network.init returned."
        )
    for path, shape in shapes_by_path(params).items():
        if 0 in shape:
            raise ValueError(
                "Every parameter of a network that is traced must have entries, but "
                f"{'/'.join(path)} has shape {tuple(shape)}. Leave a layer without "
                "neurons out."
            )
    return TracedNetwork(apply, params, example, Options(linear, joint))


def _table(traced: DerivedNetwork) -> str:
    """Its layers, and below them what is declined and what is not explained."""
    declined = {x.name: x for x in traced.declined}
    rows = [_HEADER]
    for layer in traced.graph.layers:
        notes = traced.notes[layer.name]
        why = "; ".join(["yes", *notes]) if layer.recyclable else "no (1)"
        rows.append(
            (
                layer.name,
                str(layer.num_neurons),
                _paths(layer.incoming),
                _paths(layer.outgoing),
                why,
            )
        )
    lines = _aligned(rows)
    if declined:
        lines += ["", "(1) Not recycled:"]
        lines += [f"  {x}" for x in traced.declined]
    if traced.heads:
        paths = ", ".join("/".join(path) for path in traced.heads)
        lines += ["", f"Output heads: {paths}"]
    if traced.unexplained:
        paths = ", ".join("/".join(path) for path in traced.unexplained)
        lines += ["", f"Parameters of no layer, left alone: {paths}"]
    return "\n".join(lines)


def _paths(weights: Iterable[Weights | Edge]) -> str:
    return ", ".join(dict.fromkeys("/".join(x.path) for x in weights))


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    sizes = [max(len(row[k]) for row in rows) for k in range(len(_HEADER))]
    return [
        "  ".join(x.ljust(n) for x, n in zip(row, sizes, strict=True)).rstrip()
        for row in rows
    ]


_NOT_SEEN = (reasons.WHILE, reasons.BRANCH, reasons.OWN_DERIVATIVE, reasons.LOOP_OPEN)


def check_graph(
    graph: NetworkGraph,
    apply: Callable[[Params, Any], Any],
    params: Params,
    example: Any,
    recorded: Mapping[str, Any] | None = None,
) -> tuple[str, ...]:
    """Check that a graph is true of a network, and not only of its shapes.

    Args:
        graph: the network's layers, as declared.
        apply: `(params, inputs) -> outputs`.
        params: the tree of its parameters, or of their shapes.
        example: inputs, or their shapes. With arrays for both, the graph is checked
            on numbers as well (`verify`, the quick form).
        recorded: what the network records for the example, as `collect` gives it.
            With it, and arrays, the layers' names are checked too: that each stands
            for the activations that recycling would take for the layer's.

    Returns:
        Names of recyclable layers that could not be followed to the end: of these it
        is not known.

    Raises:
        TypeError: something of the wrong type, or `apply` cannot be traced.
        ValueError: a layer whose weights are others than declared. The message names
            the layer, the kernel and what was found.
    """
    validate(graph, params)
    traced = trace_network(apply, params, example, linear=True, joint=True)
    layers = resolve(graph, params).recyclable_layers
    found = {layer.name: _find(layer, traced) for layer in layers}
    _check_heads(graph, traced)
    leaves = jax.tree.leaves((params, example))
    if not any(isinstance(x, jax.ShapeDtypeStruct) for x in leaves):
        verify(traced, params, example, whole=False)
        if recorded is not None:
            derived = traced.collect(params, example)
            _check_names(found, recorded, derived)
    return tuple(name for name, true in found.items() if true is None)


def _check_heads(graph: NetworkGraph, traced: TracedNetwork) -> None:
    """No head of a graph feeds a hidden layer."""
    hidden = {x.path for layer in traced.graph.layers for x in layer.incoming}
    twice = len(set(graph.heads)) < len(graph.heads)
    if twice or hidden & set(graph.heads):
        raise ValueError(
            "The heads of a graph must be different kernels that give outputs, such as "
            f"{_show(traced.heads)}, but are {_show(graph.heads)}. Correct them."
        )


def _check_names(
    found: Mapping[str, Layer | None],
    recorded: Mapping[str, Any],
    derived: Mapping[str, Any],
) -> None:
    """What is recorded under a layer's name scores its neurons as the trace does."""
    for name, true in found.items():
        if name not in recorded:
            raise ValueError(
                f"Layer {name!r}: a layer must have the name that its activations are "
                f"recorded under, but recorded are {sorted(recorded)}. Rename it."
            )
        if true is None:
            continue
        ours, theirs = recorded[name], derived[true.name]
        if ours.shape[-1] != theirs.shape[-1] or not np.allclose(
            dormancy_score(ours), dormancy_score(theirs), rtol=1e-3, atol=1e-3
        ):
            raise ValueError(
                f"Layer {name!r}: what is recorded under a layer's name must be the "
                "activations of the neurons that its weights feed, but is something "
                "else. Record them under this name, or correct the weights."
            )


def _find(layer: Layer, traced: TracedNetwork) -> Layer | None:
    """The derived layer that a layer is, and equals; None if it was not followed."""
    kernels = {x.path for x in layer.incoming if x.is_kernel}
    for declined in traced.declined:
        if kernels & set(declined.kernels):
            if all(_was_not_seen(x) for x in declined.reasons):
                return None
            raise ValueError(
                f"Layer {layer.name!r}: a recyclable layer must be one whose neurons "
                f"can be recycled one by one, but {'; '.join(declined.reasons)}. Mark "
                f"it recyclable=False, or: {declined.remedies[0]}"
            )
    found = [x for x in traced.graph.layers if kernels & {w.path for w in x.incoming}]
    if not found:
        raise ValueError(
            f"Layer {layer.name!r}: a layer must be one that the network computes, but "
            f"no kernel reads what {_show(kernels)} feeds. Name another kernel, or "
            "leave an output head out of the graph."
        )
    [true] = found[:1]
    _compare(layer, "incoming", layer.incoming, true.incoming)
    _compare(layer, "outgoing", layer.outgoing, true.outgoing)
    multiply = {x.path for x in true.incoming if x.is_kernel}
    for weights in layer.incoming:
        if weights.is_kernel != (weights.path in multiply):
            raise ValueError(
                f"Layer {layer.name!r}: is_kernel must be True for weights that "
                f"multiply inputs, False for a bias or scale, but is "
                f"{weights.is_kernel} for {'/'.join(weights.path)}. Correct it."
            )
    return true


def _was_not_seen(reason: str) -> bool:
    return reason in _NOT_SEEN or "is not understood" in reason


def _compare(
    layer: Layer,
    which: str,
    declared: Iterable[Weights | Edge],
    true: Iterable[Weights | Edge],
) -> None:
    ours, theirs = ({(x.path, x.neurons) for x in side} for side in (declared, true))
    if ours == theirs:
        return
    verb = "feed" if which == "incoming" else "read"
    missing, wrong = theirs - ours, ours - theirs
    both = {path for path, _ in missing} & {path for path, _ in wrong}
    said = []
    for path in sorted(both):
        index = next(str(x) for p, x in missing if p == path)
        said.append(f"{'/'.join(path)} has its neurons in another order, {index}")
    only = {path for path, _ in missing} - both
    if only:
        said.append(f"{_show(only)} {verb} it, too")
    surplus = {path for path, _ in wrong} - both
    if surplus:
        said.append(f"{_show(surplus)} do not {verb} it")
    raise ValueError(
        f"Layer {layer.name!r}: its {which} weights must be those that {verb} its "
        f"neurons, but {'; '.join(said)}. Correct them, or use the graph of "
        "trace_network."
    )


def _show(paths: Iterable[Path]) -> str:
    return ", ".join(sorted("/".join(path) for path in paths))
