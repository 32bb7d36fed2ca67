"""Gradients of one state at a time in all parameters, and how far they are alike."""

import jax
import jax.numpy as jnp

from redo_dopamine.core.checks import whole
from redo_dopamine.core.graph import Params
from redo_dopamine.core.metrics import ranks
from redo_dopamine.core.metrics.base import Measured, Metric, View
from redo_dopamine.core.metrics.q_values import q_values


def ntk_rank(num_states: int = 16) -> Metric:
    r"""`ntk_rank`: effective rank of the empirical neural tangent kernel.

    .. math:: K_{ij} = \nabla_\theta \max_a Q(x_i, a) \cdot
              \nabla_\theta \max_a Q(x_j, a)

    `ranks.effective_rank` of its eigenvalues, of some states of the tracking batch and
    their greedy actions. Lyle et al., "Disentangling the Causes of Plasticity Loss in
    Neural Networks", 2024, look at this kernel; Tang et al., ICML 2025 (C-CHAIN), see
    its rank fall where plasticity is lost. That it is of greedy actions and that its
    rank is the effective one are choices of this project.

    Args:
        num_states: at most so many, the first of the batch; each costs a gradient, in
            time and in memory.

    Raises:
        ValueError: fewer than two states.
    """
    number = _at_least_two("ntk_rank.num_states", num_states)

    def measure(view: View, state: tuple[()]) -> tuple[Measured, tuple[()]]:
        def greedy(params: Params, one: object) -> jax.Array:
            alone = view._replace(inputs=jax.tree.map(lambda x: x[None], one))
            return jnp.max(q_values("ntk_rank", alone, params))

        states = _first(number, view.inputs)
        gradients = jax.vmap(jax.grad(greedy), (None, 0))(view.params, states)
        eigenvalues = jnp.linalg.eigvalsh(gram(gradients))
        # Rounding makes some of them negative.
        rank = ranks.effective_rank(jnp.maximum(eigenvalues, 0))
        return {"ntk_rank": rank}, state

    return Metric("ntk_rank", lambda graph, params: (), measure)


def gradient_cosine(num_examples: int = 16) -> Metric:
    r"""`gradient_cosine`: how far the gradients of single examples point one way.

    .. math:: \frac{1}{B (B - 1)} \sum_{i \ne j}
              \frac{g_i \cdot g_j}{\|g_i\| \, \|g_j\|}, \qquad
              g_i = \nabla_\theta L(x_i)

    The mean beside the diagonal of the gradients' covariance, as Lyle et al.,
    "Understanding Plasticity in Neural Networks", ICML 2023, normalize it. An example
    without a gradient has cosine 0 with all others.

    Args:
        num_examples: B, at most so many, the first of the tracking batch; each costs a
            gradient, in time and in memory.

    Raises:
        ValueError: fewer than two examples.
    """
    number = _at_least_two("gradient_cosine.num_examples", num_examples)

    def measure(view: View, state: tuple[()]) -> tuple[Measured, tuple[()]]:
        def loss(params: Params, example: object) -> jax.Array:
            return view.loss_of(params, jax.tree.map(lambda x: x[None], example))

        examples = _first(number, dict(view.batch))
        kernel = gram(jax.vmap(jax.grad(loss), (None, 0))(view.params, examples))
        lengths = jnp.sqrt(jnp.diag(kernel))
        lengths = jnp.where(lengths == 0, 1, lengths)
        cosines = kernel / lengths / lengths[:, None]
        beside = cosines.sum() - jnp.trace(cosines)
        size = len(kernel)
        return {"gradient_cosine": beside / (size * (size - 1))}, state

    return Metric("gradient_cosine", lambda graph, params: (), measure)


def gram(gradients: Params) -> jax.Array:
    """Inner products [B, B] of trees that are stacked [B, ...]."""
    flat = [x.reshape(len(x), -1) for x in jax.tree.leaves(gradients)]
    return sum((x @ x.T for x in flat), start=jnp.float32(0))


def _first(number: int, tree: object) -> object:
    return jax.tree.map(lambda x: x[:number], tree)


def _at_least_two(name: str, value: float) -> int:
    return whole(
        value, 2, f"{name} must be a whole number", "Gradients are compared in pairs."
    )
