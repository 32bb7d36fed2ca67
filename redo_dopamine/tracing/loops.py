"""Loops and branches."""

from typing import Any

import numpy as np

from redo_dopamine.tracing import reasons, values
from redo_dopamine.tracing.neurons import Context
from redo_dopamine.tracing.program import Operation
from redo_dopamine.tracing.values import Value, together

_MOST_PASSES, _MOST_LAYERS = 12, 128


def scan(analysis: Context, op: Operation, ins: list[Value]) -> list[Value]:
    """A scan: over time, or over layers whose parameters are stacked."""
    num_fixed, num_carried = op.num_fixed, op.num_carried
    fixed, carry = ins[:num_fixed], ins[num_fixed : num_fixed + num_carried]
    xs = ins[num_fixed + num_carried :]
    if any(x.atoms for x in xs):
        if op.params["length"] > _MOST_LAYERS:
            return analysis.unknown(op, ins)
        return _over_layers(analysis, op, fixed, carry, xs)
    return _over_time(analysis, op, fixed, carry, xs)


def _at(x: Value, position: int) -> Value:
    """One element of the first axis."""

    def move(array: np.ndarray) -> np.ndarray:
        return values.take(array, [position], 0)[0]

    return x.moved(move, x.shape[1:])


def _stacked(x: Value, length: int) -> Value:
    """A value with a first axis on which it does not depend."""
    return x.moved(lambda array: array[None], (length, *x.shape)).but(known=None)


def _over_layers(
    analysis: Context,
    op: Operation,
    fixed: list[Value],
    carry: list[Value],
    xs: list[Value],
) -> list[Value]:
    """Each pass by itself, with parameters of its own."""
    body, length, outer = op.inner[0], op.params["length"], analysis.passes
    num_carried = len(carry)
    order = range(length)[::-1] if op.params["reverse"] else range(length)
    ys: dict[int, list[Value]] = {}
    for position in order:
        analysis.passes = (*outer, position)
        slices = [_at(x, position) for x in xs]
        results = analysis.run(body, [*fixed, *carry, *slices])
        carry, ys[position] = results[:num_carried], results[num_carried:]
    analysis.passes = outer
    columns = zip(*(ys[position] for position in range(length)), strict=True)
    return [*carry, *(_stack(analysis, list(column)) for column in columns)]


def _stack(analysis: Context, parts: list[Value]) -> Value:
    shape = (len(parts), *parts[0].shape)
    result = together(parts, shape)
    for x in parts:
        analysis.neurons.spoil(x, "is put out by a loop")
    if all(x.ids is None for x in parts):
        return result
    rank = len(shape)
    ids = [np.full([1] * rank, -1) if x.ids is None else x.ids[None] for x in parts]
    shapes = [(1, *x.shape) for x in parts]
    return result.but(ids=values.concatenate(ids, shapes, 0))


def _over_time(
    analysis: Context,
    op: Operation,
    fixed: list[Value],
    carry: list[Value],
    xs: list[Value],
) -> list[Value]:
    """The same parameters in every pass: until the carried neurons stay the same."""
    body, length, register = op.inner[0], op.params["length"], analysis.neurons
    for x in xs:
        if x.ids is not None and 0 in values.varying(x.ids):
            register.doubt(x.ids, reasons.LOOP_OVER)
    slices = [_at(x, 0).but(known=None) for x in xs]
    outer, reads = analysis.passes, dict(register.reads)
    others = dict(register.other_reads)
    analysis.passes = (*outer, None)
    results: list[Value] = []
    for _ in range(_MOST_PASSES):
        # What an earlier pass has seen being read was not yet all.
        register.reads, register.other_reads = dict(reads), dict(others)
        results = analysis.run(body, [*fixed, *carry, *slices])
        new = [
            _join(analysis, before, after.but(shape=before.shape), "carry")
            for before, after in zip(carry, results, strict=False)
        ]
        settled = all(_same(a, b) for a, b in zip(carry, new, strict=True))
        carry = new
        if settled:
            break
    else:
        analysis.lose(carry, reasons.LOOP_OPEN)
    analysis.passes = outer
    return [*carry, *(_stacked(y, length) for y in results[len(carry) :])]


def _same(a: Value, b: Value) -> bool:
    if (a.ids is None) != (b.ids is None):
        return False
    alike = a.ids is None or np.array_equal(a.ids, b.ids)  # type: ignore[arg-type]
    parts = ("data", "places", "nonlinear", "norms", "taint", "writers", "vanishes")
    return alike and all(getattr(a, p) == getattr(b, p) for p in parts)


def _join(analysis: Context, a: Value, b: Value, how: str) -> Value:
    """A value that is one or the other."""
    register = analysis.neurons
    joined = together([a, b], a.shape)
    if a.ids is None and b.ids is None:
        if (a.atoms or b.atoms) and a.atoms != b.atoms:
            register.spoil(a, "is carried through a loop")
            register.spoil(b, "is carried through a loop")
            return joined
        known = a.known if a.is_zero and b.is_zero else None
        vanishes = a.vanishes and b.vanishes
        return joined.but(atoms=a.atoms, vanishes=vanishes, known=known)
    for x, other in ((a, b), (b, a)):
        if x.ids is None and not x.is_zero:
            register.doubt(other.ids, reasons.LOOP_START)
            register.spoil(x, "is where a loop starts")
    labelled = [x for x in (a, b) if x.ids is not None]
    ids = [x.ids for x in labelled if x.ids is not None]
    merged = register.merge(labelled, ids, how)
    return joined.but(ids=merged.ids, taint=joined.taint | merged.acting)


def while_loop(analysis: Context, op: Operation, ins: list[Value]) -> list[Value]:
    """A loop of which the number of passes is not known."""
    analysis.lose(ins, reasons.WHILE)
    data = any(x.data or x.ids is not None for x in ins)
    return [Value(shape, data=data) for shape in op.shapes]


def branch(analysis: Context, op: Operation, ins: list[Value]) -> list[Value]:
    """One of several programs."""
    choice, *operands = ins
    analysis.lose([choice], reasons.DECIDES)
    register = analysis.neurons
    outs: list[Value] = []
    for program in op.inner:
        before = set(register.ids_at)
        results = analysis.run(program, operands)
        for place in register.ids_at.keys() - before:
            register.doubt(register.ids_at[place], reasons.BRANCH)
            register.unreachable.add(place)
        pairs = zip(outs or results, results, strict=True)
        outs = [_join(analysis, a, b, "branch") if outs else b for a, b in pairs]
    data: Any = choice.data or choice.ids is not None
    return [x.but(data=x.data or data, known=None) for x in outs]
