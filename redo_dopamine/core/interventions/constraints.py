"""Bounds on the weights, kept after every gradient update.

They do nothing but hold: their `apply` has no step of its own. Weight decay and a pull
to the initial weights, which work through the gradient, are links of the optimizer
(`core.optimizers`).
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from redo_dopamine.core.checks import is_number
from redo_dopamine.core.graph import NetworkGraph, Params, leaves_by_path
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

    of every kernel that feeds a layer of the graph, its axes but the last taken as one;
    output heads are free. Miyato et al., "Spectral Normalization", ICLR 2018, normalise
    to 1 by a running estimate; here the value is exact, and a kernel below the limit
    stays as it is. It costs a decomposition per layer and update: for dense networks
    of some hundred neurons.

    Args:
        limit: c > 0.

    Raises:
        ValueError: a limit out of its range.
    """
    _validate_limit(limit)

    def scaled(kernel: jax.Array) -> jax.Array:
        matrix = kernel.reshape(-1, kernel.shape[-1])
        largest = jnp.linalg.norm(matrix, ord=2)
        return kernel / jnp.maximum(1.0, largest / limit)

    def hold(graph: NetworkGraph, params: Params) -> Params:
        kernels = {layer.kernel for layer in graph.layers}
        leaves = leaves_by_path(params)
        held = [scaled(x) if path in kernels else x for path, x in leaves.items()]
        return jax.tree.unflatten(jax.tree.structure(params), held)

    return _holding(hold)


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
