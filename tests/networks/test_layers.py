"""Activation functions and normalization as settings of any network."""

import flax.linen as nn
import gin
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from helpers import networks, probe, trees
from redo_dopamine.config import registry as registry  # Registers the names.
from redo_dopamine.core.graph import leaves_by_path, validate
from redo_dopamine.core.masks import dormant
from redo_dopamine.core.recycle import recycle
from redo_dopamine.core.scores import dormancy_score
from redo_dopamine.networks.capture import collect, loss_gradients
from redo_dopamine.networks.impala import ImpalaNetwork
from redo_dopamine.networks.layers import Nonlinearity, crelu, deep_fourier, layer_norm
from redo_dopamine.networks.nature import NatureNetwork

OTHERS = networks.MORE_CASES | networks.COUPLED_CASES | networks.CONSTANT_CASES
every_other_network = pytest.mark.parametrize("name", OTHERS)


@every_other_network
def test_the_graph_is_true_and_fits(name):
    case, params = OTHERS[name], networks.params_of(name)
    assert validate(case.graph, params) is None
    assert probe.faults(case.network.apply, params, case.states(4), case.graph) == []
    kernels = leaves_by_path(params)
    widths = {x.name: kernels[x.kernel].shape[-1] for x in case.graph.layers}
    shapes = networks.activation_shapes(name)
    assert {layer: shape[-1] for layer, shape in shapes.items()} == widths


def recycle_case(name, masks, params):
    optimizer = optax.adam(1e-3)
    state = optimizer.init(params)
    fresh = networks.params_of(name, 1)
    new, _ = jax.jit(recycle, static_argnames=("graph", "optimizer"))(
        OTHERS[name].graph, masks, params, fresh, state, optimizer
    )
    return new


@every_other_network
def test_recycling_changes_what_the_masks_say_and_nothing_else(name):
    masks = networks.random_masks(name, np.random.default_rng(7))
    params = networks.params_of(name)
    expected, fresh = trees.by_path(params), trees.by_path(networks.params_of(name, 1))
    for layer in OTHERS[name].graph.recyclable_layers:
        for path in (layer.kernel, layer.bias):
            neurons = masks[layer.name]
            expected[path][..., neurons] = fresh[path][..., neurons]
    for layer in OTHERS[name].graph.recyclable_layers:
        for edge in layer.outgoing:  # Whole sets of outputs stand side by side.
            inputs = np.concatenate([masks[layer.name]] * edge.copies)
            expected[edge.kernel][..., inputs, :] = 0
    found = trees.by_path(recycle_case(name, masks, params))
    assert expected.keys() == found.keys()
    for path, leaf in expected.items():
        assert trees.same_bits(found[path], leaf), path


def with_dead_neurons(name, dead):
    """Parameters whose masked neurons have no input, and so no output."""
    leaves = trees.by_path(networks.params_of(name))
    for layer in OTHERS[name].graph.recyclable_layers:
        leaves[layer.kernel][..., dead[layer.name]] = 0.0
        leaves[layer.bias][dead[layer.name]] = 0.0
    return trees.from_paths(leaves)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("name", networks.MORE_CASES)
def test_recycling_at_tau_zero_changes_no_output(name, share):
    dead = networks.random_masks(name, np.random.default_rng(3), share)
    params, states = with_dead_neurons(name, dead), OTHERS[name].states(8)
    activations = networks.activations_of(name)(params, states)
    masks = {k: dormant(dormancy_score(h), 0.0) for k, h in activations.items()}
    assert all(np.all(masks[k][dead[k]]) for k in dead)
    outputs = networks.outputs_of(name)
    after = outputs(recycle_case(name, masks, params), states)
    assert np.max(np.abs(after - outputs(params, states))) == 0.0


@pytest.mark.parametrize("name", ["nature_layer_norm", "impala_layer_norm"])
def test_with_layer_norm_recycling_at_tau_zero_changes_outputs(name):
    """A neuron's new weights move the mean and the variance of all of its layer.

    So tau = 0 is not free here. For one of 128 units that are silent by chance, the
    change stays below a tenth of the outputs' size.
    """
    params, states = networks.params_of(name), OTHERS[name].states(8)
    activation = networks.activations_of(name)(params, states)["Dense_0"]
    silent = dormant(dormancy_score(activation), 0.0)
    masks = {"Dense_0": silent & (np.arange(128) == np.argmax(silent))}
    assert np.sum(masks["Dense_0"]) == 1
    outputs = networks.outputs_of(name)
    before = outputs(params, states)
    change = np.abs(outputs(recycle_case(name, masks, params), states) - before)
    assert 0 < np.max(change) < 0.1 * np.max(np.abs(before))


X = np.array([[1.0, -2.0, 0.0], [3.0, -4.0, 0.0]], np.float32)


def test_crelu_gives_the_positive_parts_and_then_the_negative_parts():
    expected = [[1.0, 0.0, 0.0, 0.0, 2.0, 0.0], [3.0, 0.0, 0.0, 0.0, 4.0, 0.0]]
    assert crelu(X).tolist() == expected


def test_layer_norm_has_no_parameters_and_normalizes_the_neurons_of_one_state():
    variables = layer_norm().init(jax.random.PRNGKey(0), X)
    assert variables == {}
    found = layer_norm(epsilon=0.0).apply({}, jnp.array([[1.0, 3.0], [-2.0, -8.0]]))
    assert found.tolist() == [[-1.0, 1.0], [1.0, -1.0]]


class OneLayer(nn.Module):
    """Hands its input to the nonlinearity, and sums what comes out with weights."""

    nonlinearity: Nonlinearity

    @nn.compact
    def __call__(self, x):
        x = self.nonlinearity(self, "hidden", x)
        return nn.Dense(1, kernel_init=nn.initializers.constant(2.0))(x)


def recorded(nonlinearity):
    network = OneLayer(nonlinearity)
    params = network.init(jax.random.PRNGKey(0), X[0])
    return collect(network.apply, params, X)["hidden"]


def test_a_crelu_neuron_is_recorded_with_a_sign_and_scored_by_both_its_outputs():
    found = recorded(Nonlinearity(crelu))
    assert found.tolist() == X.tolist()
    # E|x| is 2, 3 and 0; their mean 5 / 3. The third neuron is dormant.
    np.testing.assert_allclose(dormancy_score(found), [1.2, 1.8, 0.0], rtol=1e-6)


def test_deep_fourier_gives_the_sines_and_then_the_cosines():
    x = jnp.array([0.0, np.pi / 2, -np.pi / 6])
    expected = [0.0, 1.0, -0.5, 1.0, 0.0, 3**0.5 / 2]
    np.testing.assert_allclose(deep_fourier(x), expected, atol=1e-6)


def test_a_deep_fourier_neuron_is_dormant_where_its_outputs_are_constant():
    found = recorded(Nonlinearity(deep_fourier))
    assert found.tolist() == X.tolist()
    # As of CReLU: E|x| is 2, 3 and 0.
    np.testing.assert_allclose(dormancy_score(found), [1.2, 1.8, 0.0], rtol=1e-6)


def test_to_recycle_a_dormant_deep_fourier_neuron_takes_its_constant_away():
    name = "nature_fourier"
    dead = {
        k: np.zeros(n[-1], bool) for k, n in networks.activation_shapes(name).items()
    }
    dead["Dense_0"][3] = True
    params, states = with_dead_neurons(name, dead), OTHERS[name].states(8)
    activation = networks.activations_of(name)(params, states)["Dense_0"]
    assert np.flatnonzero(dormant(dormancy_score(activation), 0.0)).tolist() == [3]
    outputs = networks.outputs_of(name)
    after = outputs(recycle_case(name, dead, params), states)
    head = leaves_by_path(params)[networks.kernel("Dense_1")]
    change = outputs(params, states) - after
    # Of the 128 neurons, the cosine of this one, which is 1 in every state.
    np.testing.assert_allclose(change, np.tile(head[128 + 3], (8, 1)), atol=1e-5)


def test_leaky_relu_is_recorded_after_the_activation():
    found = recorded(Nonlinearity(nn.leaky_relu))
    expected = [[1.0, -0.02, 0.0], [3.0, -0.04, 0.0]]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_normalization_comes_before_the_activation():
    found = recorded(Nonlinearity(nn.relu, layer_norm))
    mean, std = X.mean(1, keepdims=True), X.std(1, keepdims=True)
    np.testing.assert_allclose(found, np.maximum((X - mean) / std, 0), rtol=1e-4)


def test_the_loss_gradient_of_a_crelu_neuron_goes_through_both_outputs():
    network = OneLayer(Nonlinearity(crelu))
    params = network.init(jax.random.PRNGKey(0), X[0])

    def loss(params, batch):
        return jnp.sum(jax.vmap(lambda x: network.apply(params, x))(batch["state"]))

    # Sum of 2 max(x, 0) + 2 max(-x, 0); the third input stands on the edge.
    found = loss_gradients(network.apply, loss, params, {"state": X})["hidden"]
    assert found[:, :2].tolist() == [[2.0, -2.0], [2.0, -2.0]]


def test_an_activation_that_gives_no_whole_number_of_outputs_is_an_error():
    message = r"\[\.\.\., K N\] as crelu does, but maps \(2, 3\) to \(2, 4\)\. Use"
    with pytest.raises(ValueError, match=message):
        NatureNetwork(3, activation=lambda x: jnp.pad(x, ((0, 0), (0, 1)))).graph()
    with pytest.raises(ValueError, match=r"but maps \(2, 3\) to \(\)"):
        NatureNetwork(3, activation=jnp.sum).graph()


def shapes_of(network):
    state = jax.ShapeDtypeStruct((20, 12, 2), jnp.uint8)
    shapes = jax.eval_shape(network.init, jax.random.PRNGKey(0), state)
    return {"/".join(path): x.shape for path, x in leaves_by_path(shapes).items()}


@pytest.mark.parametrize("network", [NatureNetwork, ImpalaNetwork])
def test_settings_without_weights_of_their_own_keep_the_parameter_tree(network):
    plain = shapes_of(network(3))
    assert shapes_of(network(3, activation=nn.leaky_relu)) == plain
    assert shapes_of(network(3, normalize=layer_norm)) == plain


def test_crelu_doubles_the_inputs_and_leaves_the_number_of_neurons():
    plain = shapes_of(NatureNetwork(3))
    found = shapes_of(NatureNetwork(3, activation=crelu))
    kernels = [f"params/{x}/kernel" for x in ("Conv_1", "Conv_2", "Dense_0", "Dense_1")]
    expected = {
        k: (*s[:-2], s[-2] * (2 if k in kernels else 1), s[-1])
        for k, s in plain.items()
        if len(s) > 1
    }
    assert {k: s for k, s in found.items() if len(s) > 1} == expected
    edges = [
        x.outgoing[0].copies for x in NatureNetwork(3, activation=crelu).graph().layers
    ]
    assert edges == [2, 2, 242, 2]


def test_a_crelu_neurons_rows_are_those_of_both_outputs_at_every_position():
    masks = networks.random_masks("nature_crelu", np.random.default_rng(0), 0.0)
    masks["Conv_2"][5] = True  # One of 16 channels, at 3 * 2 positions.
    new = recycle_case("nature_crelu", masks, networks.params_of("nature_crelu"))
    silent = ~np.any(leaves_by_path(new)[networks.kernel("Dense_0")], axis=1)
    expected = [5, 21, 37, 53, 69, 85, 101, 117, 133, 149, 165, 181]
    assert np.flatnonzero(silent).tolist() == expected


GIN_SETTINGS = """
NatureNetwork.activation = @leaky_relu
leaky_relu.negative_slope = 0.2
ImpalaNetwork.activation = @crelu
ImpalaNetwork.normalize = @LayerNorm
ImpalaNetwork.width = 0.25
LayerNorm.epsilon = 1e-5
"""


def test_settings_in_gin():
    with gin.unlock_config():
        gin.parse_config(GIN_SETTINGS)
    try:
        nature = gin.get_configurable("NatureNetwork")(num_actions=3)
        impala = gin.get_configurable("ImpalaNetwork")(num_actions=3)
        assert nature.activation(-1.0) == pytest.approx(-0.2)
        assert impala.normalize().epsilon == 1e-5
        assert impala.graph().layers[0].outgoing[0].copies == 2
        assert hash(impala) == hash(impala)  # Dopamine makes it a static argument.
        assert shapes_of(impala)["params/Dense_0/kernel"] == (2 * 16 * 6, 128)
    finally:
        gin.clear_config()
