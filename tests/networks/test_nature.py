import functools

import flax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helpers import released, trees
from redo_dopamine.core.graph import Edge, leaves_by_path, validate
from redo_dopamine.networks.layers import scale_width
from redo_dopamine.networks.nature import NatureNetwork

STATE = np.random.default_rng(0).integers(0, 256, (84, 84, 4), np.uint8)


@functools.cache
def ours():
    network = NatureNetwork(num_actions=6)
    return network, network.init(jax.random.PRNGKey(3), STATE)


def shapes(state_shape=(20, 12, 2), **fields):
    network = NatureNetwork(num_actions=3, **fields)
    state = jax.ShapeDtypeStruct(state_shape, jnp.uint8)
    return jax.eval_shape(network.init, jax.random.PRNGKey(0), state)


def test_the_same_key_gives_the_parameters_of_dopamines_network():
    theirs = released.NatureDQNNetwork(num_actions=6)
    expected = theirs.init(jax.random.PRNGKey(3), STATE)
    trees.assert_same_bits(ours()[1], flax.core.unfreeze(expected))


def test_the_same_parameters_give_the_q_values_of_dopamines_network():
    network, params = ours()
    theirs = released.NatureDQNNetwork(num_actions=6)
    found = network.apply(params, STATE).q_values
    expected = theirs.apply(params, STATE).q_values
    assert found.shape == (6,)
    assert np.ptp(found) > 0
    assert trees.same_bits(found, expected)


def test_preprocessed_inputs_are_bytes_over_255():
    state = STATE[:20, :12, :2]
    raw = NatureNetwork(num_actions=3, width=0.25)
    ready = NatureNetwork(num_actions=3, width=0.25, inputs_preprocessed=True)
    params = raw.init(jax.random.PRNGKey(0), state)
    from_bytes = raw.apply(params, state).q_values
    from_floats = ready.apply(params, state.astype(np.float32) / 255).q_values
    assert trees.same_bits(from_bytes, from_floats)
    as_they_are = ready.apply(params, state.astype(np.float32)).q_values
    assert not np.allclose(from_bytes, as_they_are)


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (1, [32, 64, 64, 512, 3]),
        (2, [64, 128, 128, 1024, 3]),
        (4, [128, 256, 256, 2048, 3]),
        (0.5, [16, 32, 32, 256, 3]),
        (0.3, [10, 20, 20, 154, 3]),
        (0.001, [1, 1, 1, 1, 3]),
    ],
)
def test_width_multiplies_every_layer_but_the_head_and_rounds_up(width, expected):
    layers = shapes(width=width)["params"]
    names = ["Conv_0", "Conv_1", "Conv_2", "Dense_0", "Dense_1"]
    assert [layers[name]["kernel"].shape[-1] for name in names] == expected
    assert [layers[name]["bias"].shape for name in names] == [(n,) for n in expected]


@pytest.mark.parametrize("width", [0, -1, float("nan")])
def test_a_width_that_is_not_positive_is_an_error(width):
    with pytest.raises(ValueError, match=f"width must be > 0, but is {width}"):
        shapes(width=width)
    with pytest.raises(ValueError, match=f"width must be > 0, but is {width}"):
        scale_width(32, width)


def test_the_flatten_at_84_by_84_has_121_positions_of_64_channels():
    graph = NatureNetwork(num_actions=3).graph()
    edge = Edge(("params", "Dense_0", "kernel"), copies=121)
    assert graph.layers[2].outgoing == (edge,)
    params = shapes((84, 84, 4))
    assert leaves_by_path(params)[edge.kernel].shape == (7744, 512)
    assert validate(graph, params) is None


@pytest.mark.parametrize("observation_shape", [(84, 84), (20, 12), (1, 1), (17, 33)])
@pytest.mark.parametrize("width", [1, 0.3])
def test_the_graph_fits_the_parameters_at_any_size_and_width(observation_shape, width):
    params = shapes((*observation_shape, 2), width=width)
    graph = NatureNetwork(num_actions=3, width=width).graph(observation_shape)
    assert validate(graph, params) is None
    dense = leaves_by_path(params)["params", "Dense_0", "kernel"]
    conv = leaves_by_path(params)["params", "Conv_2", "kernel"]
    assert graph.layers[2].outgoing[0].copies * conv.shape[-1] == dense.shape[0]


def test_the_graph_has_the_hidden_layers_and_not_the_head():
    graph = NatureNetwork(num_actions=3).graph()
    names = [layer.name for layer in graph.layers]
    assert names == ["Conv_0", "Conv_1", "Conv_2", "Dense_0"]
    assert graph.recyclable_layers == graph.layers
