"""What is held after every gradient update: bounds on the weights, and pruning.

Bounds do nothing else: their `apply` does nothing. Weight decay and a pull to the
initial weights, which work through the gradient, are links of the optimizer
(`core.optimizers`).
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from redo_dopamine.core import masks, scores
from redo_dopamine.core.checks import is_number
from redo_dopamine.core.graph import (
    NetworkGraph,
    Params,
    Path,
    leaf_path,
    leaves_by_path,
    of_layers,
    shapes_by_path,
)
from redo_dopamine.core.interventions.base import (
    NOT_FINITE,
    Activations,
    Applied,
    DrawParams,
    Intervention,
    InterventionFactory,
    State,
    none,
    observe_activations,
    require_bound,
    require_recyclable,
)
from redo_dopamine.core.moments import refuse_copies, validate_optimizer
from redo_dopamine.core.recycle import recycle
from redo_dopamine.core.schedules import Periodic, Step


def weight_clipping(limit: float = 1.0) -> InterventionFactory:
    r"""After every gradient update, clip all parameters to [-limit, limit].

    .. math:: \theta \leftarrow \min(\max(\theta, -c), c)

    Biases and heads too. For He, 2026 (arXiv 2603.21173), who holds that constraints
    mitigate the loss of plasticity; this one and its limit are ours.

    Args:
        limit: c > 0.

    Raises:
        ValueError: a limit out of its range.
    """
    _validate_limit(limit)
    return _holding(
        lambda graph, params: jax.tree.map(lambda x: jnp.clip(x, -limit, limit), params)
    )


def spectral_norm(limit: float = 1.0) -> InterventionFactory:
    r"""After every gradient update, scale kernels down to a largest singular value.

    .. math:: W \leftarrow W / \max(1, \sigma_1(W) / c)

    of every kernel that feeds a layer of the graph, its axes but the neurons' taken as
    one; output heads are free. Miyato et al., "Spectral Normalization", ICLR 2018,
    normalize to 1 by a running estimate; here the value is exact, and a kernel below
    the limit stays as it is. It costs a decomposition per layer and update: for dense
    networks of some hundred neurons.

    Args:
        limit: c > 0.

    Raises:
        ValueError: a limit out of its range.
    """
    _validate_limit(limit)

    def scaled(kernel: jax.Array, axis: int) -> jax.Array:
        matrix = jnp.moveaxis(kernel, axis, -1).reshape(-1, kernel.shape[axis])
        largest = jnp.linalg.norm(matrix, ord=2)
        return kernel / jnp.maximum(1.0, largest / limit)

    def hold(graph: NetworkGraph, params: Params) -> Params:
        axes = _kernel_axes(graph, params)

        def held(path: Path, x: jax.Array) -> jax.Array:
            if path not in axes:
                return x
            *members, axis = axes[path]
            each = functools.partial(scaled, axis=axis)
            for member in reversed(members):  # Of an ensemble, each by itself.
                each = jax.vmap(each, member, member)
            return each(x)

        leaves = leaves_by_path(params)
        new = [held(path, x) for path, x in leaves.items()]
        return jax.tree.unflatten(jax.tree.structure(params), new)

    return _holding(hold)


def normalize_and_project() -> InterventionFactory:
    r"""After every gradient update, scale kernels back to their initial length.

    .. math:: W \leftarrow \frac{\|W_0\|_F}{\|W\|_F} W

    of every kernel that feeds a layer of the graph, with W_0 the kernel that the run
    began with. This is the second half of the method; the first is a layer
    normalization before every activation (`NatureNetwork.normalize = @LayerNorm`,
    likewise for other networks). Behind a normalization a kernel's length changes no
    output but divides the effective learning rate, which then no longer falls while
    the weights grow. `linear_decay` gives it a schedule of its own.

    Lyle, Zheng, Khetarpal, Martens, van Hasselt, Pascanu and Dabney, "Normalization
    and Effective Learning Rates in Reinforcement Learning", NeurIPS 2024. The authors'
    code is not public; that the length is of a whole kernel, and is restored after
    every update, was read in reimplementations. Output heads are free here, since no
    normalization follows them, and so are biases; the project's normalization has no
    scale and offset that the authors would hold too.

    Returns:
        A function `(graph, draw_params, optimizer) -> Intervention`, whose `constrain`
        must be called after every gradient update.
    """

    def build(
        graph: NetworkGraph,
        draw_params: DrawParams,
        optimizer: optax.GradientTransformation,
    ) -> Intervention:
        def lengths(params: Params) -> dict[str, jax.Array]:
            leaves = leaves_by_path(params)
            return {
                "/".join(path): _lengths(leaves[path], members)
                for path, (*members, _) in _kernel_axes(graph, params).items()
            }

        def init(params: Params) -> dict[str, jax.Array]:
            refuse_copies(optimizer, params)
            return lengths(params)

        def constrain(
            params: Params, opt_state: optax.OptState, initial: dict[str, jax.Array]
        ) -> tuple[Params, optax.OptState]:
            now = lengths(params)

            def held(key_path: tuple[object, ...], x: jax.Array) -> jax.Array:
                name = "/".join(leaf_path(key_path))
                if name not in now:
                    return x
                length = now[name]
                # A kernel of zeros has no direction to be long in.
                usable = jnp.where(length == 0, 1.0, length)
                factor = jnp.where(length == 0, 1.0, initial[name] / usable)
                return (x * factor).astype(x.dtype)

            return jax.tree_util.tree_map_with_path(held, params), opt_state

        nothing = none()(graph, draw_params, optimizer)
        return nothing._replace(init=init, constrain=constrain)

    return build


def _lengths(kernel: jax.Array, members: list[int]) -> jax.Array:
    """The length of a kernel, or of each member's of an ensemble, to broadcast."""
    kept = {axis % kernel.ndim for axis in members}
    axes = tuple(axis for axis in range(kernel.ndim) if axis not in kept)
    square = jnp.sum(kernel * kernel, axis=axes, keepdims=True, dtype=jnp.float32)
    return jnp.sqrt(square)


def _kernel_axes(graph: NetworkGraph, params: Params) -> dict[Path, list[int]]:
    """By path of each kernel that feeds a layer, the axes of its neurons."""
    return {
        path: _neuron_axes(index.array.shape)
        for layer in graph.layers
        for path, index, is_kernel in layer.fed_by(shapes_by_path(params))
        if is_kernel
    }


def _neuron_axes(sizes: tuple[int, ...]) -> list[int]:
    """The axes on which a kernel's neurons stand, counted from the last."""
    axes = [axis - len(sizes) for axis, size in enumerate(sizes) if size > 1]
    return axes or [-1]


def _holding(hold: Callable[[NetworkGraph, Params], Params]) -> InterventionFactory:
    """An intervention that constrains, and does nothing else."""

    def build(
        graph: NetworkGraph,
        draw_params: DrawParams,
        optimizer: optax.GradientTransformation,
    ) -> Intervention:
        def constrain(
            params: Params, opt_state: optax.OptState, state: tuple[()]
        ) -> tuple[Params, optax.OptState]:
            del state
            return hold(graph, params), opt_state

        def init(params: Params) -> tuple[()]:
            refuse_copies(optimizer, params)
            return ()

        nothing = none()(graph, draw_params, optimizer)
        return nothing._replace(init=init, constrain=constrain)

    return build


def _validate_limit(limit: float) -> None:
    if not (is_number(limit) and limit > 0):
        raise ValueError(
            f"limit must be a finite number > 0, but is {limit}. To hold nothing leave "
            "the intervention out."
        )


# Booleans [N] per recyclable layer: the neurons that were ever found dormant.
Pruned = dict[str, jax.Array]


def prune(
    tau: float = 0.1,
    period: int = 1000,
    score_batch_size: int = 64,
    start: int = 0,
    stop: int | None = None,
) -> InterventionFactory:
    r"""Every `period` gradient steps, silence all tau-dormant neurons for good.

    For every neuron i that was ever found dormant, from then on,

    .. math:: W^{in}_{\cdot i} = 0, \quad b_i = 0, \quad W^{out}_{i \cdot} = 0,
              \quad m = v = 0

    With tau = 0 the outputs do not change on the states that were scored. A silent
    neuron stays in the mean that the scores of its layer are measured by.

    Sokar et al., ICML 2023: pruning dormant neurons leaves the return as
    it was, so dormant neurons contribute little. The default threshold, period and
    batch are the paper's for ReDo.

    Args:
        tau: dormancy threshold >= 0.
        period: gradient steps between two searches for dormant neurons.
        score_batch_size: states that the scores are averaged over.
        start: first gradient step at which neurons may be pruned.
        stop: gradient step from which on no more are; those that were stay silent.
            None for never.

    Returns:
        A function `(graph, draw_params, optimizer) -> Intervention`. Its `constrain`
        must be called after every gradient update, since momentum, weight decay or
        a pull to the initial weights would wake a silent neuron. Its metrics are
        `pruned/<layer>`: how many neurons have been pruned so far.

    Raises:
        ValueError: a setting out of its range.
    """
    tau = masks.threshold(tau)
    schedule = Periodic(period, start, stop)
    observe = observe_activations(score_batch_size)

    def build(
        graph: NetworkGraph,
        draw_params: DrawParams,
        optimizer: optax.GradientTransformation,
    ) -> Intervention:
        require_bound(graph, draw_params, optimizer)
        require_recyclable(graph)

        def init(params: Params) -> Pruned:
            validate_optimizer(optimizer, params)
            shapes = shapes_by_path(params)
            return {
                layer.name: jnp.zeros(layer.width(shapes), bool)
                for layer in graph.recyclable_layers
            }

        def silence(
            params: Params, opt_state: optax.OptState, pruned: Pruned
        ) -> tuple[Params, optax.OptState]:
            # To be recycled without new weights is to be silent both ways.
            nothing = jax.tree.map(jnp.zeros_like, params)
            return recycle(graph, pruned, params, nothing, opt_state, optimizer)

        def apply(
            key: jax.Array,
            params: Params,
            opt_state: optax.OptState,
            state: State,
            activations: Activations,
            step: Step,
        ) -> Applied:
            del key
            due = schedule(step)
            activations = of_layers(graph.recyclable_layers, activations)
            found = {
                name: masks.dormant(scores.dormancy_score(activations[name]), tau) & due
                for name in state
            }
            state = {name: state[name] | mask for name, mask in found.items()}
            params, opt_state = silence(params, opt_state, found)
            metrics = {f"pruned/{name}": jnp.sum(mask) for name, mask in state.items()}
            metrics |= {
                f"{NOT_FINITE}/{name}": scores.not_finite(activations[name])
                for name in state
            }
            return params, opt_state, state, metrics

        return Intervention(init, apply, schedule, observe, constrain=silence)

    return build
