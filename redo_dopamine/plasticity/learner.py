"""Compile one gradient update, a pure function of a pytree and a batch."""

import functools
from collections.abc import Callable, Mapping
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
        errors: that `error` is the weighted mean of, [B]; None where it is of nothing.
    """

    targets: TargetsFn
    error: Callable[[Params, Batch, jax.Array], jax.Array]
    errors: Callable[[Params, Batch, jax.Array], jax.Array] | None = None

    def __call__(
        self, params: Params, target_params: Params, batch: Batch
    ) -> jax.Array:
        """The loss, a scalar."""
        targets = self.targets(params, target_params, batch)
        return self.error(params, batch, jax.lax.stop_gradient(targets))

    def of_prepared(self, prepare: Callable[[Batch], Batch]) -> "Loss":
        """The loss of batches that are to be prepared first."""
        errors = self.errors
        return Loss(
            lambda params, target_params, batch: self.targets(
                params, target_params, prepare(batch)
            ),
            lambda params, batch, targets: self.error(params, prepare(batch), targets),
            errors
            and (
                lambda params, batch, targets: errors(params, prepare(batch), targets)
            ),
        )


def mean_error(
    targets: TargetsFn, errors: Callable[[Params, Batch, jax.Array], jax.Array]
) -> Loss:
    r"""The mean of the transitions' errors, each times its weight.

    .. math:: \frac{1}{B} \sum_i w_i e_i

    Args:
        targets: of `(params, target_params, batch)`.
        errors: of `(params, batch, targets)`, [B].

    Returns:
        A loss of batches that may hold `weight` [B]; without it, all weights are 1.
    """

    def error(params: Params, batch: Batch, targets: jax.Array) -> jax.Array:
        found = errors(params, batch, targets)
        return jnp.mean(batch["weight"] * found if "weight" in batch else found)

    return Loss(targets, error, errors)


class Learner(NamedTuple):
    """What a gradient update changes."""

    params: Params
    opt_state: optax.OptState


def descend(optimizer: Any, learner: Learner, grads: Params, **extra: Any) -> Learner:
    """Take the optimizer's step along these gradients.

    Args:
        optimizer: an optax transformation.
        learner: before the step.
        grads: of its parameters.
        **extra: what the optimizer takes besides.
    """
    updates, opt_state = optimizer.update(
        grads, learner.opt_state, learner.params, **extra
    )
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
    return _make_update(loss.targets, jax.value_and_grad(loss.error), optimizer)


def make_update_with_errors(
    loss: Loss, optimizer: optax.GradientTransformation
) -> Callable[[Learner, Params, Batch], tuple[Learner, tuple[jax.Array, jax.Array]]]:
    """Compile `(learner, target_params, batch) -> (learner, (loss, errors [B]))`.

    As `make_update`; the errors are those before the update.

    Args:
        loss: what to descend, a `mean_error`.
        optimizer: an optax transformation.
    """
    errors = loss.errors
    if errors is None:
        raise ValueError("A loss must be a mean_error to have errors, but has none.")

    def error(
        params: Params, batch: Batch, targets: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        # The same program twice, of which the compiler makes one.
        return loss.error(params, batch, targets), errors(params, batch, targets)

    gradients = jax.value_and_grad(error, has_aux=True)
    return _make_update(loss.targets, gradients, optimizer)


def _make_update(
    targets: TargetsFn,
    gradients: Callable[..., Any],
    optimizer: optax.GradientTransformation,
) -> Callable[..., Any]:
    step = functools.partial(descend, optimizer)
    if in_old_runtime():
        return _in_three_programs(targets, gradients, step)

    def update(
        learner: Learner, target_params: Params, batch: Batch
    ) -> tuple[Learner, Any]:
        aims = targets(learner.params, target_params, batch)
        value, grads = gradients(learner.params, batch, jax.lax.stop_gradient(aims))
        return step(learner, grads), value

    return compiled(update, donate_argnums=0)


# Of parameters and a batch, scalars by name, among them `loss`.
Objective = Callable[[Params, Batch], Mapping[str, jax.Array]]


def make_fit(
    objective: Objective, optimizer: optax.GradientTransformation
) -> Callable[[Learner, Batch], tuple[Learner, Mapping[str, jax.Array]]]:
    """Compile `(learner, batch) -> (learner, what the objective says)`.

    An update without a target network, in one program. The learner is donated.

    Args:
        objective: its `loss` is what to descend.
        optimizer: an optax transformation; one that takes a `value_fn` is given the
            loss of the batch, as a function of parameters.
    """
    optimizer = optax.with_extra_args_support(optimizer)

    def update(
        learner: Learner, batch: Batch
    ) -> tuple[Learner, Mapping[str, jax.Array]]:
        def loss_and_all(params: Params) -> tuple[jax.Array, Mapping[str, jax.Array]]:
            found = objective(params, batch)
            return found["loss"], found

        grads, found = jax.grad(loss_and_all, has_aux=True)(learner.params)
        value_fn = lambda params: objective(params, batch)["loss"]  # noqa: E731
        return descend(optimizer, learner, grads, value_fn=value_fn), found

    return compiled(update, donate_argnums=0)


def _in_three_programs(
    targets: TargetsFn,
    gradients: Callable[..., Any],
    step: Callable[[Learner, Params], Learner],
) -> Callable[..., Any]:
    """An update in the parts that XLA's older runtime is fastest at.

    In one program it copies the parameters first, because it does not see that all
    gradients come before the first new parameter.
    """
    targets = compiled(targets)
    gradients = compiled(gradients)
    step = compiled(step, donate_argnums=0)

    def update(
        learner: Learner, target_params: Params, batch: Batch
    ) -> tuple[Learner, Any]:
        aims = targets(learner.params, target_params, batch)
        value, grads = gradients(learner.params, batch, aims)
        return step(learner, grads), value

    return update


def make_hard_update() -> Callable[[Params, Params], Params]:
    """Compile `(old, new) -> copy of new`, written where the old parameters were."""
    return compiled(
        lambda old, new: jax.tree.map(jnp.copy, new), donate_argnums=0, keep_unused=True
    )


def make_polyak_update(smoothing: float) -> Callable[[Params, Params], Params]:
    r"""Compile `(target_params, params) -> target_params`, which are donated.

    .. math:: \theta^- \leftarrow \tau \theta + (1 - \tau) \theta^-

    Args:
        smoothing: tau in [0, 1]; 1 for a copy.
    """
    return compiled(
        lambda target_params, params: jax.tree.map(
            lambda old, new: smoothing * new + (1 - smoothing) * old,
            target_params,
            params,
        ),
        donate_argnums=0,
    )
