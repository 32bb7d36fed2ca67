"""Elements that are picked by an index."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from redo_dopamine.core.neuron_index import compressed
from redo_dopamine.tracing import reasons
from redo_dopamine.tracing.indices import varying
from redo_dopamine.tracing.neurons import Context
from redo_dopamine.tracing.program import Operation
from redo_dopamine.tracing.values import Value, together

_LARGEST = 4_000_000


def gather(analysis: Context, op: Operation, ins: list[Value]) -> list[Value]:
    """`gather` and `dynamic_slice`: by known indices, or a row of a table."""
    x, *index = ins
    register = analysis.neurons
    for part in index:
        analysis.lose([part], reasons.INDEX)
    result = together([x], op.shapes[0]).but(
        data=any(v.data or v.ids is not None or bool(v.taint) for v in ins)
    )
    known = all(part.known is not None for part in index)
    if known and math.prod(x.shape) < _LARGEST and _keeps_all(op):
        return [_picked(op, x, index, result)]
    whole = _whole_axes(op, x)
    if x.is_weight and not x.data and len(whole) < len(x.shape):
        # A table: an entry feeds the neuron of its column.
        ids, block = register.write(x, set(whole))
        written = result.but(
            ids=_place(ids, whole, len(result.shape)), writers=frozenset([block])
        )
        return [analysis.place(written, op.results[0])]
    register.spoil(x, "is picked from by an index")
    result = result.but(computed=bool(x.atoms) or x.computed)
    if x.ids is None:
        return [result]
    if varying(x.ids) <= whole.keys():
        return [result.but(ids=_place(x.ids, whole, len(result.shape)))]
    register.doubt(x.ids, reasons.PICKED)
    return [result.but(places=frozenset())]


def _whole_axes(op: Operation, x: Value) -> dict[int, int]:
    """The axes that are taken as a whole, and which of the result they become."""
    sizes = op.params["slice_sizes"]
    if op.name == "dynamic_slice":
        return {d: d for d, s in enumerate(sizes) if s == x.shape[d]}
    numbers = op.params["dimension_numbers"]
    batching = tuple(getattr(numbers, "operand_batching_dims", ()))
    dropped = {*numbers.collapsed_slice_dims, *batching}
    offset = [d for d in range(len(x.shape)) if d not in dropped]
    pairs = zip(offset, numbers.offset_dims, strict=True)
    return {d: to for d, to in pairs if sizes[d] == x.shape[d]}


def _place(ids: np.ndarray, axes: dict[int, int], rank: int) -> np.ndarray:
    """Ids that depend on these axes alone, over the result's axes."""
    sizes = [1] * rank
    order = sorted(axes, key=lambda d: axes[d])
    for d in order:
        sizes[axes[d]] = ids.shape[d]
    others = [d for d in range(ids.ndim) if d not in axes]
    return np.transpose(ids, [*order, *others]).reshape(sizes)


def _keeps_all(op: Operation) -> bool:
    """Whether what lies outside is not filled with something else but NaN."""
    filling = op.params.get("fill_value")
    return filling is None or filling != filling


def _picked(op: Operation, x: Value, index: list[Value], result: Value) -> Value:
    positions = [jnp.asarray(np.broadcast_to(part.known, part.shape)) for part in index]
    params: Any = dict(op.params)
    if "fill_value" in params:
        params["fill_value"] = -1

    def move(array: np.ndarray) -> np.ndarray:
        numbers = array.astype(np.int32)  # -1 is what stands outside.
        full = jnp.asarray(np.broadcast_to(numbers, x.shape))
        with jax.ensure_compile_time_eval():
            found = op.primitive.bind(full, *positions, **params)
        return compressed(np.asarray(found))

    moved = x.moved(move, result.shape)
    atoms = tuple(
        atom._replace(
            mask=atom.mask > 0, axes=tuple(np.maximum(i, 0) for i in atom.axes)
        )
        for atom in moved.atoms
    )
    ids = None if moved.ids is None else moved.ids.astype(np.int64)
    return result.but(ids=ids, atoms=atoms, vanishes=x.vanishes)
