"""One gradient update as a pure function of a pytree and a batch."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from redo_dopamine.agents import compiling
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
    gradients = jax.value_and_grad(loss_fn)

    def descend(learner: Learner, grads: Params) -> Learner:
        updates, opt_state = optimizer.update(grads, learner.opt_state, learner.params)
        return Learner(optax.apply_updates(learner.params, updates), opt_state)

    def update(
        learner: Learner, target_params: Params, batch: Batch
    ) -> tuple[Learner, jax.Array]:
        loss, grads = gradients(learner.params, target_params, batch)
        return descend(learner, grads), loss

    if not compiling.in_old_runtime():
        return compiled(update, donate_argnums=0)
    # There, in two programs: in one the compiler copies the parameters first, because
    # it does not see that all gradients come before the first new parameter.
    gradients = compiled(gradients)
    descend = compiled(descend, donate_argnums=0)
    return update


def make_copy_over() -> Callable[[Params, Params], Params]:
    """Compile `(old, new) -> copy of new`, written where the old parameters were."""
    return compiled(
        lambda old, new: jax.tree.map(jnp.copy, new), donate_argnums=0, keep_unused=True
    )
