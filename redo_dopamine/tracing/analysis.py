"""Which neuron each value of a program belongs to, operation by operation."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from redo_dopamine.tracing import elementwise, reasons, values
from redo_dopamine.tracing.contractions import contract, convolve, gather
from redo_dopamine.tracing.elementwise import combine
from redo_dopamine.tracing.loops import branch, scan, while_loop
from redo_dopamine.tracing.neurons import Neurons
from redo_dopamine.tracing.program import Key, Literal, Operand, Operation, Program
from redo_dopamine.tracing.values import Atom, Place, Value, constant, together, varying


class Analysis:
    """Interprets programs, and keeps the neurons found.

    Args:
        shapes: of the parameters.

    Attributes:
        neurons: the register.
        passes: which pass of each loop around the current operation; None for all.
    """

    def __init__(self, shapes: list[tuple[int, ...]]):
        self.neurons = Neurons(shapes)
        self.passes: tuple[int | None, ...] = ()

    def run(self, program: Program, inputs: Sequence[Value]) -> list[Value]:
        """The values of a program's outputs."""
        env: dict[Key, Value] = {k: constant(x) for k, x in program.constants.items()}
        env.update(zip(program.inputs, inputs, strict=True))

        def read(operand: Operand) -> Value:
            return (
                constant(operand.val) if isinstance(operand, Literal) else env[operand]
            )

        for op in program.operations:
            results = self.step(op, [read(x) for x in op.operands])
            for key, value, shape in zip(op.results, results, op.shapes, strict=True):
                if value.ids is not None and value.ids.ndim != len(shape):
                    raise AssertionError(f"{op.name}: {value.ids.shape} of {shape}")
                env[key] = value if value.shape == shape else value.but(shape=shape)
        return [read(x) for x in program.outputs]

    def step(self, op: Operation, ins: list[Value]) -> list[Value]:
        """The results of one operation."""
        followed = any(x.data or x.atoms or x.taint or x.ids is not None for x in ins)
        if not followed and not op.inner and not any(x.computed for x in ins):
            return values.fold(op, ins)
        if not elementwise.is_allowed(op):
            return self.unknown(op, ins)
        if op.name == "scan":
            return scan(self, op, ins)
        if op.name == "while":
            return while_loop(self, op, ins)
        if op.name == "cond":
            return branch(self, op, ins)
        if op.name in elementwise.OWN_DERIVATIVE:
            return self.own_derivative(op, ins)
        if op.name in elementwise.PASS:
            return [x.but(known=None) for x in ins]
        if op.name in elementwise.ELEMENTWISE:
            return [combine(self, op, ins)]
        rule = _RULES.get(op.name)
        if rule is not None:
            return rule(self, op, ins)
        if op.name in elementwise.MOVES and len(ins) == 1:
            move = values.mover(op, ins[0].shape)
            if move is not None:
                return [ins[0].moved(move, op.shapes[0])]
        return self.unknown(op, ins)

    def place(self, value: Value, key: Key) -> Value:
        """A value at which the activations of its neurons are read off from now on."""
        if value.ids is None:
            return value
        place: Place = (key, self.passes)
        self.neurons.ids_at[place] = value.ids
        self.neurons.norms_at[place] = value.norms
        self.neurons.writers_at[place] = value.writers
        return value.but(places=frozenset([place]))

    def unknown(self, op: Operation, ins: list[Value]) -> list[Value]:
        """The results of what is not understood: nothing is known of them."""
        self.lose(ins, reasons.unknown(op.name))
        data = any(x.data or x.ids is not None or x.taint for x in ins)
        computed = any(x.atoms or x.computed for x in ins)
        return [Value(shape, data=data, computed=computed) for shape in op.shapes]

    def lose(self, values: Sequence[Value], reason: str) -> None:
        """Say that values are not followed any further."""
        for x in values:
            self.neurons.doubt(x.ids, reason)
            self.neurons.doubt_blocks(x.taint, reason)
            self.neurons.spoil(x, reason)

    def own_derivative(self, op: Operation, ins: list[Value]) -> list[Value]:
        """A function with its own derivative stays whole when it is run."""
        register = self.neurons
        places = set(register.ids_at)
        found = len(register.blocks), len(register.reads)
        results = self.run(op.inner[0], ins)
        inside = register.ids_at.keys() - places
        if found != (len(register.blocks), len(register.reads)):
            register.unreachable |= inside
            return results
        return [
            self.place(x, key) if x.places & inside else x
            for x, key in zip(results, op.results, strict=True)
        ]


def _of_parts(ins: list[Value], op: Operation) -> Value:
    """A result in which parameters no longer stand entry by entry."""
    computed = any(x.atoms or x.computed for x in ins)
    return together(ins, op.shapes[0]).but(computed=computed)


def _reduce(analysis: Analysis, op: Operation, ins: list[Value]) -> list[Value]:
    """A sum and the like, over axes that vanish."""
    [x], axes = ins, set(op.params["axes"])
    register = analysis.neurons
    register.spoil(x, "is summed over")
    result = _of_parts(ins, op)
    if x.ids is None:
        return [result]
    if varying(x.ids) & axes:
        taint = result.taint | register.blocks_of(x.ids)
        return [result.but(taint=taint, places=frozenset())]
    kept = [s for d, s in enumerate(x.ids.shape) if d not in axes]
    return [result.but(ids=x.ids.reshape(kept))]


def _accumulate(analysis: Analysis, op: Operation, ins: list[Value]) -> list[Value]:
    """A sum and the like along an axis, or a sort."""
    [x, *more] = ins
    register = analysis.neurons
    if more:
        return analysis.unknown(op, ins)
    register.spoil(x, "is summed over")
    axis = op.params["dimension" if op.name == "sort" else "axis"]
    result = _of_parts(ins, op)
    if x.ids is None:
        return [result]
    if axis in varying(x.ids):
        taint = result.taint | register.blocks_of(x.ids)
        return [result.but(taint=taint, places=frozenset())]
    return [result.but(ids=x.ids)]


def _pool(analysis: Analysis, op: Operation, ins: list[Value]) -> list[Value]:
    """A sum, or the largest, in windows."""
    x, window = ins[0], op.params["window_dimensions"]
    register = analysis.neurons
    register.spoil(x, "is pooled")
    result = _of_parts(ins[:1], op)
    if x.ids is None:
        return [result]
    if any(window[axis] > 1 for axis in varying(x.ids)) or not _is_still(op, x.ids):
        taint = result.taint | register.blocks_of(x.ids)
        register.doubt(x.ids, reasons.POOLED)
        return [result.but(taint=taint, places=frozenset())]
    return [result.but(ids=x.ids)]


def _is_still(op: Operation, ids: np.ndarray) -> bool:
    """Whether windows leave the axes on which neurons differ as they are."""
    rank = ids.ndim
    still: dict[str, Any] = {
        "window_strides": 1,
        "padding": (0, 0),
        "base_dilation": 1,
    }
    return all(
        (op.params.get(name) or (value,) * rank)[axis] == value
        for axis in varying(ids)
        for name, value in still.items()
    )


def _concatenate(analysis: Analysis, op: Operation, ins: list[Value]) -> list[Value]:
    axis, shapes = op.params["dimension"], [x.shape for x in ins]
    result = together(ins, op.shapes[0])
    rank = len(result.shape)

    def alone(number: Any) -> np.ndarray:
        return np.full([1] * rank, number)

    atoms = []
    for k, x in enumerate(ins):
        for atom in x.atoms:
            others: list[Any] = [alone(False)] * len(ins)
            others[k] = atom.mask
            mask = values.concatenate(others, shapes, axis)
            index = tuple(
                values.concatenate(
                    [part if j == k else alone(0) for j in range(len(ins))],
                    shapes,
                    axis,
                )
                if part.shape[axis] > 1
                else part
                for part in atom.axes
            )
            atoms.append(atom._replace(mask=mask, axes=index))
    result = result.but(
        atoms=tuple(atoms), vanishes=all(x.vanishes or x.is_zero for x in ins)
    )
    if all(x.ids is None for x in ins):
        return [result]
    parts = [alone(-1) if x.ids is None else x.ids for x in ins]
    return [result.but(ids=values.concatenate(parts, shapes, axis))]


def _pad(analysis: Analysis, op: Operation, ins: list[Value]) -> list[Value]:
    x, filling = ins
    config = op.params["padding_config"]
    if not filling.is_zero:
        # What follows a pad by -inf is a max, which the window primitives do alone.
        analysis.neurons.doubt(x.ids, reasons.PADDED)
        analysis.neurons.spoil(x, "is padded")
    grown = {axis for axis, sizes in enumerate(config) if any(sizes)}
    atoms = tuple(_padded(atom, config, grown, x.shape) for atom in x.atoms)
    result = together(ins, op.shapes[0])
    ids = None if x.ids is None else values.pad(x.ids, config)
    return [result.but(ids=ids, atoms=atoms, vanishes=x.vanishes and filling.is_zero)]


def _padded(atom: Atom, config: Any, grown: set[int], shape: tuple[int, ...]) -> Atom:
    """Where a parameter stands after a pad: not in what was added."""
    sizes = zip(shape, atom.mask.shape, strict=True)
    full = [s if d in grown else m for d, (s, m) in enumerate(sizes)]
    inside = np.broadcast_to(atom.mask, full).astype(np.int64) - 1  # Or -1.
    mask = values.pad(inside, config) >= 0
    axes = tuple(np.maximum(values.pad(x, config), 0) for x in atom.axes)
    return atom._replace(mask=mask, axes=axes)


def _split(analysis: Analysis, op: Operation, ins: list[Value]) -> list[Value]:
    [x], axis, start, results = ins, op.params["axis"], 0, []
    for size, shape in zip(op.params["sizes"], op.shapes, strict=True):
        positions = np.arange(start, start + size)

        def move(a: np.ndarray, positions: np.ndarray = positions) -> np.ndarray:
            return values.take(a, positions, axis)

        results.append(x.moved(move, shape))
        start += size
    return results


_RULES: Mapping[str, Any] = {
    **dict.fromkeys(elementwise.REDUCTIONS, _reduce),
    **dict.fromkeys(elementwise.CUMULATIVE, _accumulate),
    **dict.fromkeys(elementwise.WINDOWS, _pool),
    "sort": _accumulate,
    "concatenate": _concatenate,
    "pad": _pad,
    "split": _split,
    "dot_general": contract,
    "conv_general_dilated": convolve,
    "gather": gather,
    "dynamic_slice": gather,
}
