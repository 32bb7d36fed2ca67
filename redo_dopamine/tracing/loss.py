"""Gradients of any loss in the activations of its network.

The loss is a function of parameters like any other: in its program stand the same
kernels, and the values that they read. How it calls the network does not matter.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax

from redo_dopamine.core.graph import Layer, Params, Path
from redo_dopamine.tracing.analysis import Analysis
from redo_dopamine.tracing.layers import Declined
from redo_dopamine.tracing.network import DerivedNetwork, Options
from redo_dopamine.tracing.program import Key, Literal, Operation, Program
from redo_dopamine.tracing.values import Value

_STOP = "stop_gradient"


class _OfGradients(Analysis):
    """What no gradient passes is data, such as the targets.

    Args:
        shapes: of the parameters.
        live: the values through which a gradient passes.
    """

    def __init__(self, shapes: list[tuple[int, ...]], live: set[Key]):
        super().__init__(shapes)
        self._live = live

    def step(self, op: Operation, ins: list[Value]) -> list[Value]:
        """The results of one operation."""
        if op.name == _STOP or self._live.isdisjoint(op.results):
            return [Value(shape, data=True) for shape in op.shapes]
        return super().step(op, ins)


class _TracedLoss(DerivedNetwork):
    def analysis_of(self, shapes: list[tuple[int, ...]]) -> Analysis:
        """See `DerivedNetwork`."""
        return _OfGradients(shapes, _live(self.program))


def loss_gradients(
    layers: Iterable[Layer],
    loss: Callable[[Params, Any], jax.Array],
    params: Params,
    example: Any,
) -> dict[str, jax.Array]:
    r"""Gradient of a loss in the activations of a network's layers.

    .. math:: \partial L / \partial h_i

    Args:
        layers: of a graph that was derived from the network, for these parameters.
        loss: scalar of `(params, example)`, whichever way it calls the network.
            `stop_gradient` is heeded.
        params: the network's parameters.
        example: whatever else the loss is a function of.

    Returns:
        Gradients [..., N] by layer, of every call that the loss depends on; of layers
        that are not recyclable, where the loss has them.

    Raises:
        ValueError: a recyclable layer that is not found in the loss.
    """
    traced = _TracedLoss(loss, params, example, Options(linear=True, joint=True))
    kernels = {x.name: _kernels(x) for x in traced.graph.layers}
    found = {}
    for layer in layers:
        if kernels.get(layer.name) == _kernels(layer):
            found[layer.name] = traced.sources[layer.name]
        elif layer.recyclable:
            raise ValueError(_missing(layer.name, traced.declined))
    traced.sources = found

    def shifted_loss(shifts: Mapping[Key, jax.Array]) -> jax.Array:
        [value], _ = traced.evaluate(params, example, given=shifts)
        return value

    return traced.by_neuron(jax.grad(shifted_loss)(traced.zeros(params, example)))


def _kernels(layer: Layer) -> frozenset[Path]:
    return frozenset(x.path for x in layer.incoming if x.is_kernel)


def _live(program: Program) -> set[Key]:
    """The values through which a gradient passes to the output."""
    live = {x for x in program.outputs if not isinstance(x, Literal)}
    for op in reversed(program.operations):
        if op.name != _STOP and not live.isdisjoint(op.results):
            live.update(x for x in op.operands if not isinstance(x, Literal))
            live = live.union(*(x.keys() for x in op.inner))
    return live


def _missing(name: str, declined: Iterable[Declined]) -> str:
    why = next((x.reasons for x in declined if x.name == name), ("it is not there",))
    return (
        "Gradients in activations need a loss in whose program every recyclable layer "
        f"of the network is found, but {name!r} is not: {'; '.join(why)}. Use an "
        "intervention that looks at activations, such as redo."
    )
