"""DASH: shrink weights, and least those that point along the negative gradient."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
import optax

from redo_dopamine.core.checks import is_number
from redo_dopamine.core.graph import (
    NetworkGraph,
    Params,
    Path,
    leaves_by_path,
    shapes_by_path,
)
from redo_dopamine.core.interventions.base import (
    Applied,
    DrawParams,
    Intervention,
    InterventionFactory,
    Observer,
    State,
    require_bound,
    whole_batch_size,
)
from redo_dopamine.core.interventions.reset import module_of
from redo_dopamine.core.moments import refuse_copies
from redo_dopamine.core.neuron_index import NeuronIndex
from redo_dopamine.core.schedules import Periodic, Step


def dash(
    least: float = 0.3,
    period: int = 40_000,
    score_batch_size: int = 256,
    start: int = 0,
    stop: int | None = None,
) -> InterventionFactory:
    r"""Every `period` gradient steps, shrink weights by how well they fit the gradient.

    .. math:: w \leftarrow w \cdot \max\left( \lambda, \,
              \frac{-g^\top w}{\|g\| \|w\|} \right)

    where w are the weights that feed one neuron, in a convolution those from one input
    channel to one neuron, and g the gradient of the loss in them. The biases of a
    layer are one vector. Output heads are treated like the other layers; a
    normalization's scales and offsets, what the graph does not name, and the
    optimizer's state stay as they are.

    Shin, Oh, Cho and Yun, "DASH: Warm-Starting Neural Network Training in Stationary
    Settings without Loss of Plasticity", NeurIPS 2024; the vectors and lambda are
    those of the authors' code. There the network is shrunk whenever a chunk of data is
    added, and g is a running mean of the chunks' gradients, of which the last counts
    0.3. A replay buffer is sampled without order, so that here g is the gradient on
    one batch. Period and batch size are ours; the period is that of
    `shrink_and_perturb`.

    Args:
        least: lambda in [0, 1], the factor of weights that do not fit the gradient.
        period: gradient steps between two shrinks.
        score_batch_size: transitions that the gradient is averaged over.
        start: first gradient step at which weights may be shrunk.
        stop: gradient step from which on none are; None for never.

    Returns:
        A function `(graph, draw_params, optimizer) -> Intervention`. Its metrics are
        `mean_shrink/<layer>`: the mean factor of the weights that feed it.

    Raises:
        ValueError: a setting out of its range.
    """
    if not (is_number(least) and 0 <= least <= 1):
        raise ValueError(
            f"least must be in [0, 1], but is {least}. The paper's code has 0.3; 1 "
            "shrinks nothing."
        )
    size = whole_batch_size(score_batch_size)
    schedule = Periodic(period, start, stop)

    def observe(observer: Observer) -> Params:
        return observer.gradients(size)

    def build(
        graph: NetworkGraph,
        draw_params: DrawParams,
        optimizer: optax.GradientTransformation,
    ) -> Intervention:
        require_bound(graph, draw_params, optimizer)

        def init(params: Params) -> tuple[()]:
            refuse_copies(optimizer, params)
            return ()

        def apply(
            key: jax.Array,
            params: Params,
            opt_state: optax.OptState,
            state: State,
            gradients: Params,
            step: Step,
        ) -> Applied:
            del key
            due, shapes = schedule(step), shapes_by_path(params)
            leaves, slopes = leaves_by_path(params), leaves_by_path(gradients)
            factors = {}
            for path, axes in vector_axes(graph, shapes).items():
                fit = _cosine(-slopes[path], leaves[path], axes)
                # A batch whose gradient is no number tells nothing.
                factors[path] = jnp.where(jnp.isfinite(fit), jnp.maximum(fit, least), 1)

            def shrunk(path: Path, weights: jax.Array) -> jax.Array:
                if path not in factors:
                    return weights
                less = (weights * factors[path]).astype(weights.dtype)
                return jnp.where(due, less, weights)

            new = [shrunk(path, weights) for path, weights in leaves.items()]
            metrics = {
                f"mean_shrink/{layer.name}": jnp.mean(
                    jnp.concatenate(
                        [
                            factors[x.path].ravel()
                            for x in layer.fed_by(shapes)
                            if x.is_kernel
                        ]
                    )
                )
                for layer in graph.layers
            }
            new_params = jax.tree.unflatten(jax.tree.structure(params), new)
            return new_params, opt_state, state, metrics

        return Intervention(init, apply, schedule, observe)

    return build


def _cosine(one: jax.Array, other: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    """Cosines of the vectors along some axes; 0 where one is zero."""

    def length(x: jax.Array) -> jax.Array:
        return jnp.sqrt(jnp.sum(x * x, axis=axes, keepdims=True, dtype=jnp.float32))

    dot = jnp.sum(one * other, axis=axes, keepdims=True, dtype=jnp.float32)
    lengths = length(one) * length(other)
    return jnp.where(lengths == 0, 0.0, dot / jnp.where(lengths == 0, 1.0, lengths))


def vector_axes(
    graph: NetworkGraph, shapes: Mapping[Path, tuple[int, ...]]
) -> dict[Path, tuple[int, ...]]:
    """The axes of each kernel and bias of a graph along which a vector of DASH runs.

    Kernels are [..., in, out] as in flax, unless the graph says where the neurons are.
    """
    feeding: dict[Path, NeuronIndex] = {}
    reading: dict[Path, NeuronIndex] = {}
    for layer in graph.layers:
        feeding |= {x.path: x.neurons for x in layer.fed_by(shapes) if x.is_kernel}
        reading |= {x.path: x.neurons for x in layer.read_by(shapes) if x.is_kernel}
    found = {}
    for path in {**reading, **feeding}:
        rank = len(shapes[path])
        if path in feeding:
            fixed = _varying(feeding[path].array) or [rank - 1]
        else:  # A head; on the last axis that its index varies on are its inputs.
            fixed = [*_varying(reading[path].array)[:-1], rank - 1]
        inputs = [axis for axis in range(rank) if axis not in fixed]
        # Of a convolution each input channel by itself, over space.
        found[path] = tuple(inputs[:-1] if len(inputs) > 1 else inputs)
    modules = {module_of(path) for path in found}
    biases = {
        path: (len(shape) - 1,)
        for path, shape in shapes.items()
        if path not in found and module_of(path) in modules
    }
    return found | biases


def _varying(index: np.ndarray) -> list[int]:
    return [axis for axis, size in enumerate(index.shape) if size > 1]
