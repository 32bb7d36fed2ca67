"""One gradient update as a pure function of a pytree and a batch."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from redo_dopamine.agents.compiling import compiled
from redo_dopamine.core.graph import Params

Batch = Any
# (params, target_params, batch) -> scalar
LossFn = Callable[[Params, Params, Batch], jax.Array]


class Learner(NamedTuple):
    """What a gradient update changes."""

    params: Params
    opt_state: optax.OptState


UpdateFn = Callable[[Learner, Params, Batch], tuple[Learner, jax.Array]]


def make_update(loss_fn: LossFn, optimizer: optax.GradientTransformation) -> UpdateFn:
    """Compile `(learner, target_params, batch) -> (learner, loss)`.

    The learner is donated: its arrays must not be used after the call, and
    `target_params` must not share any of them.

    Args:
        loss_fn: scalar loss of `(params, target_params, batch)`.
        optimizer: an optax transformation.
    """

    def update(
        learner: Learner, target_params: Params, batch: Batch
    ) -> tuple[Learner, jax.Array]:
        loss, grads = jax.value_and_grad(loss_fn)(learner.params, target_params, batch)
        # All gradients before the first new parameter: else the compiler, which may
        # write a new one over an old one that is still to be read, copies it first.
        learner, grads = jax.lax.optimization_barrier((learner, grads))
        updates, opt_state = optimizer.update(grads, learner.opt_state, learner.params)
        return Learner(optax.apply_updates(learner.params, updates), opt_state), loss

    return compiled(update, donate_argnums=0)


def make_copy_over() -> Callable[[Params, Params], Params]:
    """Compile `(old, new) -> copy of new`, written where the old parameters were."""
    return compiled(
        lambda old, new: jax.tree.map(jnp.copy, new), donate_argnums=0, keep_unused=True
    )
