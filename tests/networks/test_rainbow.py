import functools

import flax
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from helpers import networks, trees

from redo_dopamine import compat  # noqa: F401  isort: skip  Before Dopamine.
from dopamine.jax.networks import FullRainbowNetwork

from redo_dopamine.core.graph import Edge, validate
from redo_dopamine.core.masks import dormant
from redo_dopamine.core.recycle import recycle
from redo_dopamine.core.scores import dormancy_score
from redo_dopamine.networks.nature import NatureNetwork
from redo_dopamine.networks.rainbow import RainbowNetwork
from redo_dopamine.tracing.traced import check_graph

STATE = np.random.default_rng(0).integers(0, 256, (36, 28, 4), np.uint8)
SUPPORT = jnp.linspace(-10.0, 10.0, 51)
KEY = jax.random.PRNGKey(3)


def built_as_by_dopamines_agent(network, dueling, distributional):
    partial = functools.partial(
        network,
        num_atoms=51,
        noisy=False,
        dueling=dueling,
        distributional=distributional,
    )
    return partial(num_actions=6, inputs_preprocessed=True)


@pytest.mark.parametrize("dueling", [True, False])
@pytest.mark.parametrize("distributional", [True, False])
def test_parameters_and_outputs_are_those_of_dopamines_network(dueling, distributional):
    ours, theirs = (
        built_as_by_dopamines_agent(network, dueling, distributional)
        for network in (RainbowNetwork, FullRainbowNetwork)
    )
    state = STATE / np.float32(255)
    params = ours.init(KEY, state, SUPPORT)
    expected = theirs.init(KEY, state, SUPPORT, key=KEY)
    trees.assert_same_bits(params, flax.core.unfreeze(expected))

    found = ours.apply(params, state, SUPPORT, key=KEY, eval_mode=True)
    output = theirs.apply(params, state, SUPPORT, key=KEY, eval_mode=True)
    assert found._fields == output._fields
    assert np.ptp(found.q_values) > 0
    trees.assert_same_bits(tuple(found), tuple(output))


def test_bytes_are_divided_by_255():
    make = functools.partial(RainbowNetwork, 3, 1, distributional=False, width=0.25)
    params = make().init(KEY, STATE, None)
    ready = make(inputs_preprocessed=True)
    found = make().apply(params, STATE, None).q_values
    expected = ready.apply(params, STATE.astype(np.float32) / 255, None).q_values
    assert trees.same_bits(found, expected)


@pytest.mark.parametrize("dueling", [True, False])
def test_noise_is_that_of_dopamines_network(dueling):
    settings = {"num_atoms": 51, "noisy": True, "dueling": dueling}
    ours, theirs = (net(6, **settings) for net in (RainbowNetwork, FullRainbowNetwork))
    params = ours.init(KEY, STATE, SUPPORT)
    expected = theirs.init(KEY, STATE, SUPPORT, key=KEY)
    trees.assert_same_bits(params, flax.core.unfreeze(expected))
    found = []
    for more in ({"key": KEY}, {"key": KEY, "eval_mode": True}):
        found.append(ours.apply(params, STATE, SUPPORT, **more))
        output = theirs.apply(params, STATE, SUPPORT, **more)
        trees.assert_same_bits(tuple(found[-1]), tuple(output))
    assert np.ptp(found[0].q_values - found[1].q_values) > 0
    plain = ours.apply(params, STATE, SUPPORT)
    trees.assert_same_bits(tuple(plain), tuple(found[1]))


def test_noisy_layers_have_means_and_scales_in_their_graph():
    network = RainbowNetwork(3, 5, noisy=True, width=0.125)
    params = network.init(KEY, STATE, SUPPORT[:5])
    graph = network.graph((36, 28))
    apply = functools.partial(network.apply, support=SUPPORT[:5])
    check_graph(graph, apply, params, STATE)
    [dense] = graph.layers[3:]
    assert dense.name == "NoisyNetwork_0"
    leaves = ["kernel_mu", "kernel_sigma", "bias_mu", "bias_sigma"]
    assert [x.path[-1] for x in dense.incoming] == leaves
    assert [x.path[1:] for x in dense.outgoing] == [
        (f"NoisyNetwork_{head}", leaf) for head in (1, 2) for leaf in leaves[:2]
    ]


@pytest.mark.parametrize("width", [0, -1, float("nan")])
def test_a_width_that_is_not_positive_is_an_error(width):
    network = RainbowNetwork(3, 1, width=width)
    with pytest.raises(ValueError, match=f"width must be > 0, but is {width}"):
        jax.eval_shape(network.init, KEY, STATE, SUPPORT)


@pytest.mark.parametrize("width", [1, 2, 0.3])
def test_width_multiplies_every_layer_but_the_heads(width):
    network = RainbowNetwork(6, 51, width=width)
    params = jax.eval_shape(network.init, KEY, STATE, SUPPORT)["params"]
    found = {name: x["kernel"].shape[-1] for name, x in params.items()}
    hidden = {1: (32, 64, 64, 512), 2: (64, 128, 128, 1024), 0.3: (10, 20, 20, 154)}
    names = ("Conv_0", "Conv_1", "Conv_2", "Dense_0", "Dense_1", "Dense_2")
    expected = (*hidden[width], 6 * 51, 51)
    assert found == dict(zip(names, expected, strict=True))
    assert validate(network.graph((36, 28)), {"params": params}) is None


def test_both_heads_read_the_dense_layer_and_are_no_layers_themselves():
    layers = RainbowNetwork(6, 51).graph().layers
    assert [x.name for x in layers] == ["Conv_0", "Conv_1", "Conv_2", "Dense_0"]
    assert all(x.recyclable for x in layers)
    heads = (Edge(networks.kernel("Dense_1")), Edge(networks.kernel("Dense_2")))
    assert layers[3].outgoing == heads
    assert RainbowNetwork(6, 51, dueling=False).graph().layers[3].outgoing == heads[:1]
    assert layers[:3] == NatureNetwork(6).graph().layers[:3]


def test_score_mask_and_recycling_of_the_dueling_dense_layer():
    case = networks.CASES["drq"]  # 128 dense units, 3 actions, 1 atom.
    leaves = trees.by_path(networks.params_of("drq"))
    # Every unit has its bias alone: 0 for units 2 and 7, 1 for the others.
    leaves["params", "Dense_0", "kernel"][:] = 0.0
    leaves["params", "Dense_0", "bias"][:] = 1.0
    leaves["params", "Dense_0", "bias"][[2, 7]] = 0.0
    leaves["params", "Dense_0", "bias"][3] = 3.0
    params = trees.from_paths(leaves)
    activation = networks.activations_of("drq")(params, case.states(4))["Dense_0"]
    score = dormancy_score(activation)
    # The mean is (125 * 1 + 3) / 128 = 1.
    assert score[:8].tolist() == [1.0, 1.0, 0.0, 3.0, 1.0, 1.0, 1.0, 0.0]
    mask = dormant(score, 0.1)
    assert np.flatnonzero(mask).tolist() == [2, 7]

    optimizer = optax.adam(1e-3)
    fresh = networks.params_of("drq", 1)
    state = optimizer.init(params)
    new, _ = recycle(case.graph, {"Dense_0": mask}, params, fresh, state, optimizer)
    new, fresh = new["params"], fresh["params"]
    changed = np.any(
        new["Dense_0"]["kernel"] != params["params"]["Dense_0"]["kernel"], 0
    )
    assert np.flatnonzero(changed).tolist() == [2, 7]
    assert trees.same_bits(
        new["Dense_0"]["kernel"][:, changed], fresh["Dense_0"]["kernel"][:, changed]
    )
    for head, outputs in (("Dense_1", 3), ("Dense_2", 1)):
        kernel = new[head]["kernel"]
        assert kernel.shape == (128, outputs)
        assert np.flatnonzero(~np.any(kernel, axis=1)).tolist() == [2, 7]
        assert trees.same_bits(new[head]["bias"], params["params"][head]["bias"])
