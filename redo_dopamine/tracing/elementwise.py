"""The primitives that are understood, and those that act element by element.

What is not here is declined: a value that passes through it is no longer followed, and
the layers whose neurons it holds are not recycled. Operations element by element are
activation functions, biases and sums of layers.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from redo_dopamine.tracing import reasons
from redo_dopamine.tracing.neurons import Context
from redo_dopamine.tracing.program import Operation
from redo_dopamine.tracing.values import Value, together

# They hand on their operand.
PASS = frozenset(
    {
        *("convert_element_type", "copy", "copy_p", "reduce_precision", "name"),
        *("optimization_barrier", "sharding_constraint", "pvary", "mesh_cast"),
        *("reshard", "stop_gradient", "device_put"),
    }
)
# Of them a layer without an activation function may be made.
LINEAR = frozenset({"add", "sub", "add_any", "neg", "mul", "div"})
# Functions f of one number with f(0) = 0.
ZERO_AT_ZERO = frozenset(
    {
        *("neg", "sign", "floor", "ceil", "round", "expm1", "log1p", "tanh", "tan"),
        *("sin", "asin", "atan", "sinh", "asinh", "atanh", "sqrt", "cbrt", "square"),
        *("abs", "erf", "erf_inv", "real", "imag"),
    }
)
ELEMENTWISE = (
    LINEAR
    | ZERO_AT_ZERO
    | frozenset(
        {
            *("max", "min", "rem", "pow", "atan2", "and", "or", "xor", "not", "eq"),
            *("ne", "ge", "gt", "le", "lt", "select_n", "clamp", "is_finite", "exp"),
            *("exp2", "log", "logistic", "cos", "acos", "cosh", "acosh", "rsqrt"),
            *("integer_pow", "erfc", "lgamma", "digamma", "nextafter"),
        }
    )
)
# Sums and the like over axes: of zeros they make 0.
REDUCTIONS = frozenset({"reduce_sum", "reduce_max", "reduce_min", "reduce_prod"})
# The same along an axis, which stays.
CUMULATIVE = frozenset({"cumsum", "cumprod", "cummax", "cummin"})
WINDOWS = frozenset({"reduce_window_sum", "reduce_window_max", "reduce_window_min"})
MOVES = frozenset(
    {
        *("reshape", "squeeze", "expand_dims", "broadcast_in_dim", "transpose"),
        *("rev", "slice", "tile"),
    }
)
LOOPS = frozenset({"scan", "while", "cond"})
OWN_DERIVATIVE = frozenset(
    {"custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr"}
)

# Parameters that change nothing of which element is which, or that the rules read.
_HARMLESS = frozenset(
    {
        *("sharding", "out_sharding", "precision", "preferred_element_type"),
        *("new_dtype", "weak_type", "accuracy", "dtype", "axes", "dimensions"),
        *("new_sizes", "shape", "broadcast_dimensions", "permutation"),
        *("start_indices", "limit_indices", "strides", "padding_config"),
        *("dimension", "sizes", "axis", "reverse", "dimension_numbers"),
        *("window_dimensions", "window_strides", "padding", "base_dilation"),
        *("window_dilation", "lhs_dilation", "rhs_dilation", "feature_group_count"),
        *("batch_group_count", "slice_sizes", "indices_are_sorted", "mode"),
        *("unique_indices", "fill_value", "y", "exponent_bits", "mantissa_bits"),
        *("name", "reps", "repeats", "copy_semantics", "devices", "srcs"),
        *("dst_sharding", "unconstrained_dims", "layout", "context_mesh"),
        *("input_output_aliases", "out_type", "rounding_method", "num_keys"),
        *("is_stable", "is_multi_operand", "concrete_mesh"),
    }
)
_CONTRACTIONS = frozenset({"dot_general", "conv_general_dilated"})
_INDEXED = frozenset({"gather", "dynamic_slice"})
_SINGLE = frozenset({"concatenate", "pad", "split", "sort"})

_KNOWN = (
    PASS | ELEMENTWISE | REDUCTIONS | CUMULATIVE | WINDOWS | MOVES | _CONTRACTIONS
) | (_INDEXED | _SINGLE)

# Values of parameters that mean what is not understood.
_REFUSED: dict[tuple[str, str], Callable[[Any], bool]] = {
    ("conv_general_dilated", "batch_group_count"): lambda n: n != 1,
}


def is_allowed(op: Operation) -> bool:
    """Whether a primitive, with its parameters, is understood."""
    if op.name in LOOPS or op.name in OWN_DERIVATIVE:
        return True
    if op.name not in _KNOWN:
        return False
    for name, value in op.params.items():
        if name not in _HARMLESS and value not in (None, False, (), 0):
            return False
        if (op.name, name) in _REFUSED and _REFUSED[op.name, name](value):
            return False
    return True


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
    return op.name in ZERO_AT_ZERO and zeros[0]


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
    return op.name not in LINEAR
