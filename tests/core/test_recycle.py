"""Properties of recycling, over every network and several optimizers."""

import functools

import flax
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import networks, trees
from helpers.optimizers import OPTIMIZERS, after_updates
from helpers.settings import COSTLY
from redo_dopamine.core.graph import NetworkGraph
from redo_dopamine.core.masks import dormant
from redo_dopamine.core.recycle import recycle
from redo_dopamine.core.scores import dormancy_score

every_network = pytest.mark.parametrize("name", networks.CASES)
jit_recycle = jax.jit(recycle, static_argnames=("graph", "optimizer"))


@functools.cache
def trained(name, optimizer_name="adam"):
    """Parameters, optimizer state with history, and the optimizer."""
    optimizer, _ = OPTIMIZERS[optimizer_name]
    return *after_updates(optimizer, networks.params_of(name)), optimizer


def recycle_case(name, masks, optimizer_name="adam", run=jit_recycle, fresh_seed=1):
    params, opt_state, optimizer = trained(name, optimizer_name)
    fresh = networks.params_of(name, fresh_seed)
    graph = networks.CASES[name].graph
    return run(graph, masks, params, fresh, opt_state, optimizer)


def masked_entries(name, masks):
    """Full-size incoming and outgoing masks by path, from the shapes alone.

    A flatten is undone by a reshape to [height, width, channel, unit].
    """
    leaves = trees.by_path(networks.params_of(name))
    incoming = {path: np.zeros(x.shape, bool) for path, x in leaves.items()}
    outgoing = {path: np.zeros(x.shape, bool) for path, x in leaves.items()}
    for layer in networks.CASES[name].graph.layers:
        neurons = np.asarray(masks[layer.name])
        incoming[layer.kernel][..., neurons] = True
        if layer.bias is not None:
            incoming[layer.bias][neurons] = True
        *space, _ = networks.activation_shapes(name)[layer.name]
        for edge in layer.outgoing:
            rows = outgoing[edge.kernel]
            if space and rows.ndim == 2:
                rows = rows.reshape(*space, neurons.size, -1)
            rows[..., neurons, :] = True
    return incoming, outgoing


def assert_recycled(name, masks, optimizer_name="adam"):
    """Every entry of the result is what the masks say, bit for bit."""
    params, opt_state, _ = trained(name, optimizer_name)
    new_params, new_opt_state = recycle_case(name, masks, optimizer_name)
    incoming, outgoing = masked_entries(name, masks)
    fresh = trees.by_path(networks.params_of(name, 1))
    found = trees.by_path(new_params)
    for path, current in trees.by_path(params).items():
        expected = np.where(incoming[path], fresh[path], current)
        expected[outgoing[path]] = 0.0
        assert trees.same_bits(found[path], expected), path

    moments, counters = trees.split_opt_state(opt_state, params)
    new_moments, new_counters = trees.split_opt_state(new_opt_state, params)
    assert moments.keys() == new_moments.keys()
    for place, (path, moment) in moments.items():
        expected = np.where(incoming[path] | outgoing[path], np.float32(0), moment)
        assert trees.same_bits(new_moments[place][1], expected), place
    trees.assert_same_bits(new_counters, counters)


@pytest.mark.parametrize("optimizer_name", OPTIMIZERS)
@every_network
def test_recycling_changes_what_the_masks_say_and_nothing_else(name, optimizer_name):
    assert_recycled(
        name, networks.random_masks(name, np.random.default_rng(7)), optimizer_name
    )


@COSTLY
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.05, 0.5, 1.0]))
@every_network
def test_random_masks_change_what_they_say_and_nothing_else(name, seed, fraction):
    rng = np.random.default_rng(seed)
    assert_recycled(name, networks.random_masks(name, rng, fraction))


@pytest.mark.parametrize("optimizer_name", OPTIMIZERS)
def test_the_states_that_are_recycled_here_have_moments_to_forget(optimizer_name):
    params, opt_state, _ = trained("dueling", optimizer_name)
    moments, counters = trees.split_opt_state(opt_state, params)
    num_moments = OPTIMIZERS[optimizer_name][1]
    assert len(moments) == num_moments * len(jax.tree.leaves(params))
    assert all(np.all(moment != 0) for _, moment in moments.values())
    assert all(np.all(counter == 2) for counter in counters.values())


@every_network
def test_empty_masks_change_nothing(name):
    masks = networks.random_masks(name, np.random.default_rng(0), fraction=0.0)
    params, opt_state, _ = trained(name)
    trees.assert_same_bits(recycle_case(name, masks), (params, opt_state))


def with_dead_neurons(name, params, dead):
    """Parameters whose masked neurons never fire."""
    leaves = trees.by_path(params)
    for layer in networks.CASES[name].graph.layers:
        if layer.bias is None:  # Inputs are never negative, so this silences too.
            leaves[layer.kernel][..., dead[layer.name]] = -1.0
        else:
            leaves[layer.bias][dead[layer.name]] = -1e3
    return trees.from_paths(leaves)


def dormant_at_zero(name, params, states):
    activations = networks.activations_of(name)(params, states)
    return {k: dormant(dormancy_score(h), 0.0) for k, h in activations.items()}


@pytest.mark.parametrize("optimizer_name", ["adam", "adamw"])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
@every_network
def test_recycling_at_tau_zero_changes_no_output(name, share, optimizer_name):
    current, opt_state, optimizer = trained(name, optimizer_name)
    dead = networks.random_masks(name, np.random.default_rng(3), share)
    params = with_dead_neurons(name, current, dead)
    states = networks.CASES[name].states(8)
    masks = dormant_at_zero(name, params, states)
    assert all(np.all(masks[k][dead[k]]) for k in dead)

    fresh = networks.params_of(name, 1)
    graph = networks.CASES[name].graph
    recycled, _ = jit_recycle(graph, masks, params, fresh, opt_state, optimizer)
    outputs = networks.outputs_of(name)
    before, after = outputs(params, states), outputs(recycled, states)
    assert np.max(np.abs(after - before)) == 0.0


@every_network
def test_recycled_neurons_fire_again(name):
    current, opt_state, optimizer = trained(name)
    dead = networks.random_masks(name, np.random.default_rng(3), 0.5)
    params = with_dead_neurons(name, current, dead)
    graph = networks.CASES[name].graph
    # The first layer alone: those behind it read what was just silenced.
    first = graph.layers[0].name
    masks = {first: dead[first]}
    fresh = networks.params_of(name, 1)
    recycled, _ = jit_recycle(graph, masks, params, fresh, opt_state, optimizer)
    states = networks.CASES[name].states(8)
    activation = networks.activations_of(name)(recycled, states)[first]
    expected = networks.activations_of(name)(fresh, states)[first]
    assert np.any(expected[..., dead[first]] > 0)
    np.testing.assert_array_equal(
        activation[..., dead[first]], expected[..., dead[first]]
    )


def test_zero_wins_where_a_weight_is_both_incoming_and_outgoing():
    masks = {"Dense_0": np.arange(6) == 2, "Dense_1": np.arange(6) == 4}
    new_params, _ = recycle_case("mlp", masks)
    between = new_params["params"]["Dense_1"]["kernel"]
    fresh = networks.params_of("mlp", 1)["params"]["Dense_1"]["kernel"]
    assert between[2].tolist() == [0.0] * 6
    others = np.array([0, 1, 3, 4, 5])
    assert between[others, 4].tolist() == fresh[others, 4].tolist()


def test_both_heads_of_a_dueling_network_forget_the_neuron():
    params, _, _ = trained("dueling")
    masks = {"Dense_0": np.arange(5) == 3}
    new_params, _ = recycle_case("dueling", masks)
    for head in ("advantage", "value"):
        kernel = new_params["params"][head]["kernel"]
        zero_rows = np.flatnonzero(~np.any(kernel, axis=1))
        assert zero_rows.tolist() == [3]
        trees.assert_same_bits(
            new_params["params"][head]["bias"], params["params"][head]["bias"]
        )


def test_with_and_without_jit_agree_in_every_bit():
    masks = networks.random_masks("dueling", np.random.default_rng(1))
    trees.assert_same_bits(
        recycle_case("dueling", masks), recycle_case("dueling", masks, run=recycle)
    )


@pytest.mark.parametrize("optimizer_name", OPTIMIZERS)
def test_frozen_parameters_stay_frozen_and_change_like_plain_ones(optimizer_name):
    params, opt_state, optimizer = trained("nested", optimizer_name)
    masks = networks.random_masks("nested", np.random.default_rng(1))
    fresh = flax.core.freeze(networks.params_of("nested", 1))
    frozen = flax.core.freeze(params)

    def freeze(tree):
        is_params = lambda x: isinstance(x, dict)  # noqa: E731
        return jax.tree.map(
            lambda x: flax.core.freeze(x) if is_params(x) else x,
            tree,
            is_leaf=is_params,
        )

    graph = networks.CASES["nested"].graph
    found = recycle(graph, masks, frozen, fresh, freeze(opt_state), optimizer)
    assert isinstance(found[0], flax.core.FrozenDict)
    expected_params, expected_state = recycle_case("nested", masks, optimizer_name)
    trees.assert_same_bits(found[0], flax.core.freeze(expected_params))
    trees.assert_same_bits(found[1], freeze(expected_state))


def test_dtypes_are_kept():
    to_half = functools.partial(jax.tree.map, lambda x: x.astype(jnp.bfloat16))
    params, fresh = to_half(networks.params_of("mlp")), networks.params_of("mlp", 1)
    optimizer = optax.adam(1e-3, mu_dtype=jnp.float16)
    opt_state = optimizer.init(params)
    masks = networks.random_masks("mlp", np.random.default_rng(1))
    graph = networks.CASES["mlp"].graph
    found = recycle(graph, masks, params, to_half(fresh), opt_state, optimizer)
    dtypes = functools.partial(jax.tree.map, lambda x: x.dtype)
    assert dtypes(found) == dtypes((params, opt_state))


def test_the_same_fresh_parameters_give_the_same_result_and_others_do_not():
    masks = networks.random_masks("mlp", np.random.default_rng(1))
    first, again = recycle_case("mlp", masks), recycle_case("mlp", masks)
    trees.assert_same_bits(first, again)
    other, _ = recycle_case("mlp", masks, fresh_seed=2)
    kernel = other["params"]["Dense_0"]["kernel"]
    assert not trees.same_bits(kernel, first[0]["params"]["Dense_0"]["kernel"])


def test_one_trace_serves_all_masks_and_parameters():
    params, opt_state, optimizer = trained("dueling")
    graph = networks.CASES["dueling"].graph
    num_traces = 0

    @jax.jit
    def run(masks, params, fresh, opt_state):
        nonlocal num_traces
        num_traces += 1
        return recycle(graph, masks, params, fresh, opt_state, optimizer)

    rng = np.random.default_rng(0)
    for fraction in (0.0, 0.3, 1.0, 0.7):
        masks = networks.random_masks("dueling", rng, fraction)
        fresh = networks.params_of("dueling", 1)
        params, opt_state = run(masks, params, fresh, opt_state)
    assert num_traces == 1


def test_a_mask_of_an_unknown_layer_is_an_error_that_names_it():
    masks = {"Dense_0": np.ones(6, bool), "Dense_9": np.ones(6, bool)}
    message = (
        r"A mask must belong to a layer of the graph, but 'Dense_9' is none\. "
        r"Use names among \['Dense_0', 'Dense_1'\]\."
    )
    with pytest.raises(ValueError, match=message):
        recycle_case("mlp", masks, run=recycle)


def test_a_layer_without_a_mask_stays_as_it_is():
    masks = {"Dense_1": np.ones(6, bool)}
    all_masks = masks | {"Dense_0": np.zeros(6, bool)}
    trees.assert_same_bits(recycle_case("mlp", masks), recycle_case("mlp", all_masks))
    trees.assert_same_bits(recycle_case("mlp", {}), trained("mlp")[:2])


def test_a_layer_that_is_not_recyclable_stays_as_it_is():
    params, opt_state, optimizer = trained("mlp")
    first, second = networks.CASES["mlp"].graph.layers
    graph = NetworkGraph((first, second._replace(recyclable=False)))
    masks = {"Dense_0": np.arange(6) < 2, "Dense_1": np.ones(6, bool)}
    fresh = networks.params_of("mlp", 1)
    found = recycle(graph, masks, params, fresh, opt_state, optimizer)
    expected = recycle_case("mlp", {"Dense_0": masks["Dense_0"]})
    trees.assert_same_bits(found, expected)


def test_a_mask_that_does_not_fit_its_layer_is_an_error_that_names_it():
    for mask in (np.ones(1, bool), np.ones(7, bool), np.ones(6, np.float32)):
        message = rf"'Dense_0': the mask must be booleans \[6\], but is {mask.dtype}"
        with pytest.raises(ValueError, match=message):
            recycle_case("mlp", {"Dense_0": mask}, run=recycle)


def test_an_optimizer_with_factored_moments_is_refused_by_name():
    params = networks.params_of("mlp")
    optimizer = optax.adafactor(1e-3)
    with pytest.raises(
        ValueError, match=r"optax\.adafactor keeps one number for each row"
    ):
        recycle(
            networks.CASES["mlp"].graph,
            {"Dense_0": np.ones(6, bool)},
            params,
            params,
            optimizer.init(params),
            optimizer,
        )
