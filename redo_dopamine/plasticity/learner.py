"""One gradient update as a pure function of a pytree and a batch."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from redo_dopamine.core.graph import Params
from redo_dopamine.core.jit import compiled, in_old_runtime

Batch = Any
# (params, target_params, batch) -> targets [B]
TargetsFn = Callable[[Params, Params, Batch], jax.Array]


class Loss(NamedTuple):
    """A loss of predictions, and what they are compared with, which has no gradient.

    Attributes:
        targets: of `(params, target_params, batch)`, [B].
        error: of `(params, batch, targets)`, a scalar.
    """

    targets: TargetsFn
    error: Callable[[Params, Batch, jax.Array], jax.Array]

    def __call__(
        self, params: Params, target_params: Params, batch: Batch
    ) -> jax.Array:
        """The loss, a scalar."""
        targets = self.targets(params, target_params, batch)
        return self.error(params, batch, jax.lax.stop_gradient(targets))

    def of_prepared(self, prepare: Callable[[Batch], Batch]) -> "Loss":
        """The loss of batches that are to be prepared first."""
        return Loss(
            lambda params, target_params, batch: self.targets(
                params, target_params, prepare(batch)
            ),
            lambda params, batch, targets: self.error(params, prepare(batch), targets),
        )


class Learner(NamedTuple):
    """What a gradient update changes."""

    params: Params
    opt_state: optax.OptState


def descend(
    optimizer: optax.GradientTransformation, learner: Learner, grads: Params
) -> Learner:
    """A learner after the optimizer's step along these gradients."""
    updates, opt_state = optimizer.update(grads, learner.opt_state, learner.params)
    return Learner(optax.apply_updates(learner.params, updates), opt_state)


UpdateFn = Callable[[Learner, Params, Batch], tuple[Learner, jax.Array]]


def make_update(loss: Loss, optimizer: optax.GradientTransformation) -> UpdateFn:
    """Compile `(learner, target_params, batch) -> (learner, loss)`.

    The learner is donated: its arrays must not be used after the call, and
    `target_params` must not share any of them.

    Args:
        loss: what to descend.
        optimizer: an optax transformation.
    """
    step = functools.partial(descend, optimizer)
    if in_old_runtime():
        return _in_three_programs(loss, step)

    def update(
        learner: Learner, target_params: Params, batch: Batch
    ) -> tuple[Learner, jax.Array]:
        value, grads = jax.value_and_grad(loss.__call__)(
            learner.params, target_params, batch
        )
        return step(learner, grads), value

    return compiled(update, donate_argnums=0)


def _in_three_programs(
    loss: Loss, step: Callable[[Learner, Params], Learner]
) -> UpdateFn:
    """An update in the parts that XLA's older runtime is fastest at.

    In one program it copies the parameters first, because it does not see that all
    gradients come before the first new parameter.
    """
    targets = compiled(loss.targets)
    gradients = compiled(jax.value_and_grad(loss.error))
    step = compiled(step, donate_argnums=0)

    def update(
        learner: Learner, target_params: Params, batch: Batch
    ) -> tuple[Learner, jax.Array]:
        aims = targets(learner.params, target_params, batch)
        value, grads = gradients(learner.params, batch, aims)
        return step(learner, grads), value

    return update


def make_hard_update() -> Callable[[Params, Params], Params]:
    """Compile `(old, new) -> copy of new`, written where the old parameters were."""
    return compiled(
        lambda old, new: jax.tree.map(jnp.copy, new), donate_argnums=0, keep_unused=True
    )
