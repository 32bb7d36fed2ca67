"""Resets of the optimizer, with every number by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from redo_dopamine.core.graph import Edge, Layer, NetworkGraph
from redo_dopamine.core.interventions import optimizer_reset
from redo_dopamine.core.optimizers import l2_to_init

GRAPH = NetworkGraph((Layer("h", ("in",), ("b",), (Edge(("out",)),)),))
PARAMS = {"in": jnp.ones((1, 1)), "b": jnp.ones(1), "out": jnp.ones((1, 1))}


def after_one_update(optimizer, step):
    """The parameters, and the state after an update and `apply` at that step."""
    gradient = jax.tree.map(lambda x: jnp.full_like(x, 2.0), PARAMS)
    updates, opt_state = optimizer.update(gradient, optimizer.init(PARAMS), PARAMS)
    params = optax.apply_updates(PARAMS, updates)
    bound = optimizer_reset(4)(GRAPH, lambda key: PARAMS, optimizer)
    key, state = jax.random.PRNGKey(0), bound.init(params)
    new, opt_state, _, metrics = bound.apply(key, params, opt_state, state, {}, step)
    assert new is params
    assert metrics["optimizer_reset"] == (step == 4)
    return params, opt_state


@pytest.mark.parametrize(
    ("step", "expected"), [(3, (1, 0.2, 0.004)), (4, (0, 0.0, 0.0))]
)
def test_moments_and_count_begin_again_when_due(step, expected):
    _, (adam, _) = after_one_update(optax.adam(0.1), step)
    found = adam.count, adam.mu["b"][0], adam.nu["b"][0]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_the_weights_that_l2_to_init_pulls_to_stay():
    params, (anchor, _) = after_one_update(
        optax.chain(l2_to_init(0.1), optax.adam(0.1)), 4
    )
    np.testing.assert_allclose(params["b"], [0.9], rtol=1e-5)
    np.testing.assert_array_equal(anchor.initial, np.ones(3))


@pytest.mark.parametrize("period", [0, -1, 1.5])
def test_a_period_that_is_none_is_refused(period):
    with pytest.raises(ValueError, match="period must be a whole number"):
        optimizer_reset(period)
