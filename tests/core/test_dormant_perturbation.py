"""Perturbation by the share of dormant neurons, with every number by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from redo_dopamine.core.graph import Edge, Layer, NetworkGraph
from redo_dopamine.core.interventions import dormant_perturbation

GRAPH = NetworkGraph(
    (Layer("h", ("d", "kernel"), ("d", "bias"), (Edge(("o", "kernel")),)),)
)
OPTIMIZER = optax.adam(0.1)


def tree(value, width=4):
    """A convolution [1, 1, 1, 1], a dense layer and a head, all of one number."""
    return {
        "c": {"kernel": jnp.full((1, 1, 1, 1), value)},
        "d": {"kernel": jnp.full((2, width), value), "bias": jnp.full(width, value)},
        "o": {"kernel": jnp.full((width, 1), value)},
    }


def applied(num_dormant, step=50_000, **settings):
    """Weights and count from 1 towards a draw of 3, where some are dormant."""
    bound = dormant_perturbation(**settings)(GRAPH, lambda key: tree(3.0), OPTIMIZER)
    params = tree(1.0)
    _, opt_state = OPTIMIZER.update(params, OPTIMIZER.init(params), params)
    active = jnp.where(jnp.arange(4) < num_dormant, 0.0, 1.0)
    activations = {"h": jnp.tile(active, (5, 1))}
    state, key = bound.init(params), jax.random.PRNGKey(0)
    found = bound.apply(key, params, opt_state, state, activations, step)
    params, (adam, _), _, metrics = found
    return params, int(adam.count), float(metrics["kept_share"])


@pytest.mark.parametrize(
    ("num_dormant", "kept"),
    # 1 - 2 * 0/4 is above 0.9; 1 - 2 * 1/4; 1 - 2 * 2/4 and 1 - 2 * 4/4 are below 0.2.
    [(0, 0.9), (1, 0.5), (2, 0.2), (4, 0.2)],
)
def test_the_share_of_dormant_neurons_says_how_much_is_kept(num_dormant, kept):
    params, count, found = applied(num_dormant)
    assert found == pytest.approx(kept)
    assert count == 0
    for dense in (params["d"]["kernel"], params["d"]["bias"], params["o"]["kernel"]):
        np.testing.assert_allclose(dense, kept * 1 + (1 - kept) * 3, rtol=1e-6)
    np.testing.assert_array_equal(params["c"]["kernel"], 1)


def test_at_other_steps_nothing_is_moved_and_the_optimizer_goes_on():
    params, count, _ = applied(1, step=49_999)
    assert count == 1
    jax.tree.map(np.testing.assert_array_equal, params, tree(1.0))


def test_nothing_is_moved_where_a_layer_cannot_be_scored():
    bound = dormant_perturbation(period=1)(GRAPH, lambda key: tree(3.0), OPTIMIZER)
    params, opt_state = tree(1.0), OPTIMIZER.init(tree(1.0))
    activations = {"h": jnp.full((5, 4), jnp.nan)}
    new, *_ = bound.apply(jax.random.PRNGKey(0), params, opt_state, (), activations, 1)
    jax.tree.map(np.testing.assert_array_equal, new, params)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rate": 0}, "rate must be above 0, but is 0"),
        ({"rate": np.nan}, "rate must be above 0"),
        ({"least": 1.5}, "least must be in"),
        ({"least": 0.5, "most": 0.4}, "most must be in .least, 1. = .0.5, 1."),
        ({"most": 1.1}, "most must be in"),
        ({"tau": -1}, "tau must be"),
        ({"period": 0}, "period must be a whole number"),
    ],
)
def test_a_setting_out_of_its_range_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        dormant_perturbation(**settings)
