"""How steep the loss is around the parameters."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from redo_dopamine.core.graph import NetworkGraph, Params
from redo_dopamine.core.measuring import Measured, Metric, View
from redo_dopamine.core.numbers import whole


def sharpness(num_iterations: int = 30) -> Metric:
    r"""`sharpness`: the Hessian eigenvalue of the loss that is largest in magnitude.

    .. math:: \lambda = v^T H v, \qquad v \leftarrow H v / \|H v\|

    H is the Hessian, in all parameters, of the agent's loss on the tracking batch,
    which is held fixed while v is iterated. v starts at random, from the same key at
    every measurement. It is negative where the most curved direction curves down.
    Each iteration costs about two gradients of the batch. Too few iterations give a
    number that is too small in magnitude, never too large. ReLU networks have no
    curvature where an activation switches; there H is that of the piece at hand.

    Power iteration as in Yao et al., "PyHessian", 2020 (arXiv 1912.07145); the
    largest eigenvalue as sharpness: Cohen et al., ICLR 2021 (arXiv 2103.00065).

    Args:
        num_iterations: of power iteration, >= 1.

    Raises:
        ValueError: a number out of its range.
    """
    count = whole(
        num_iterations,
        1,
        "num_iterations must be a whole number",
        "30 find the largest eigenvalue within a few percent where it stands apart.",
    )

    def init(graph: NetworkGraph, params: Params) -> tuple[()]:
        del graph, params
        return ()

    def measure(view: View, state: tuple[()]) -> tuple[Measured, tuple[()]]:
        return {"sharpness": largest_eigenvalue(view.loss, view.params, count)}, state

    return Metric("sharpness", init, measure)


def largest_eigenvalue(
    loss: Callable[[Params], jax.Array], params: Params, num_iterations: int
) -> jax.Array:
    """The eigenvalue of a loss's Hessian that is largest in magnitude.

    Args:
        loss: scalar of the parameters.
        params: where to differentiate.
        num_iterations: of power iteration.

    Returns:
        A scalar; 0 where the Hessian is.
    """
    flat, unflatten = ravel_pytree(params)
    gradient = jax.grad(lambda x: loss(unflatten(x)))

    def times_hessian(v: jax.Array) -> jax.Array:
        return jax.jvp(gradient, (flat,), (v,))[1]

    def step(_: int, v: jax.Array) -> jax.Array:
        product = times_hessian(v)
        norm = jnp.linalg.norm(product)
        return jnp.where(norm > 0, product / jnp.where(norm > 0, norm, 1), v)

    start = jax.random.normal(jax.random.PRNGKey(0), flat.shape, flat.dtype)
    v = jax.lax.fori_loop(0, num_iterations, step, start / jnp.linalg.norm(start))
    return jnp.vdot(v, times_hessian(v))
