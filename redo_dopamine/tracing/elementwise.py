"""Operations element by element: activation functions, biases, sums of layers."""

import numpy as np

from redo_dopamine.tracing import allowed, reasons
from redo_dopamine.tracing.neurons import Context
from redo_dopamine.tracing.program import Operation
from redo_dopamine.tracing.values import Value, together


def combine(analysis: Context, op: Operation, ins: list[Value]) -> Value:
    """The result of an operation element by element."""
    rank = len(op.shapes[0])
    ins = [_of_rank(x, rank) for x in ins]
    result = together(ins, op.shapes[0])
    labelled = [x for x in ins if x.ids is not None]
    if not labelled:
        return _without_neurons(analysis, op, ins, result)
    register = analysis.neurons
    ids = [x.ids for x in labelled if x.ids is not None]
    merged = register.merge(labelled, ids, op.name)
    taint = result.taint | merged.acting
    if merged.ids is None:
        for x in ins:
            register.spoil(x, "is combined with several neurons")
        return result.but(taint=taint, places=frozenset(), nonlinear=frozenset())
    own = register.blocks_of(merged.ids)
    for k, x in enumerate(ins):
        is_input = x.data and not x.taint & own and not (x.atoms and x.vanishes)
        if x.ids is None and is_input and not _scales(op, k):
            register.doubt(merged.ids, reasons.ADDED_TO_INPUT)
        if x.ids is None and x.taint <= own:
            register.belong(x, merged.ids)
        elif x.ids is None:
            register.spoil(x, "is combined with several neurons")
    # Neurons that are normalized together act on one another.
    register.coupled |= own & taint
    norms = frozenset((block, op.results[0]) for block in own & taint)
    # What a norm makes of their statistics is no activation function.
    nonlinear = frozenset[int]().union(*(x.nonlinear for x in labelled))
    changed = result.but(
        ids=merged.ids,
        taint=taint - own,
        norms=norms.union(*(x.norms for x in labelled)),
        nonlinear=own if _is_nonlinear(op, ins) else nonlinear,
    )
    return analysis.place(changed, op.results[0])


def _of_rank(x: Value, rank: int) -> Value:
    if len(x.shape) == rank:
        return x

    def move(array: np.ndarray) -> np.ndarray:
        return array.reshape([1] * rank)

    return x.moved(move, (1,) * rank)


def _without_neurons(
    analysis: Context, op: Operation, ins: list[Value], result: Value
) -> Value:
    atoms = tuple(atom for x in ins for atom in x.atoms)
    return result.but(atoms=atoms, vanishes=_vanishes(op, ins))


def _vanishes(op: Operation, ins: list[Value]) -> bool:
    """Whether the result is 0 where all parameters in it are 0."""
    zeros = [x.vanishes or x.is_zero for x in ins]
    if op.name == "mul":
        return any(zeros)
    if op.name == "div":
        return zeros[0] and not ins[1].atoms
    if op.name in ("add", "sub", "add_any", "max", "min"):
        return all(zeros)
    if op.name == "select_n":
        return all(zeros[1:])
    if op.name == "integer_pow":
        return zeros[0] and op.params["y"] > 0
    return op.name in allowed.ZERO_AT_ZERO and zeros[0]


def _scales(op: Operation, position: int) -> bool:
    """Whether an operand only scales the others, or chooses among them."""
    if op.name == "mul":
        return True
    return (op.name, position) in (("div", 1), ("select_n", 0))


def _is_nonlinear(op: Operation, ins: list[Value]) -> bool:
    labelled = [x.ids is not None for x in ins]
    if op.name in ("mul", "div"):
        return sum(labelled) > 1 or (op.name == "div" and labelled[1])
    if op.name == "select_n":
        return labelled[0]
    return op.name not in allowed.LINEAR
