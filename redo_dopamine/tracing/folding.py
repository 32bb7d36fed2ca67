"""Constants that are computed on the way, such as the indices of a permutation."""

from collections.abc import Callable
from typing import Any

import numpy as np

from redo_dopamine.core.neuron_index import compressed
from redo_dopamine.tracing import indices
from redo_dopamine.tracing.program import Operation
from redo_dopamine.tracing.values import Value

# By numpy: a call of JAX would compile each of them.
_NUMBERS: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "max": np.maximum,
    "min": np.minimum,
    "neg": np.negative,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "eq": np.equal,
    "ne": np.not_equal,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "not": np.bitwise_not,
}
_LARGEST = 1_000_000


def fold(op: Operation, ins: list[Value]) -> list[Value]:
    """The results of an operation on constants; known if they are few and easy."""
    results = [Value(shape) for shape in op.shapes]
    if op.name == "iota":
        axis = op.params["dimension"]
        shape = [s if d == axis else 1 for d, s in enumerate(op.shapes[0])]
        return [_known(np.arange(op.shapes[0][axis]).reshape(shape), op.shapes[0])]
    if not ins or any(x.known is None for x in ins):
        return results
    values = [_of_rank(x.known, len(op.shapes[0])) for x in ins]
    if op.name in _NUMBERS:
        return [_known(_NUMBERS[op.name](*values), op.shapes[0])]
    if op.name == "convert_element_type":
        dtype = np.dtype(op.params["new_dtype"])
        return [_known(ins[0].known.astype(dtype), op.shapes[0])]
    if op.name in ("copy", "copy_p", "device_put", "stop_gradient"):
        return [ins[0]]
    if op.name == "select_n" and ins[0].known.dtype == bool and len(ins) == 3:
        chosen = np.where(values[0], values[2], values[1])
        return [_known(chosen, op.shapes[0])]
    if op.name == "concatenate" and sum(np.prod(s) for s in op.shapes) < _LARGEST:
        shapes = [x.shape for x in ins]
        joined = indices.concatenate(values, shapes, op.params["dimension"])
        return [_known(joined, op.shapes[0])]
    move = indices.mover(op, ins[0].shape) if len(ins) == 1 else None
    if move is None:
        return results
    return [_known(move(ins[0].known), op.shapes[0])]


def _known(numbers: Any, shape: tuple[int, ...]) -> Value:
    numbers = compressed(np.asarray(numbers))
    return Value(shape, known=numbers, vanishes=not numbers.any())


def _of_rank(numbers: np.ndarray, rank: int) -> np.ndarray:
    return numbers.reshape([1] * rank) if numbers.ndim == 0 else numbers
