"""`trace_network`: the graph of a network, from what it computes, and as a table."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax

from redo_dopamine.core.graph import Params, shapes_by_path
from redo_dopamine.core.layer import Edge, Weights
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
