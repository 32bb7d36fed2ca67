"""DASH on a small network, with every number by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from helpers import networks
from redo_dopamine.core.graph import Edge, Layer, NetworkGraph, leaves_by_path
from redo_dopamine.core.interventions import dash
from redo_dopamine.core.interventions.dash import vector_axes

GRAPH = NetworkGraph(
    (Layer("h", ("a", "kernel"), ("a", "bias"), (Edge(("b", "kernel")),)),)
)
OPTIMIZER = optax.adam(0.1)
PARAMS = {
    "a": {
        "kernel": jnp.array([[3.0, 3.0, 3.0, 0.0], [4.0, 4.0, 4.0, 0.0]]),
        "bias": jnp.array([3.0, 4.0, 0.0, 0.0]),
    },
    "b": {"kernel": jnp.array([[6.0], [8.0], [0.0], [0.0]]), "bias": jnp.array([2.0])},
    "norm": {"scale": jnp.ones(4)},
}
GRADIENTS = {
    # Of the vector (3, 4): against it, across it, along it; of zero: any.
    "a": {
        "kernel": jnp.array([[-6.0, -1.0, 3.0, 1.0], [-8.0, 0.0, 4.0, 1.0]]),
        "bias": jnp.array([0.0, -5.0, 0.0, 0.0]),
    },
    "b": {"kernel": jnp.array([[0.0], [-1.0], [0.0], [0.0]]), "bias": jnp.array([1.0])},
    "norm": {"scale": jnp.ones(4)},
}


def apply(gradients, step, **settings):
    bound = dash(**settings)(GRAPH, lambda key: PARAMS, OPTIMIZER)
    opt_state = OPTIMIZER.init(PARAMS)
    params, new_state, _, metrics = bound.apply(
        *(jax.random.PRNGKey(0), PARAMS, opt_state, bound.init(PARAMS)),
        *(gradients, step),
    )
    assert new_state is opt_state
    return params, metrics


def test_each_vector_shrinks_by_its_cosine_or_by_the_least():
    params, metrics = apply(GRADIENTS, 10, least=0.3, period=10)
    factors = np.array([1.0, 0.6, 0.3, 0.3])
    kernel = np.asarray(PARAMS["a"]["kernel"])
    np.testing.assert_allclose(params["a"]["kernel"], kernel * factors, rtol=1e-6)
    # All biases are one vector: cosine 4 / 5.
    np.testing.assert_allclose(params["a"]["bias"], [2.4, 3.2, 0, 0], rtol=1e-6)
    np.testing.assert_allclose(params["b"]["kernel"][:2, 0], [4.8, 6.4], rtol=1e-6)
    np.testing.assert_allclose(params["b"]["bias"], [0.6], rtol=1e-6)
    np.testing.assert_array_equal(params["norm"]["scale"], np.ones(4))
    assert metrics.keys() == {"mean_shrink/h"}
    np.testing.assert_allclose(metrics["mean_shrink/h"], 0.55, rtol=1e-6)


def test_nothing_shrinks_between_the_periods_or_by_a_gradient_that_is_no_number():
    bad = jax.tree.map(lambda x: x * jnp.nan, GRADIENTS)
    for gradients, step in ((GRADIENTS, 11), (bad, 10)):
        params, _ = apply(gradients, step, period=10)
        jax.tree.map(np.testing.assert_array_equal, params, PARAMS)


def test_it_looks_at_the_gradients_of_a_batch():
    class Observer:
        def gradients(self, size):
            return "gradients", size

    bound = dash(score_batch_size=8)(GRAPH, lambda key: PARAMS, OPTIMIZER)
    assert bound.observe(Observer()) == ("gradients", 8)


@pytest.mark.parametrize(
    ("network", "path", "axes"),
    [
        ("dueling", networks.kernel("Conv_0"), (0, 1)),  # [H, W, in, out]
        ("dueling", networks.bias("Conv_0"), (0,)),
        ("dueling", networks.kernel("value"), (0,)),
        ("ppo", networks.kernel("_actor", "Dense_2"), (0,)),
    ],
)
def test_a_filter_of_a_convolution_is_a_vector(network, path, axes):
    case, params = networks.ALL_CASES[network], networks.params_of(network)
    shapes = {name: x.shape for name, x in leaves_by_path(params).items()}
    assert vector_axes(case.graph, shapes)[path] == axes


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"least": 1.5}, r"least must be in \[0, 1\], but is 1.5"),
        ({"least": "a"}, r"least must be in \[0, 1\], but is a"),
        ({"score_batch_size": 0}, "score_batch_size must be a whole number"),
        ({"period": 0}, "period must be"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        dash(**settings)
