"""A network whose graph was derived from its program."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np

from redo_dopamine.core.graph import (
    NetworkGraph,
    Params,
    Path,
    shapes_by_path,
    validate,
)
from redo_dopamine.tracing.analysis import Analysis
from redo_dopamine.tracing.layers import Declined, Source, assemble
from redo_dopamine.tracing.neurons import Neurons
from redo_dopamine.tracing.program import Key, add, evaluate, shape_of, trace
from redo_dopamine.tracing.values import Value, parameter

_SHOWN = 5  # Names, in a message.

Apply = Callable[[Params, Any], Any]


class Options(NamedTuple):
    """What counts as a recyclable layer; see `trace_network`."""

    linear: bool = False
    joint: bool = False


class DerivedNetwork:
    """A network, its graph, and what can be done with both.

    See `trace_network`.

    Attributes:
        apply: `(params, inputs) -> outputs`, as given.
        graph: its layers, those that are recycled and those that are tracked.
        declined: layers that are not recycled, and why.
        unexplained: parameters that the function uses and that belong to no layer and
            no head. They are left alone.
        heads: kernels that give the outputs; they are no layers, as nothing reads them.
        notes: by layer, what else there is to know.
    """

    def __init__(self, apply: Apply, params: Params, example: Any, options: Options):
        self.apply = apply
        self._options = options
        self._shapes = jax.tree.map(shape_of, (params, example))
        self.program, self._out = trace(apply, params, example)
        paths = list(shapes_by_path(params))
        register, outputs = self._analyze()
        found = assemble(register, outputs, paths, **options._asdict())
        if found.graph.layers:
            validate(found.graph, self._shapes[0])
        self.graph: NetworkGraph = found.graph
        self.declined: tuple[Declined, ...] = found.declined
        self.heads: tuple[Path, ...] = found.heads
        self.notes = found.notes
        self.sources: Mapping[str, tuple[Source, ...]] = found.sources
        used = zip(paths, self.program.inputs, strict=False)
        self.unexplained: tuple[Path, ...] = tuple(
            path
            for number, (path, key) in enumerate(used)
            if number not in found.told and self.program.uses(key)
        )
        self._others: dict[Any, Self] = {}

    def _analyze(self) -> tuple[Neurons, frozenset[int]]:
        """Neurons of the program, and the blocks that its outputs are of."""
        params, example = map(jax.tree.leaves, self._shapes)
        shapes = [tuple(x.shape) for x in params]
        analysis = self.analysis_of(shapes)
        inputs = [parameter(number, shape) for number, shape in enumerate(shapes)]
        data = [Value(tuple(x.shape), data=True) for x in example]
        register = analysis.neurons
        outputs: frozenset[int] = frozenset()
        for value in analysis.run(self.program, [*inputs, *data]):
            register.spoil(value, "is put out")
            outputs |= register.blocks_of(value.ids) | value.taint
        return register, outputs

    def analysis_of(self, shapes: list[tuple[int, ...]]) -> Analysis:
        """What follows the neurons, of parameters of these shapes."""
        return Analysis(shapes)

    @property
    def taps(self) -> frozenset[Key]:
        """Values of the program at which activations are read off."""
        return frozenset(s.place[0] for x in self.sources.values() for s in x)

    def collect(self, params: Params, inputs: Any) -> dict[str, jax.Array]:
        """Activations of every layer of the graph.

        Args:
            params: the network's parameters.
            inputs: like the example, or a batch of such: then the network is mapped
                over the first axis.

        Returns:
            By layer [B, ..., N]: the value that the layer's readers read, or of
            several such values all, before the last axis.

        Raises:
            ValueError: inputs of another structure than the example.
        """
        given, known = (str(jax.tree.structure(x)) for x in (inputs, self._shapes[1]))
        if given != known:
            raise ValueError(
                "A traced network must be given inputs of the structure that it was "
                f"traced for, {known}, but is given {given}. Give all of them."
            )
        batched = _is_batch_of(inputs, self._shapes[1])
        if batched:
            return jax.vmap(lambda x: self._collect_one(params, x))(inputs)
        return self.for_inputs(params, inputs)._collect_one(params, inputs)

    def _collect_one(self, params: Params, inputs: Any) -> dict[str, jax.Array]:
        _, tapped = self.evaluate(params, inputs, self.taps)
        return self.by_neuron(tapped)

    def zeros(self, params: Params, inputs: Any) -> dict[Key, jax.Array]:
        """Zeros like the values at which activations are read off."""

        def tapped(params: Params, inputs: Any) -> dict[Key, jax.Array]:
            return self.evaluate(params, inputs, self.taps)[1]

        shapes = jax.eval_shape(tapped, params, inputs)
        return {key: jnp.zeros(x.shape, x.dtype) for key, x in shapes.items()}

    def evaluate(
        self,
        params: Params,
        inputs: Any,
        taps: frozenset[Key] = frozenset(),
        given: Mapping[Key, Any] | None = None,
        change: Any = add,
    ) -> tuple[list[Any], dict[Key, Any]]:
        """Run the program; see `program.evaluate`.

        Raises:
            ValueError: another tree of parameters than it was traced with.
        """
        self._check_params(params)
        leaves = [*jax.tree.leaves(params), *jax.tree.leaves(inputs)]
        return evaluate(self.program, leaves, taps, given, change)

    def _check_params(self, params: Params) -> None:
        """The program takes leaves in their order, whatever they are called."""
        known, given = (
            [
                f"{'/'.join(path)} {tuple(shape)} {leaf.dtype}"
                for (path, shape), leaf in zip(
                    shapes_by_path(tree).items(), jax.tree.leaves(tree), strict=True
                )
            ]
            for tree in (self._shapes[0], jax.tree.map(shape_of, params))
        )
        if known == given:
            return
        missing, more = (
            first_few(sorted({*a} - {*b})) for a, b in ((known, given), (given, known))
        )
        raise ValueError(
            "A traced network must be given the tree of parameters that it was traced "
            f"with: missing are {missing}, and there are {more} instead "
            "(name, shape, type), or their order is another. Trace the network again."
        )

    def by_neuron(self, tapped: Mapping[Key, jax.Array]) -> dict[str, jax.Array]:
        """Values of the program by layer, with the neurons on the last axis."""
        return {
            name: _together([_neurons_last(tapped, source) for source in sources])
            for name, sources in self.sources.items()
        }

    def for_inputs(self, params: Params, inputs: Any) -> Self:
        """The same network for inputs of other shapes, such as a larger batch."""
        shapes = jax.tree.map(shape_of, inputs)
        if _same_shapes(shapes, self._shapes[1]):
            return self
        leaves, structure = jax.tree.flatten(shapes)
        key = structure, tuple((x.shape, str(x.dtype)) for x in leaves)
        if key not in self._others:
            other = type(self)(self.apply, params, inputs, self._options)
            if other.graph != self.graph:
                raise ValueError(
                    "A network must have the same layers for all inputs, but for "
                    f"inputs {_show(shapes)} they are others than for the example "
                    f"{_show(self._shapes[1])}. Trace it for inputs of those shapes."
                )
            self._others[key] = other
        return self._others[key]

    def __repr__(self) -> str:
        layers = len(self.graph.layers), len(self.graph.recyclable_layers)
        return f"{type(self).__name__}({layers[0]} layers, {layers[1]} recyclable)"


def _neurons_last(tapped: Mapping[Key, jax.Array], source: Source) -> jax.Array:
    """A value [..., N], or [..., copies, N], by the neurons of its elements."""
    key, passes = source.place
    value = tapped[key]
    if any(x is not None for x in passes):
        value = value[tuple(slice(None) if x is None else x for x in passes)]
    ids = source.neurons.array
    first = value.ndim - ids.ndim  # Axes of loops stand before the value's own.
    axes = [d for d, size in enumerate(ids.shape) if size > 1]
    num_neurons = int(ids.max()) + 1
    if len(axes) == 1:
        moved = jnp.moveaxis(value, first + axes[0], -1)
    elif axes:
        last = list(range(-len(axes), 0))
        moved = jnp.moveaxis(value, [first + d for d in axes], last)
        moved = moved.reshape(*moved.shape[: value.ndim - len(axes)], -1)
    else:
        moved = value[..., None]
    flat = ids.ravel()
    if np.array_equal(flat, np.arange(num_neurons)):
        return moved
    order = np.argsort(flat, kind="stable")[np.count_nonzero(flat < 0) :]
    positions = order.reshape(num_neurons, -1).T  # [copies, N]
    found = moved[..., positions]
    return found[..., 0, :] if len(positions) == 1 else found


def _together(values: list[jax.Array]) -> jax.Array:
    """Several values [..., N] of a layer as one."""
    if len(values) == 1:
        return values[0]
    num_neurons = values[0].shape[-1]
    firsts = {x.shape[0] for x in values if x.ndim > 1}
    if all(x.ndim > 1 for x in values) and len(firsts) == 1:
        first = firsts.pop()
        return jnp.concatenate(
            [x.reshape(first, -1, num_neurons) for x in values], axis=1
        )
    return jnp.concatenate([x.reshape(-1, num_neurons) for x in values])


def _is_batch_of(inputs: Any, example: Any) -> bool:
    """Whether inputs are like the example, with an axis more in front."""
    given, one = jax.tree.leaves(inputs), jax.tree.leaves(example)
    if len(given) != len(one) or not given:
        return False
    sizes = {np.shape(x)[:1] for x in given}
    return len(sizes) == 1 and all(
        np.shape(x)[1:] == tuple(y.shape) and np.ndim(x) > 0
        for x, y in zip(given, one, strict=True)
    )


def first_few(names: Iterable[str], shown: int = _SHOWN) -> str:
    """Names in a message: `a, b, c and 4 more`."""
    names = list(names)
    rest = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + rest or "none"


def _same_shapes(a: Any, b: Any) -> bool:
    if str(jax.tree.structure(a)) != str(jax.tree.structure(b)):
        return False
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return all(x.shape == y.shape and x.dtype == y.dtype for x, y in pairs)


def _show(shapes: Any) -> str:
    return ", ".join(str(tuple(x.shape)) for x in jax.tree.leaves(shapes))
