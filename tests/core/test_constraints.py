import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from helpers import networks
from redo_dopamine.core import interventions
from redo_dopamine.core.graph import Edge, Layer, NetworkGraph, leaves_by_path
from redo_dopamine.core.layer import Weights
from redo_dopamine.core.neuron_index import NeuronIndex

GRAPH = NetworkGraph((Layer("a", ("a", "kernel"), None, (Edge(("b", "kernel")),)),))


def held(factory, params):
    optimizer = optax.adam(1e-3)
    built = factory(GRAPH, lambda key: params, optimizer)
    opt_state = optimizer.init(params)
    found, same = jax.jit(built.constrain)(params, opt_state, built.init(params))
    jax.tree.map(np.testing.assert_array_equal, same, opt_state)
    return found


def test_every_parameter_is_clipped():
    params = {"a": {"kernel": jnp.array([[0.2, -3.0]])}, "b": {"kernel": jnp.ones(1)}}
    found = held(interventions.weight_clipping(0.5), params)
    np.testing.assert_allclose(found["a"]["kernel"], [[0.2, -0.5]])
    np.testing.assert_allclose(found["b"]["kernel"], [0.5])


def test_a_kernel_is_scaled_down_to_its_largest_singular_value():
    # Singular values 4 and 2.
    kernel = jnp.array([[4.0, 0.0], [0.0, 2.0]])
    params = {"a": {"kernel": kernel}, "b": {"kernel": 10 * kernel}}
    found = held(interventions.spectral_norm(1.0), params)
    np.testing.assert_allclose(found["a"]["kernel"], kernel / 4, rtol=1e-6)
    np.testing.assert_array_equal(found["b"]["kernel"], 10 * kernel)  # A head.
    found = held(interventions.spectral_norm(5.0), params)
    np.testing.assert_array_equal(found["a"]["kernel"], kernel)


def test_the_axes_of_a_convolution_but_the_last_are_one():
    kernel = jax.random.normal(jax.random.PRNGKey(0), (3, 3, 2, 4))
    params = {"a": {"kernel": kernel}, "b": {"kernel": jnp.ones(1)}}
    found = held(interventions.spectral_norm(0.7), params)["a"]["kernel"]
    largest = np.linalg.svd(np.reshape(found, (18, 4)), compute_uv=False)[0]
    assert largest == pytest.approx(0.7, rel=1e-5)


def test_a_kernel_is_scaled_back_to_the_length_that_it_began_with():
    first = {"a": {"kernel": jnp.array([[3.0, 0.0], [4.0, 0.0]])}}  # Of length 5.
    first |= {"b": {"kernel": jnp.ones((2, 1))}}
    optimizer = optax.adam(1e-3)
    built = interventions.normalize_and_project()(GRAPH, lambda key: first, optimizer)
    opt_state, state = optimizer.init(first), built.init(first)
    for grown, length in ((2.0, 4.0), (0.0, 0.0), (0.5, 1.0)):
        now = jax.tree.map(lambda x, size=grown: jnp.full_like(x, size), first)
        found, same = jax.jit(built.constrain)(now, opt_state, state)
        scaled = grown * 5 / length if length else 0.0
        np.testing.assert_allclose(found["a"]["kernel"], np.full((2, 2), scaled))
        np.testing.assert_array_equal(found["b"]["kernel"], now["b"]["kernel"])
        jax.tree.map(np.testing.assert_array_equal, same, opt_state)


def test_each_member_of_an_ensemble_has_a_length_of_its_own():
    ids = np.arange(4).reshape(2, 1, 2)
    layer = Layer(
        "a",
        num_neurons=4,
        incoming=(Weights(("a",), NeuronIndex(ids)),),
        outgoing=(Weights(("b",), NeuronIndex(ids.reshape(2, 2, 1))),),
    )
    first = {"a": jnp.ones((2, 1, 2)), "b": jnp.ones((2, 2, 1))}
    built = interventions.normalize_and_project()(
        NetworkGraph((layer,)), lambda key: first, optax.sgd(1.0)
    )
    now = first | {"a": jnp.array([[[2.0, 2.0]], [[5.0, 5.0]]])}
    found, _ = built.constrain(now, (), built.init(first))
    np.testing.assert_allclose(found["a"], first["a"], rtol=1e-6)


@pytest.mark.parametrize("name", ["dueling", "impala_crelu"])
def test_they_hold_on_whole_networks(name):
    params, graph = networks.params_of(name), networks.ALL_CASES[name].graph
    optimizer = optax.adam(1e-3)
    built = interventions.spectral_norm(0.3)(graph, lambda key: params, optimizer)
    found, _ = built.constrain(params, optimizer.init(params), ())
    leaves = leaves_by_path(found)
    for layer in graph.layers:
        kernel = np.asarray(leaves[layer.kernel])
        matrix = kernel.reshape(-1, kernel.shape[-1])
        assert np.linalg.norm(matrix, ord=2) <= 0.3 * (1 + 1e-5)


@pytest.mark.parametrize(
    "make", [interventions.weight_clipping, interventions.spectral_norm]
)
@pytest.mark.parametrize("limit", [0.0, -1.0, float("nan"), float("inf"), "1"])
def test_a_limit_out_of_its_range_is_an_error(make, limit):
    with pytest.raises(ValueError, match="limit must be a finite number > 0"):
        make(limit)
