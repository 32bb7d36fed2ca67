"""A probe that asks a network whether its graph tells the truth.

The graph says which weights read a neuron. If that is so, then zeroing those
weights cuts the neuron, and no other of its layer, off from the output; and leaving
any one of the edges in place keeps it connected. The probe measures this with the
Jacobian of the output in the layer's activation, and knows nothing of how the
network is built.
"""

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from helpers.trees import by_path, from_paths
from redo_dopamine.core.graph import Edge, NetworkGraph
from redo_dopamine.networks.capture import collect, record

# Neurons tried per layer, spread over it from the first to the last.
_NUM_PROBED = 5


def faults(
    apply: Callable[..., Any], params: Any, states: Any, graph: NetworkGraph
) -> list[str]:
    """What a graph says wrongly about a network; empty where it is right.

    Args:
        apply: `network.apply` of a network that takes one state.
        params: its parameters. Biases are raised, to open the ReLUs downstream.
        states: a few states [B, ...].
        graph: the graph to try, one that `validate` accepts shape by shape.

    Returns:
        A sentence per fault.
    """
    params = {k: x + (k[-1] == "bias") for k, x in by_path(params).items()}
    reach = _make_reach(apply, from_paths(params), states)
    found = []
    for layer in graph.recyclable_layers:
        num_neurons = params[layer.kernel].shape[-1]
        probed = np.linspace(0, num_neurons - 1, _NUM_PROBED).astype(int)
        for c in np.unique(probed):
            where = f"{layer.name}[{c}]"
            after = reach(_cut(params, layer.outgoing, num_neurons, c))[layer.name]
            if after[c] != 0:
                found.append(f"{where} reaches the output past its outgoing weights")
            if np.any(np.delete(after, c) == 0):
                found.append(f"{where} shares outgoing weights with other neurons")
            for edge in layer.outgoing:
                rest = [other for other in layer.outgoing if other != edge]
                after = reach(_cut(params, rest, num_neurons, c))[layer.name]
                if after[c] == 0:
                    found.append(f"{where} is not read by {'/'.join(edge.kernel)}")
    return found


def _cut(
    params: Mapping[tuple[str, ...], np.ndarray],
    edges: Iterable[Edge],
    num_neurons: int,
    neuron: int,
) -> Any:
    """Parameters with one neuron's rows of some edges at zero."""
    params = {path: leaf.copy() for path, leaf in params.items()}
    for edge in edges:
        leaf = params[edge.kernel]
        rows = leaf.reshape(*leaf.shape[:-2], edge.copies, num_neurons, leaf.shape[-1])
        rows[..., neuron, :] = 0
    return from_paths(params)


def _make_reach(
    apply: Callable[..., Any], params: Any, states: Any
) -> Callable[[Any], Mapping[str, np.ndarray]]:
    """`params -> {layer: [N]}`: the largest |d output / d activation| per neuron."""

    def outputs(params, shifts, state):
        with _shifted_activations(shifts):
            leaves = jax.tree.leaves(apply(params, state))
        return jnp.concatenate([leaf.ravel() for leaf in leaves])

    @jax.jit
    def reach(params):
        jacobian = jax.vmap(jax.jacrev(outputs, argnums=1), in_axes=(None, None, 0))
        found = jacobian(params, shifts, states)
        return {k: jnp.abs(j).max(axis=range(j.ndim - 1)) for k, j in found.items()}

    shapes = jax.eval_shape(lambda p, s: collect(apply, p, s), params, states)
    shifts = {name: jnp.zeros(x.shape[1:], x.dtype) for name, x in shapes.items()}
    return lambda params: jax.device_get(reach(params))


@contextlib.contextmanager
def _shifted_activations(shifts: Mapping[str, jax.Array]) -> Iterator[None]:
    """Add to every activation at the place where it is recorded."""

    def shifted_record(module, layer, activation):
        name = "/".join((*module.path, layer))
        return record(module, layer, activation + shifts[name])

    users = [
        module
        for module in list(sys.modules.values())
        if getattr(module, "__dict__", {}).get("record") is record
        and module.__name__ != __name__
    ]
    for module in users:
        module.record = shifted_record
    try:
        yield
    finally:
        for module in users:
            module.record = record
