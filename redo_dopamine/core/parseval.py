"""Parseval regularization: keep the weights of hidden layers near orthogonal.

    optax.chain(parseval(free=["Dense_1"]), optax.adam(6.25e-5))

As an agent's `before_optimizer`.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import optax

from redo_dopamine.core.checks import SettingError, check_positive, check_setting
from redo_dopamine.core.graph import Path, leaf_path


def parseval(
    free: Sequence[str], strength: float = 1e-3, scale: float = 2.0
) -> optax.GradientTransformation:
    r"""A pull of kernels towards orthogonal ones; stands before the optimizer.

    .. math:: g \leftarrow g + 4 \lambda \, W (W^\top W - s I)

    for every kernel W [inputs, neurons] but those of the modules that are left free.
    That is the gradient of :math:`\lambda \|W^\top W - s I\|_F^2`, added to the loss:
    the incoming weights of a layer's neurons are to be at right angles to each other,
    and :math:`\sqrt{s}` long. A kernel of a convolution [h, w, inputs, neurons] has
    h * w * inputs inputs, as in Cisse et al., "Parseval Networks", ICML 2017.

    Chung, Cherif, Meger and Precup, "Parseval Regularization for Continual
    Reinforcement Learning", NeurIPS 2024, with the strength of their code for
    MetaWorld and the gridworld, and its s: the square of its initial gain. Their
    networks have no convolutions, begin orthogonal, and are 64 wide or multiply lambda
    by (64 / width)^2; here weights begin as the network draws them, and lambda is as
    given. Their layer of scales, which lets a layer's gain change, is not here.

    Args:
        free: modules whose kernels are left alone, by the names of the parameter tree
            such as `["Dense_1"]`: at least the heads, as in the paper.
        strength: lambda >= 0.
        scale: s > 0.

    Raises:
        ValueError: a setting out of its range; when the link is first used, a name that
            no kernel's module has.
    """
    check_setting("strength", strength, lambda x: x >= 0, "a finite number >= 0")
    check_positive(scale=scale)
    is_list = isinstance(free, Sequence) and not isinstance(free, str)
    if not (is_list and all(isinstance(name, str) for name in free)):
        raise ValueError(
            f"free must be a list of modules' names, but is {free!r}. Name at least "
            "the heads, such as ['Dense_1']."
        )
    left = frozenset(free)

    def update(
        updates: optax.Updates, state: optax.OptState, params: optax.Params | None
    ) -> tuple[optax.Updates, optax.OptState]:
        if params is None:
            raise ValueError(
                "parseval needs the parameters: call update(grads, state, params)."
            )
        _require_modules(left, params)

        def pull(key_path: Path, g: jax.Array, p: jax.Array) -> jax.Array:
            path = leaf_path(key_path)
            if not _is_kernel(path, p) or left.intersection(path):
                return g
            kernel = p.reshape(-1, p.shape[-1])
            excess = kernel.T @ kernel - scale * jnp.eye(p.shape[-1], dtype=p.dtype)
            added = 4 * strength * (kernel @ excess)
            return g + added.reshape(p.shape).astype(g.dtype)

        return jax.tree_util.tree_map_with_path(pull, updates, params), state

    return optax.GradientTransformation(optax.init_empty_state, update)


def _is_kernel(path: Path, leaf: jax.Array) -> bool:
    return path[-1] == "kernel" and jnp.ndim(leaf) > 1


def _require_modules(names: frozenset[str], params: optax.Params) -> None:
    leaves = jax.tree_util.tree_leaves_with_path(params)
    kernels = [
        path
        for path, x in ((leaf_path(k), x) for k, x in leaves)
        if _is_kernel(path, x)
    ]
    modules = {name for path in kernels for name in path[:-1]}
    unknown = sorted(names - modules)
    if unknown or not kernels:
        raise SettingError(
            f"free must name modules that have kernels, but this network has no "
            f"{unknown[0] if unknown else 'kernel'!r}. It has "
            f"{sorted(modules - {'params'})}."
        )
