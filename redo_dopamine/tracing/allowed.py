"""The primitives that are understood, and which of their parameters.

What is not here is declined: a value that passes through it is no longer followed, and
the layers whose neurons it holds are not recycled.
"""

from collections.abc import Callable
from typing import Any

from redo_dopamine.tracing.program import Operation

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
