import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helpers.networks import CASES, activations_of, params_of
from helpers.trees import by_path, from_paths
from redo_dopamine.core.graph import Edge, Layer, NetworkGraph
from redo_dopamine.core.metrics.gradients import kernel_gradients, loss_gradient, magi
from redo_dopamine.core.scores import dormancy_score

HIDDEN = Layer("hidden", ("w",), ("b",), (Edge(("v",)),))
GRAPH = NetworkGraph((HIDDEN,))
STATES = jnp.array([[1.0, 2.0], [3.0, -1.0]])


def observe(params, states=STATES, activation=nn.relu):
    return {"hidden": activation(states @ params["w"] + params["b"])}


def hidden(*columns, bias=None):
    w = jnp.array(columns, jnp.float32).T
    return {"w": w, "b": jnp.zeros(w.shape[1]) if bias is None else jnp.array(bias)}


def magi_of(params, **settings):
    found = magi(GRAPH, lambda p: observe(p, **settings), params)
    return np.asarray(found["hidden"])


# By hand. Neuron 0 is open on both states, 1 on none, 2 on the first.
THREE = hidden((1, 0), (-1, 0), (0, 1))


def test_magi_by_hand():
    # Of 0: |mean x| / 3 = (2, .5) / 3. Of 2: half of the first state, (1, 2) / 2 / 3.
    expected = [(2 + 0.5) / 2 / 3, 0, (1 + 2) / 2 / 2 / 3]
    np.testing.assert_allclose(magi_of(THREE), expected, rtol=1e-6)


def test_a_permutation_of_the_neurons_permutes_their_magi():
    permuted = {"w": THREE["w"][:, [2, 0, 1]], "b": THREE["b"]}
    np.testing.assert_array_equal(magi_of(permuted), magi_of(THREE)[[2, 0, 1]])


def test_magi_averages_before_it_takes_magnitudes():
    opposite = jnp.array([[1.0, 1.0], [-1.0, -1.0]])
    params = hidden((0, 0), bias=[1.0])  # Open on both states.
    assert magi_of(params, states=opposite) == 0
    assert magi_of(params, states=opposite[:1]) == 1


def deep_activations(params, states):
    """In numpy and doubles: two tanh layers and a head."""
    first = np.tanh(states @ params["w1"] + params["b1"])
    return {"first": first, "second": np.tanh(first @ params["w2"])}


def test_magi_is_that_of_finite_differences():
    rng = np.random.default_rng(0)
    params = {
        "w1": rng.normal(size=(3, 4)),
        "b1": rng.normal(size=4),
        "w2": rng.normal(size=(4, 5)),
    }
    states = rng.normal(size=(6, 3))
    graph = NetworkGraph(
        (
            Layer("first", ("w1",), ("b1",), (Edge(("w2",)),)),
            Layer("second", ("w2",), None, ()),
        )
    )

    def in_jax(params):
        first = jnp.tanh(states @ params["w1"] + params["b1"])
        return {"first": first, "second": jnp.tanh(first @ params["w2"])}

    found = magi(graph, in_jax, jax.tree.map(jnp.float32, params))
    for layer, name in (("first", "w1"), ("second", "w2")):
        gradient = np.zeros_like(params[name])
        for index in np.ndindex(gradient.shape):
            ends = []
            for step in (1e-5, -1e-5):
                moved = {k: v.copy() for k, v in params.items()}
                moved[name][index] += step
                ends.append(deep_activations(moved, states)[layer].mean())
            gradient[index] = (ends[0] - ends[1]) / 2e-5
        expected = np.abs(gradient).mean(axis=0)
        np.testing.assert_allclose(found[layer], expected, rtol=1e-4, atol=1e-6)


def test_a_channel_is_one_neuron_and_a_position_one_sample():
    rng = np.random.default_rng(1)
    images = jnp.asarray(rng.normal(size=(4, 3, 2, 2)), jnp.float32)
    convolution = nn.Conv(5, (1, 1))
    params = convolution.init(jax.random.PRNGKey(0), images)
    graph = NetworkGraph((Layer("hidden", ("params", "kernel"), None, (), False),))
    found = magi(
        graph, lambda p: {"hidden": nn.relu(convolution.apply(p, images))}, params
    )
    dense = {"w": params["params"]["kernel"][0, 0], "b": params["params"]["bias"]}
    expected = magi_of(dense, states=images.reshape(-1, 2))
    np.testing.assert_allclose(found["hidden"], expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["mlp", "dueling", "nested", "nature_width_0.25"])
def test_dead_neurons_of_a_network_have_magi_0_and_no_others(name):
    case = CASES[name]
    weights = by_path(params_of(name))
    for depth, layer in enumerate(case.graph.layers, 1):
        hold = 1e3**depth  # More than what comes in from the layer before.
        weights[layer.bias][::2], weights[layer.bias][1::2] = -hold, hold
    states = case.states(3) + np.ones((), case.dtype)
    found = jax.jit(
        lambda params: magi(
            case.graph, lambda p: activations_of(name)(p, states), params
        )
    )(from_paths(weights))
    for layer in case.graph.layers:
        assert found[layer.name].shape == weights[layer.bias].shape
        np.testing.assert_array_equal(found[layer.name][::2], 0)
        assert np.all(found[layer.name][1::2] > 0)


def test_only_the_layers_own_kernel_is_varied():
    case = CASES["mlp"]
    weights = by_path(params_of("mlp"))
    states = case.states(8)

    def found(weights):
        return magi(
            case.graph,
            lambda p: activations_of("mlp")(p, states),
            from_paths(weights),
        )

    before = found(weights)
    weights["params", "Dense_1", "kernel"] *= 3.0
    after = found(weights)
    np.testing.assert_array_equal(before["Dense_0"], after["Dense_0"])


# Zero gradient without dormancy: the cases of the definition, not faults.


def test_a_saturated_neuron_has_magi_0_and_is_not_dormant():
    params = hidden((1, 0), (1, 0), bias=[0.0, 100.0])
    assert magi_of(params, activation=jnp.tanh)[1] == 0
    assert magi_of(params, activation=jnp.tanh)[0] > 0
    assert dormancy_score(observe(params, activation=jnp.tanh)["hidden"])[1] > 0.5


def test_a_neuron_without_inputs_but_a_bias_has_magi_0_and_is_not_dormant():
    params = hidden((1, 1), bias=[2.0])
    silence = jnp.zeros((3, 2))
    assert magi_of(params, states=silence) == 0
    assert dormancy_score(observe(params, states=silence)["hidden"]) == 1


# Gradients of the loss.


def mean_output(params):
    """Nothing reads neuron 2."""
    return jnp.mean(observe(params)["hidden"] @ jnp.array([2.0, 5.0, 0.0]))


def test_loss_gradient_by_hand_is_not_magi():
    found = loss_gradient(GRAPH, mean_output, THREE)["hidden"]
    # Of 0: 2 * mean x = (4, 1). Of 2: nothing, though its MAGI is not 0.
    np.testing.assert_allclose(found, [2.5, 0, 0])
    assert magi_of(THREE)[2] > 0


def test_kernel_gradients_by_hand():
    found = kernel_gradients(GRAPH, mean_output, THREE)
    np.testing.assert_allclose(found["hidden"], [[4, 0, 0], [1, 0, 0]])
