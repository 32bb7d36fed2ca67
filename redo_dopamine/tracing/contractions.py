"""Operations that read a kernel or a table: products, convolutions, gathers."""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from redo_dopamine.core.neuron_index import compressed
from redo_dopamine.tracing import reasons
from redo_dopamine.tracing.neurons import Context
from redo_dopamine.tracing.program import Operation
from redo_dopamine.tracing.values import Value, together, varying


class _Side:
    """One operand of a product, and which of its axes become which."""

    def __init__(
        self, value: Value, summed: Sequence[int], batch: Sequence[int], offset: int
    ):
        self.value, self.summed, self.batch = value, tuple(summed), tuple(batch)
        rank = len(value.shape)
        taken = {*summed, *batch}
        self.free = tuple(d for d in range(rank) if d not in taken)
        self.kept = (*self.batch, *self.free)
        start = len(self.batch) + offset
        self.out = (
            *range(len(self.batch)),
            *range(start, start + len(self.free)),
        )

    def to_result(self, ids: np.ndarray, rank: int) -> np.ndarray:
        """Ids over the operand's axes, over the result's."""
        sizes = np.ones(rank, int)
        for axis, to in zip(self.kept, self.out, strict=True):
            sizes[to] = ids.shape[axis]
        # The result's axes are the operand's kept ones, in this order.
        order = [self.kept[i] for i in np.argsort(self.out)]
        return np.transpose(ids, [*order, *self.summed]).reshape(sizes)


def contract(analysis: Context, op: Operation, ins: list[Value]) -> list[Value]:
    """A product (`dot_general`)."""
    (summed_l, summed_r), (batch_l, batch_r) = op.params["dimension_numbers"]
    left, right = ins
    num_left = len(left.shape) - len(summed_l) - len(batch_l)
    one = _Side(left, summed_l, batch_l, 0)
    other = _Side(right, summed_r, batch_r, num_left)
    rank, register = len(op.shapes[0]), analysis.neurons
    result = together(ins, op.shapes[0])
    register.doubt_blocks(result.taint, reasons.SUMMED)
    clean = Value(op.shapes[0], data=result.data)
    kernel = _kernel(left, right)
    if kernel is None:
        if left.is_weight and right.is_weight:
            for x in ins:
                register.spoil(x, "is multiplied with another parameter")
            return [clean.but(computed=True)]
        return [_no_kernel(analysis, op, one, other, clean)]
    inputs, w = (other, one) if kernel == 0 else (one, other)
    register.spoil(inputs.value, "is an input of a kernel")
    rows = _rows(analysis, inputs, w)
    register.read(inputs.value, w.value, rows)
    ids, block = register.write(w.value, {*w.free, *w.batch})
    written = clean.but(ids=w.to_result(ids, rank), writers=frozenset([block]))
    return [analysis.place(written, op.results[0])]


def _kernel(left: Value, right: Value) -> int | None:
    """Which operand is the kernel; None if neither, or if it cannot be told."""
    weights = [left.is_weight, right.is_weight]
    if sum(weights) == 1:
        return weights.index(True)
    if all(weights) and left.data != right.data:
        return 1 if left.data else 0
    return None


def _rows(analysis: Context, x: _Side, w: _Side) -> np.ndarray | None:
    """Over the kernel's axes, the neuron that each of its entries reads."""
    ids = x.value.ids
    if ids is None:
        return None
    if varying(ids) & set(x.free):
        analysis.neurons.doubt(ids, reasons.OTHER_AXIS)
        return None
    sizes = np.ones(len(w.value.shape), int)
    axes = {
        **dict(zip(w.summed, x.summed, strict=True)),
        **dict(zip(w.batch, x.batch, strict=True)),
    }
    for to, axis in axes.items():
        sizes[to] = ids.shape[axis]
    order = [axes[to] for to in sorted(axes)]
    return np.transpose(ids, [*order, *x.free]).reshape(sizes)


def _no_kernel(
    analysis: Context, op: Operation, one: _Side, other: _Side, clean: Value
) -> Value:
    """A product without a kernel: with a constant, or of two activations."""
    register, rank = analysis.neurons, len(op.shapes[0])
    sides = [x for x in (one, other) if x.value.ids is not None]
    for x in (one, other):
        register.spoil(x.value, "is an operand of a product")
        if x.value.atoms or (x.value.computed and x.value.ids is None):
            clean = clean.but(computed=True)
    reason = reasons.TWO_ACTIVATIONS if _both_data(one, other) else None
    kept = []
    for x in sides:
        ids = x.value.ids
        if ids is None:
            continue
        if varying(ids) & set(x.summed) or ids.size == 1:
            register.doubt(ids, reason or reasons.CONSTANT_KERNEL)
        else:
            kept.append((x.value, x.to_result(ids, rank)))
    if not kept:
        return clean
    values, ids_of = zip(*kept, strict=True)
    merged = register.merge(list(values), list(ids_of), op.name)
    mixed = together(list(values), clean.shape)
    if merged.ids is None:
        return clean.but(taint=merged.acting)
    own = register.blocks_of(merged.ids)
    register.coupled |= own & merged.acting
    result = clean.but(
        ids=merged.ids,
        nonlinear=own if len(kept) > 1 else mixed.nonlinear,
        writers=mixed.writers,
        taint=merged.acting - own,
        norms=mixed.norms | {(b, op.results[0]) for b in own & merged.acting},
    )
    return analysis.place(result, op.results[0])


def _both_data(one: _Side, other: _Side) -> bool:
    return all(x.value.data or x.value.ids is not None for x in (one, other))


def convolve(analysis: Context, op: Operation, ins: list[Value]) -> list[Value]:
    """A convolution; `feature_group_count` says how its channels are grouped."""
    x, w = ins
    register = analysis.neurons
    numbers, groups = op.params["dimension_numbers"], op.params["feature_group_count"]
    channel, (out, into) = numbers.lhs_spec[1], numbers.rhs_spec[:2]
    result = together(ins, op.shapes[0])
    register.doubt_blocks(result.taint, reasons.SUMMED)
    clean = Value(op.shapes[0], data=result.data)
    if _kernel(x, w) != 1:
        for value in ins:
            register.doubt(value.ids, reasons.CONSTANT_KERNEL)
            register.spoil(value, "is an operand of a convolution")
        return [clean]
    register.spoil(x, "is an input of a kernel")
    rows = None
    if x.ids is not None and varying(x.ids) - {channel}:
        register.doubt(x.ids, reasons.ONE_POSITION)
    elif x.ids is not None:
        ids = np.broadcast_to(x.ids.ravel(), (x.shape[channel],))
        num_out, num_in = w.shape[out], w.shape[into]
        first = np.arange(num_out) // (num_out // groups) * num_in
        of_group = ids[first[:, None] + np.arange(num_in)]  # [out, in]
        sizes = [1] * len(w.shape)
        sizes[out], sizes[into] = num_out, num_in
        turned = of_group if out < into else of_group.T
        rows = compressed(turned.reshape(sizes))
    register.read(x, w, rows)
    ids, block = register.write(w, {out})
    sizes = [1] * len(op.shapes[0])
    sizes[numbers.out_spec[1]] = -1
    written = clean.but(ids=ids.reshape(sizes), writers=frozenset([block]))
    return [analysis.place(written, op.results[0])]


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
