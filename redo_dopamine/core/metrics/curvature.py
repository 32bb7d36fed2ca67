"""How strongly the loss curves in the direction where it curves most."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from redo_dopamine.core.checks import whole_setting
from redo_dopamine.core.graph import Params
from redo_dopamine.core.metrics.base import Measured, Metric, View


def sharpness(num_iterations: int = 20) -> Metric:
    r"""`sharpness`: the loss's curvature where it curves most.

    `largest_eigenvalue`, of the loss on the tracking batch: the Hessian's eigenvalue
    that is largest in magnitude. He, 2026 (arXiv 2603.21173) says that the landscape
    gets steeper near local optima, without a number.

    Args:
        num_iterations: of the power iteration; each costs about three gradients.
    """
    number = whole_setting("sharpness.num_iterations", num_iterations)

    def measure(view: View, state: tuple[()]) -> tuple[Measured, tuple[()]]:
        found = largest_eigenvalue(view.loss, view.params, number)
        return {"sharpness": found}, state

    return Metric("sharpness", lambda graph, params: (), measure)


def largest_eigenvalue(
    loss: Callable[[Params], jax.Array], params: Params, num_iterations: int
) -> jax.Array:
    r"""The eigenvalue of the loss's Hessian that is largest in magnitude.

    .. math:: \lambda = v^T H v, \quad v \leftarrow H v / \|H v\|

    By power iteration from one fixed random direction: a lower bound in magnitude,
    which more iterations raise. An iteration costs about three gradients.

    Args:
        loss: scalar of the parameters.
        params: where the Hessian is taken.
        num_iterations: of the power iteration.

    Returns:
        The eigenvalue, a scalar; 0 where the loss does not curve.
    """
    gradient = jax.grad(loss)

    def curved(direction: Params) -> Params:
        # Backwards twice: some losses cannot be differentiated forwards.
        return jax.grad(lambda x: _dot(gradient(x), direction))(params)

    def step(_: int, direction: Params) -> Params:
        return _unit(curved(direction))

    keys = jax.random.split(jax.random.PRNGKey(0), len(jax.tree.leaves(params)))
    drawn = jax.tree.map(
        lambda key, x: jax.random.normal(key, x.shape, x.dtype),
        jax.tree.unflatten(jax.tree.structure(params), list(keys)),
        params,
    )
    direction = jax.lax.fori_loop(0, num_iterations, step, _unit(drawn))
    return _dot(direction, curved(direction))


def _unit(tree: Params) -> Params:
    norm = jnp.sqrt(_dot(tree, tree))
    return jax.tree.map(lambda x: x / jnp.where(norm == 0, 1, norm), tree)


def _dot(first: Params, second: Params) -> jax.Array:
    return sum(
        jax.tree.leaves(jax.tree.map(jnp.vdot, first, second)), start=jnp.float32(0)
    )
