import re

import jax
import jax.numpy as jnp
import optax
import pytest

from helpers import networks, trees
from helpers.interventions import stand_in_draw, trained
from redo_dopamine.core.graph import NetworkGraph
from redo_dopamine.core.interventions import layer_reset
from redo_dopamine.core.interventions.reset import _last_modules

ADAM = optax.adam(1e-3)
KEY = jax.random.PRNGKey(3)
# Networks side by side.
SAC = ("_actor", "_critic1", "_critic2")
PPO = ("_actor", "_critic")


def reset(network, num_layers):
    """Which modules are fresh and which as they were, and the optimizer states."""
    params, opt_state, _ = trained(network)
    graph = networks.ALL_CASES[network].graph
    draw = stand_in_draw(network)
    apply = layer_reset(num_layers, 10)(graph, draw, ADAM).apply
    params_after, opt_state_after, state, metrics = apply(
        KEY, params, opt_state, (), {}, jnp.int32(10)
    )
    assert state == ()
    assert int(metrics["reset_layers"]) == num_layers
    before, after = trees.by_path(params), trees.by_path(params_after)
    fresh = trees.by_path(draw(KEY))
    new = {p for p in before if trees.same_bits(after[p], fresh[p])}
    kept = {p for p in before if trees.same_bits(after[p], before[p])}
    assert new | kept == set(before)
    assert not new & kept  # Updates with drawn gradients moved every weight.
    moments, _ = trees.split_opt_state(opt_state, params)
    for place, (path, moment) in trees.split_opt_state(opt_state_after, params)[
        0
    ].items():
        if path in new:
            assert not moment.any()
        else:
            assert trees.same_bits(moment, moments[place][1])
    return {"/".join(path[1:-1]) for path in new}


@pytest.mark.parametrize(
    ("network", "num_layers", "expected"),
    [
        ("dueling", 1, {"advantage", "value"}),
        ("dueling", 2, {"advantage", "value", "Dense_0"}),
        ("dueling", 3, {"advantage", "value", "Dense_0", "Conv_1"}),
        ("dueling", 4, {"advantage", "value", "Dense_0", "Conv_1", "Conv_0"}),
        ("drq", 2, {"Dense_0", "Dense_1", "Dense_2"}),
        ("nature_width_0.25", 2, {"Dense_0", "Dense_1"}),
        ("nested", 3, {"Torso_0/Dense_0", "Dense_0", "Dense_1"}),
        ("mlp_without_bias", 2, {"Dense_1", "Dense_2"}),
        ("impala_crelu", 2, {"Dense_0", "Dense_1"}),
        ("sac", 1, {"_actor/Dense_2", "_critic1/Dense_2", "_critic2/Dense_2"}),
        ("sac", 2, {f"{x}/Dense_{i}" for x in SAC for i in (1, 2)}),
        ("ppo", 2, {f"{x}/Dense_{i}" for x in PPO for i in (1, 2)}),
    ],
)
def test_the_last_layers_are_reinitialized_and_the_encoder_is_bit_identical(
    network, num_layers, expected
):
    assert reset(network, num_layers) == expected


@pytest.mark.parametrize("network", networks.ALL_CASES)
def test_no_layer_behind_a_reset_one_is_kept(network):
    graph = networks.ALL_CASES[network].graph
    readers = {x.kernel[:-1]: {e.kernel[:-1] for e in x.outgoing} for x in graph.layers}
    before = frozenset()
    for num_layers in (1, 2, 3):
        found = _last_modules(graph, num_layers)
        assert found > before
        for module in found:
            assert readers.get(module, set()) <= found
        before = found


@pytest.mark.parametrize(
    ("network", "stack"),
    [("impala", 1), ("impala_width_0.25", 1), ("impala_crelu", 0)],
)
def test_the_last_three_layers_of_a_residual_network(network, stack):
    graph = networks.ALL_CASES[network].graph
    for last in range(3, 8):
        convolutions = {f"Stack_{stack}/Conv_{7 - i}" for i in range(3, last + 1)}
        expected = {"Dense_1", "Dense_0"} | convolutions
        found = {"/".join(path[1:]) for path in _last_modules(graph, last)}
        assert found == expected


def test_the_last_convolution_of_a_stack_is_no_head_though_it_feeds_no_layer():
    # Stack_0/Conv_4 writes on a stream that is not tracked between the stacks.
    assert reset("impala_crelu", 1) == {"Dense_1"}


def test_more_layers_than_there_are_is_an_error():
    message = (
        "num_layers must be at most the number of layers that the graph describes, 4 "
        "with the output head, but is 5. Reset fewer layers."
    )
    graph = networks.CASES["dueling"].graph
    with pytest.raises(ValueError, match=re.escape(message)):
        layer_reset(5)(graph, networks.draw_params("dueling"), ADAM)


def test_a_graph_of_other_parameters_is_an_error():
    graph = NetworkGraph(networks.CASES["dueling"].graph.layers)
    intervention = layer_reset()(graph, networks.draw_params("mlp"), ADAM)
    with pytest.raises(ValueError, match=r"\['params/advantage', 'params/value'\]"):
        intervention.init(networks.params_of("mlp"))


@pytest.mark.parametrize("num_layers", [0, -1, 1.5, float("nan")])
def test_a_number_of_layers_that_is_no_whole_one_from_one_on_is_an_error(num_layers):
    with pytest.raises(ValueError, match=f"num_layers must be .* but is {num_layers}"):
        layer_reset(num_layers)


def test_the_defaults_are_the_papers_baseline():
    graph = networks.CASES["dueling"].graph
    intervention = layer_reset()(graph, networks.draw_params("dueling"), ADAM)
    assert [t for t in range(0, 300_001, 50_000) if intervention.schedule(t)] == [
        100_000,
        200_000,
        300_000,
    ]
