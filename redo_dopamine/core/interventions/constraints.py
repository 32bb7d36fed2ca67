"""Bounds on the weights, kept after every gradient update.

They do nothing but hold: their `apply` has no step of its own. Weight decay and a pull
to the initial weights, which work through the gradient, are links of the optimizer
(`core.optimizers`).
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
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
    DrawParams,
    Intervention,
    InterventionFactory,
    none,
)
from redo_dopamine.core.moments import refuse_copies


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
        axes = {
            path: _neuron_axes(index.array.shape)
            for layer in graph.layers
            for path, index, is_kernel in layer.fed_by(shapes_by_path(params))
            if is_kernel
        }

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
