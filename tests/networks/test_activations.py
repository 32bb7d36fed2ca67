import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helpers import networks
from redo_dopamine.networks.capture import collect, loss_gradients, record


def test_collected_shapes_are_batch_space_and_neurons():
    params = networks.params_of("nature")
    states = networks.CASES["nature"].states(3)
    activations = networks.activations_of("nature")(params, states)
    assert {k: v.shape for k, v in activations.items()} == {
        "Conv_0": (3, 5, 3, 32),
        "Conv_1": (3, 3, 2, 64),
        "Conv_2": (3, 3, 2, 64),
        "Dense_0": (3, 512),
    }


@pytest.mark.parametrize("name", networks.ALL_CASES)
def test_every_layer_of_the_graph_is_recorded_and_nothing_else(name):
    layers = {layer.name for layer in networks.ALL_CASES[name].graph.layers}
    assert set(networks.activation_shapes(name)) == layers


def test_a_dense_layers_activations_by_hand():
    params = networks.params_of("nature")
    states = networks.CASES["nature"].states(3)
    activations = networks.activations_of("nature")(params, states)
    dense = params["params"]["Dense_0"]
    flat = np.asarray(activations["Conv_2"]).reshape(3, -1)
    expected = np.maximum(flat @ dense["kernel"] + dense["bias"], 0)
    assert np.any(expected > 0)
    np.testing.assert_allclose(activations["Dense_0"], expected, rtol=1e-4, atol=1e-5)


def test_activations_are_after_the_relu():
    params = networks.params_of("nature")
    states = networks.CASES["nature"].states(3)
    for activation in networks.activations_of("nature")(params, states).values():
        assert np.min(activation) == 0 < np.max(activation)


def test_recording_does_not_change_what_the_network_returns():
    network = networks.Mlp()
    params = networks.params_of("mlp")
    states = networks.CASES["mlp"].states(2)
    plain = jax.vmap(lambda state: network.apply(params, state))(states)
    hidden = collect(network.apply, params, states)["Dense_1"]
    head = params["params"]["Dense_2"]
    np.testing.assert_allclose(
        plain, hidden @ head["kernel"] + head["bias"], rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("name", networks.ALL_CASES)
def test_recording_leaves_only_parameters_in_the_tree_of_init(name):
    case = networks.ALL_CASES[name]
    init = case.network.init
    variables = jax.eval_shape(init, jax.random.PRNGKey(0), case.states(1)[0])
    assert set(variables) == {"params"}


class SowingNetwork(nn.Module):
    """A user's module that sows for its own ends, and under a layer's name too."""

    @nn.compact
    def __call__(self, x):
        x = nn.Dense(2)(x)
        self.sow("intermediates", "hidden", x)
        self.sow("intermediates", "own", x)
        self.sow("other", "hidden", x)
        return record(self, "hidden", nn.relu(x))


def test_what_a_module_sows_itself_is_not_collected():
    network = SowingNetwork()
    params = {"params": network.init(jax.random.PRNGKey(0), jnp.ones(3))["params"]}
    states = networks.CASES["nested"].states(4)
    activations = collect(network.apply, params, states)
    expected = jax.vmap(lambda state: network.apply(params, state))(states)
    assert set(activations) == {"hidden"}
    np.testing.assert_array_equal(activations["hidden"], expected)


def test_a_layer_of_a_submodule_has_the_submodules_name_in_front():
    params = networks.params_of("nested")
    states = networks.CASES["nested"].states(2)
    activations = networks.activations_of("nested")(params, states)
    assert {k: v.shape for k, v in activations.items()} == {
        "Torso_0/Dense_0": (2, 4),
        "Dense_0": (2, 5),
    }
    dense = params["params"]["Torso_0"]["Dense_0"]
    expected = np.maximum(states @ dense["kernel"] + dense["bias"], 0)
    np.testing.assert_allclose(
        activations["Torso_0/Dense_0"], expected, rtol=1e-5, atol=1e-6
    )


class TwoDeep(nn.Module):
    @nn.compact
    def __call__(self, x):
        return networks.NestedNetwork()(x)


def test_every_module_on_the_way_is_in_the_name():
    network = TwoDeep()
    params = network.init(jax.random.PRNGKey(0), jnp.ones(3))
    activations = collect(network.apply, params, networks.CASES["nested"].states(2))
    assert set(activations) == {
        "NestedNetwork_0/Torso_0/Dense_0",
        "NestedNetwork_0/Dense_0",
    }


def test_a_network_that_records_nothing_is_refused():
    network = nn.Dense(2)
    params = network.init(jax.random.PRNGKey(0), jnp.ones(3))
    with pytest.raises(ValueError, match="but this one recorded none"):
        collect(network.apply, params, jnp.ones((2, 3)))


def test_loss_gradients_are_those_of_each_example():
    class Network(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = record(self, "hidden", nn.relu(nn.Dense(4)(x)))
            return nn.Dense(2)(x)

    network = Network()
    states = jax.random.normal(jax.random.PRNGKey(1), (5, 3))
    params = network.init(jax.random.PRNGKey(0), states[0])

    def loss(params, batch):
        outputs = jax.vmap(lambda x: network.apply(params, x))(batch["state"])
        return jnp.mean(jnp.sum(outputs**2, axis=1))

    found = loss_gradients(network.apply, loss, params, {"state": states})["hidden"]
    outputs = jax.vmap(lambda x: network.apply(params, x))(states)
    kernel = params["params"]["Dense_1"]["kernel"]
    np.testing.assert_allclose(found, 2 * outputs @ kernel.T, rtol=1e-5)
