"""Updates as pure functions of a learner and a batch."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from redo_dopamine.plasticity.learner import Learner, Loss, make_fit, make_update

BATCH = {"state": jnp.array([[1.0, 2.0], [3.0, -1.0]]), "target": jnp.array([0.5, 1.5])}


def objective(params, batch):
    error = batch["state"] @ params["w"] - batch["target"]
    return {"loss": jnp.mean(error**2), "largest": jnp.max(jnp.abs(error))}


def learner(optimizer):
    params = {"w": jnp.array([1.0, -1.0])}
    return Learner(params, optimizer.init(params))


def test_a_fit_descends_the_loss_and_says_what_held_before():
    optimizer = optax.sgd(0.1)
    found, said = make_fit(objective, optimizer)(learner(optimizer), BATCH)
    # Errors -1.5 and 2.5; the gradient is their mean with the states, times 2.
    assert said["loss"] == pytest.approx((1.5**2 + 2.5**2) / 2)
    assert said["largest"] == 2.5
    gradient = np.array([-1.5 * 1 + 2.5 * 3, -1.5 * 2 - 2.5 * 1])
    expected = np.array([1.0, -1.0]) - 0.1 * gradient
    np.testing.assert_allclose(found.params["w"], expected, rtol=1e-6)


def test_a_fit_is_the_update_of_the_same_loss():
    optimizer = optax.adam(0.1)
    loss = Loss(
        lambda params, target_params, batch: batch["target"],
        lambda params, batch, targets: objective(params, batch)["loss"],
    )
    fitted, _ = make_fit(objective, optimizer)(learner(optimizer), BATCH)
    updated, _ = make_update(loss, optimizer)(learner(optimizer), None, BATCH)
    np.testing.assert_allclose(fitted.params["w"], updated.params["w"], rtol=1e-6)


def test_an_optimizer_may_ask_for_the_loss_as_a_function():
    def update(updates, state, params=None, *, value_fn, **extra):
        del updates, extra
        return jax.tree.map(lambda x: 0 * x + value_fn(params), params), state

    optimizer = optax.GradientTransformationExtraArgs(lambda params: (), update)
    found, said = make_fit(objective, optimizer)(learner(optimizer), BATCH)
    np.testing.assert_allclose(found.params["w"], np.array([1, -1]) + said["loss"])
