import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from helpers import networks, probe, trees

from redo_dopamine import compat  # noqa: F401  isort: skip  Before Dopamine.
from dopamine.jax.networks import ImpalaDQNNetwork
from dopamine.labs.redo.networks import ScalableDQNResNet

from redo_dopamine.core.graph import Edge, NetworkGraph, leaves_by_path, validate
from redo_dopamine.core.recycle import recycle
from redo_dopamine.networks.capture import collect
from redo_dopamine.networks.impala import ImpalaNetwork

STATE = np.random.default_rng(0).integers(0, 256, (20, 12, 2), np.uint8)
KEY = jax.random.PRNGKey(3)
# By layer: whether it can be recycled.
LAYERS = {
    "Stack_0/Conv_0": False,
    "Stack_0/Conv_1": True,
    "Stack_0/Conv_2": False,
    "Stack_0/Conv_3": True,
    "Stack_1/Conv_0": False,
    "Stack_1/Conv_1": True,
    "Stack_1/Conv_2": False,
    "Stack_1/Conv_3": True,
    "Stack_2/Conv_0": False,
    "Stack_2/Conv_1": True,
    "Stack_2/Conv_2": False,
    "Stack_2/Conv_3": True,
    "Stack_2/Conv_4": False,
    "Dense_0": True,
}


@functools.cache
def params_of(**fields):
    return jax.jit(ImpalaNetwork(6, **fields).init)(KEY, STATE)


def test_the_same_parameters_give_the_q_values_of_dopamines_network():
    network = ImpalaNetwork(6, stack_sizes=(16, 32, 32))
    params = params_of(stack_sizes=(16, 32, 32))["params"]
    stacks = {f"_stacks_{i}": params[f"Stack_{i}"] for i in range(3)}
    dense = {name: params[name] for name in ("Dense_0", "Dense_1")}
    theirs = {"params": {"encoder": stacks, **dense}}
    shapes = jax.eval_shape(ImpalaDQNNetwork(6).init, KEY, STATE)
    assert jax.tree.map(jnp.shape, theirs) == jax.tree.map(jnp.shape, shapes)
    expected = ImpalaDQNNetwork(6).apply(theirs, STATE).q_values
    found = network.apply({"params": params}, STATE).q_values
    assert np.ptp(found) > 0
    assert trees.same_bits(found, expected)


def test_parameters_and_q_values_are_those_of_the_released_network():
    released = ScalableDQNResNet(6, width=1)
    theirs = jax.jit(released.init)(KEY, STATE)
    ours = dict(params_of()["params"])
    ours["final_layer"] = ours.pop("Dense_1")
    expected = dict(theirs["params"])
    # The name of a module is part of the key of its weights.
    hidden = ours.keys() - {"final_layer"}
    trees.assert_same_bits(
        {k: ours[k] for k in hidden}, {k: expected[k] for k in hidden}
    )
    found = ImpalaNetwork(6).apply(params_of(), STATE).q_values
    assert trees.same_bits(found, released.apply({"params": ours}, STATE).q_values)


@pytest.mark.parametrize(
    ("width", "channels", "units"),
    [
        (1, (32, 64, 64), 512),
        (2, (64, 128, 128), 1024),
        (4, (128, 256, 256), 2048),
        (0.3, (10, 20, 20), 154),
    ],
)
def test_width_multiplies_every_layer_but_the_head(width, channels, units):
    network = ImpalaNetwork(6, width=width)
    params = jax.eval_shape(network.init, KEY, STATE)["params"]
    for i, size in enumerate(channels):
        stack = params[f"Stack_{i}"]
        assert [stack[f"Conv_{k}"]["kernel"].shape[-1] for k in range(5)] == [size] * 5
    # 20 * 12 is halved three times: 3 * 2 positions.
    assert params["Dense_0"]["kernel"].shape == (6 * channels[-1], units)
    assert params["Dense_1"]["kernel"].shape == (units, 6)


@pytest.mark.parametrize("width", [0, -1, float("nan")])
def test_a_width_that_is_not_positive_is_an_error(width):
    with pytest.raises(ValueError, match=f"width must be > 0, but is {width}"):
        jax.eval_shape(ImpalaNetwork(3, width=width).init, KEY, STATE)


def test_first_convolutions_of_blocks_and_the_dense_layer_are_recyclable():
    layers = ImpalaNetwork(6).graph().layers
    assert {layer.name: layer.recyclable for layer in layers} == LAYERS
    assert [layer.name for layer in layers] == list(LAYERS)


def test_the_flatten_at_84_by_84_has_121_positions_of_64_channels():
    network = ImpalaNetwork(6)
    layers = {layer.name: layer for layer in network.graph().layers}
    edge = Edge(networks.kernel("Dense_0"), copies=121)
    assert layers["Stack_2/Conv_4"].outgoing == (edge,)
    params = jax.eval_shape(network.init, KEY, jnp.zeros((84, 84, 4), jnp.uint8))
    assert leaves_by_path(params)[edge.kernel].shape == (7744, 512)
    assert validate(network.graph(), params) is None


@pytest.mark.parametrize("observation_shape", [(84, 84), (20, 12), (1, 1), (17, 33)])
@pytest.mark.parametrize("stack_sizes", [(4,), (4, 5), (4, 5, 6)])
def test_the_graph_fits_at_any_size(observation_shape, stack_sizes):
    network = ImpalaNetwork(3, stack_sizes=stack_sizes)
    state = jnp.zeros((*observation_shape, 2), jnp.uint8)
    params = jax.eval_shape(network.init, KEY, state)
    assert validate(network.graph(observation_shape), params) is None


def test_recorded_activations_by_hand():
    state = STATE[None].astype(np.float32) / 255
    recorded = jax.jit(lambda p, x: collect(ImpalaNetwork(6).apply, p, x))(
        params_of(), STATE[None]
    )
    assert set(recorded) == set(LAYERS)
    stack = params_of()["params"]["Stack_0"]

    def convolve(x, name):
        x = jax.lax.conv_general_dilated(
            x,
            stack[name]["kernel"],
            window_strides=(1, 1),
            padding="SAME",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        return x + stack[name]["bias"]

    pooled = nn.max_pool(convolve(state, "Conv_0"), (3, 3), (2, 2), "SAME")
    first = np.maximum(convolve(np.maximum(pooled, 0), "Conv_1"), 0)
    second = np.maximum(pooled + convolve(first, "Conv_2"), 0)
    expected = {"Conv_0": np.maximum(pooled, 0), "Conv_1": first, "Conv_2": second}
    for name, activation in expected.items():
        found = recorded[f"Stack_0/{name}"]
        assert found.shape == (1, 10, 6, 32)
        np.testing.assert_allclose(found, activation, rtol=1e-4, atol=1e-5)
        assert np.min(found) == 0 < np.max(found)

    dense = params_of()["params"]["Dense_0"]
    flat = np.asarray(recorded["Stack_2/Conv_4"]).reshape(1, -1)
    units = np.maximum(flat @ dense["kernel"] + dense["bias"], 0)
    np.testing.assert_allclose(recorded["Dense_0"], units, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["impala", "impala_crelu"])
def test_outgoing_weights_of_streams_are_all_that_read_what_is_recorded(name):
    case = networks.ALL_CASES[name]
    layers = (layer._replace(recyclable=True) for layer in case.graph.layers)
    graph = NetworkGraph(tuple(layers))
    params = networks.params_of(name)
    validate(graph, params)
    assert probe.faults(case.network.apply, params, case.states(4), graph) == []


def test_recycling_a_block_leaves_the_stream_as_it_is():
    case = networks.ALL_CASES["impala"]  # 4 and 5 channels.
    params, fresh = networks.params_of("impala"), networks.params_of("impala", 1)
    masks = networks.random_masks("impala", np.random.default_rng(0), 0.0)
    masks["Stack_1/Conv_1"] = np.array([False, True, False, False, True])
    masks["Stack_1/Conv_2"] = np.ones(5, bool)  # A stream; must stay.
    optimizer = optax.adam(1e-3)
    state = optimizer.init(params)
    new, _ = recycle(case.graph, masks, params, fresh, state, optimizer)
    old = trees.by_path(params)
    changed = {k for k, x in trees.by_path(new).items() if np.any(x != old[k])}
    first, second = networks.kernel("Stack_1", "Conv_1"), ("Stack_1", "Conv_2")
    # Both biases are zero at the start, so the fresh ones are the same.
    assert changed == {first, networks.kernel(*second)}
    kernel = leaves_by_path(new)[first]
    expected = leaves_by_path(fresh)[first]
    assert kernel[..., [1, 4]].tolist() == expected[..., [1, 4]].tolist()
    assert kernel[..., [0, 2, 3]].tolist() == old[first][..., [0, 2, 3]].tolist()
    rows = leaves_by_path(new)[networks.kernel(*second)]
    assert not np.any(rows[:, :, [1, 4], :])
    expected = old[networks.kernel(*second)][:, :, [0, 2, 3], :]
    assert rows[:, :, [0, 2, 3], :].tolist() == expected.tolist()
