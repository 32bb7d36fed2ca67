"""A traced function as a flat list of operations, and its evaluation.

Calls (jit, remat) are inlined; loops and branches keep programs of their own. A
function with derivatives of its own stays one operation, so that those count; its
inside is kept beside it, to be read.
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
from jax.extend import core as jex

Key = int  # Names a value of a program, uniquely among all programs of a trace.
Operand = Any  # A key, or a literal.
Literal = jex.Literal

_LOOPS = ("scan", "while", "cond")
_OWN_DERIVATIVE = ("custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr")
# Calls, which mean no more than what they call.
_CALLS = (
    *("pjit", "jit", "closed_call", "core_closed_call", "core_call", "call"),
    *("checkpoint", "remat", "remat2"),
)
_INNER = ("jaxpr", "call_jaxpr", "fun_jaxpr")


@dataclasses.dataclass(frozen=True)
class Operation:
    """One primitive.

    Attributes:
        primitive: of JAX.
        params: its parameters.
        operands: keys and literals.
        results: keys.
        shapes: of the results.
        inner: the body of a loop, the branches of a condition, or the inside of a
            function with its own derivative.
        num_fixed: of a scan, operands that are the same in every pass.
        num_carried: of a scan, operands after those that a pass hands to the next.
    """

    primitive: Any
    params: Mapping[str, Any]
    operands: tuple[Operand, ...]
    results: tuple[Key, ...]
    shapes: tuple[tuple[int, ...], ...]
    inner: tuple["Program", ...] = ()
    num_fixed: int = 0
    num_carried: int = 0

    @property
    def name(self) -> str:
        """Name of the primitive."""
        return self.primitive.name

    def bind(self, values: Sequence[Any]) -> list[Any]:
        """Results of values."""
        functions: Any = ()
        params: Any = self.params
        if self.name in _OWN_DERIVATIVE:
            bound = self.primitive.get_bind_params(dict(self.params))
            # A pair before jax 0.8, one mapping since.
            functions, params = bound if isinstance(bound, tuple) else ((), bound)
        results = self.primitive.bind(*functions, *values, **params)
        return list(results) if self.primitive.multiple_results else [results]


@dataclasses.dataclass(frozen=True)
class Program:
    """Operations in order.

    Attributes:
        operations: as they are made.
        inputs: keys.
        outputs: keys and literals.
        constants: arrays that the function closed over.
    """

    operations: tuple[Operation, ...]
    inputs: tuple[Key, ...]
    outputs: tuple[Operand, ...]
    constants: Mapping[Key, Any]

    def keys(self) -> set[Key]:
        """Keys of all results, in loops too."""
        own = {key for op in self.operations for key in op.results}
        return own.union(*(x.keys() for op in self.operations for x in op.inner))

    def uses(self, key: Key) -> bool:
        """Whether an operation or an output takes a value."""
        taken = [x for op in self.operations for x in op.operands]
        return any(not isinstance(x, Literal) and x == key for x in taken) or any(
            not isinstance(x, Literal) and x == key for x in self.outputs
        )


def trace(function: Callable[..., Any], *arguments: Any) -> tuple[Program, Any]:
    """The program of a function, and the tree of its outputs' shapes.

    Args:
        function: of JAX.
        *arguments: trees of arrays or shapes. The function is not run.

    Raises:
        Exception: what the function raises when JAX traces it, with a note.
    """
    try:
        closed, out = jax.make_jaxpr(function, return_shape=True)(
            *jax.tree.map(shape_of, arguments)
        )
    except Exception as error:
        error.add_note(
            "While JAX traced apply(params, example). Give a function of both, such as "
            "network.apply, its parameters and an input, in this order."
        )
        raise
    return _flatten(closed, itertools.count()), out


def shape_of(x: Any) -> Any:
    """Shape and dtype of an array, a number or a shape."""
    if isinstance(x, jax.ShapeDtypeStruct):
        return x
    if hasattr(x, "shape") and hasattr(x, "dtype"):
        return jax.ShapeDtypeStruct(x.shape, x.dtype)
    return jax.eval_shape(lambda: jax.numpy.asarray(x))


def _flatten(closed: Any, counter: Iterator[int]) -> Program:
    operations: list[Operation] = []
    constants: dict[Key, Any] = {}

    def inline(closed: Any, inputs: Sequence[Operand]) -> list[Operand]:
        env = dict(zip(closed.jaxpr.invars, inputs, strict=True))
        for var, value in zip(closed.jaxpr.constvars, closed.consts, strict=True):
            env[var] = next(counter)
            constants[env[var]] = value

        def read(var: Any) -> Operand:
            return var if isinstance(var, Literal) else env[var]

        for eqn in closed.jaxpr.eqns:
            operands, name = tuple(map(read, eqn.invars)), eqn.primitive.name
            inner = _inner(name, eqn.params)
            if name in _CALLS:
                env.update(zip(eqn.outvars, inline(inner[0], operands), strict=True))
                continue
            results = tuple(next(counter) for _ in eqn.outvars)
            env.update(zip(eqn.outvars, results, strict=True))
            operations.append(
                Operation(
                    eqn.primitive,
                    eqn.params,
                    operands,
                    results,
                    tuple(tuple(getattr(v.aval, "shape", ())) for v in eqn.outvars),
                    tuple(_flatten(x, counter) for x in inner),
                    *(_scan_sizes(eqn, inner[0]) if name == "scan" else ()),
                )
            )
        return [read(var) for var in closed.jaxpr.outvars]

    inputs = tuple(next(counter) for _ in closed.jaxpr.invars)
    outputs = tuple(inline(closed, inputs))
    return Program(tuple(operations), inputs, outputs, constants)


def _scan_sizes(eqn: Any, body: Any) -> tuple[int, int]:
    """How many operands of a scan are fixed, and how many are carried.

    By their shapes: what a scan runs over has an axis more outside than inside. The
    parameters that said so have other names since JAX 0.10.
    """

    def rank(var: Any) -> int:
        return len(getattr(var.aval, "shape", ()))

    def num_alike(outside: Any, inside: Any) -> int:
        pairs = zip(outside, inside, strict=True)
        return sum(rank(x) == rank(y) for x, y in pairs)

    num_carried = num_alike(eqn.outvars, body.jaxpr.outvars)
    return num_alike(eqn.invars, body.jaxpr.invars) - num_carried, num_carried


def _inner(name: str, params: Mapping[str, Any]) -> list[Any]:
    if name == "cond":
        return list(params["branches"])
    if name == "while":
        return [params["cond_jaxpr"], params["body_jaxpr"]]
    if name not in (*_CALLS, *_OWN_DERIVATIVE, "scan"):
        return []  # Of what it has within nothing is known.
    found = [params[x] for x in _INNER if params.get(x) is not None]
    return [x if hasattr(x, "consts") else jex.ClosedJaxpr(x, ()) for x in found]


# What is done to a value on the way: from a value, and what was given for it.
Change = Callable[[Any, Any], Any]


def add(value: Any, shift: Any) -> Any:
    """Add something to a value."""
    return value + shift


def gate(value: Any, factor: Any) -> Any:
    """A value where the factor is not 0, and 0 elsewhere."""
    return jax.numpy.where(factor != 0, value, jax.numpy.zeros_like(value))


def evaluate(
    program: Program,
    values: Sequence[Any],
    taps: frozenset[Key] = frozenset(),
    given: Mapping[Key, Any] | None = None,
    change: Change = add,
) -> tuple[list[Any], dict[Key, Any]]:
    """Run a program.

    Args:
        program: of `trace`.
        values: the leaves of its arguments.
        taps: keys of values to return. Those inside a loop are stacked.
        given: by key, what to change a value by. Of a value inside a loop it is
            stacked, one for every pass.
        change: how.

    Returns:
        The outputs' leaves, and the tapped values, as they are after a change.
    """
    env: dict[Key, Any] = dict(program.constants)
    tapped: dict[Key, Any] = {}
    given = given or {}
    watched = taps | given.keys()

    def read(operand: Operand) -> Any:
        return operand.val if isinstance(operand, Literal) else env[operand]

    def write(key: Key, value: Any) -> None:
        env[key] = change(value, given[key]) if key in given else value
        if key in taps:
            tapped[key] = env[key]

    for key, value in zip(program.inputs, values, strict=True):
        write(key, value)
    for op in program.operations:
        operands = [read(x) for x in op.operands]
        if op.name == "scan" and watched & op.inner[0].keys():
            results, inside = _scan(op, operands, taps, given, change)
            tapped.update(inside)
        else:
            results = op.bind(operands)
        for key, value in zip(op.results, results, strict=True):
            write(key, value)
    return [read(x) for x in program.outputs], tapped


def _scan(
    op: Operation,
    operands: Sequence[Any],
    taps: frozenset[Key],
    given: Mapping[Key, Any],
    change: Change,
) -> tuple[list[Any], dict[Key, Any]]:
    """A scan in whose body values are looked at or changed."""
    body = op.inner[0]
    num_fixed, num_carried = op.num_fixed, op.num_carried
    fixed = operands[:num_fixed]
    inside = {key: given[key] for key in given.keys() & body.keys()}

    def step(carry: Any, slices: Any) -> Any:
        xs, shifts = slices
        values = [*fixed, *carry, *xs]
        results, tapped = evaluate(body, values, taps, shifts, change)
        return results[:num_carried], (results[num_carried:], tapped)

    carry, (ys, tapped) = jax.lax.scan(
        step,
        list(operands[num_fixed : num_fixed + num_carried]),
        (list(operands[num_fixed + num_carried :]), inside),
        length=op.params["length"],
        reverse=op.params["reverse"],
    )
    return [*carry, *ys], tapped
