"""What recycled neurons' incoming weights are."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helpers import networks, trees
from helpers.optimizers import OPTIMIZERS, after_updates
from redo_dopamine.core.graph import leaves_by_path
from redo_dopamine.core.interventions import as_drawn, live_norm, redo

OPTIMIZER, _ = OPTIMIZERS["adam"]


def columns(kernel):
    return np.linalg.norm(np.reshape(kernel, (-1, kernel.shape[-1])), axis=0)


@pytest.mark.parametrize("name", ["nature_width_0.25", "mlp", "impala", "sac", "drq"])
def test_live_norm_makes_columns_as_long_as_live_ones_and_keeps_their_direction(name):
    graph = networks.ALL_CASES[name].graph
    params, fresh = (networks.params_of(name, seed) for seed in (0, 1))
    params = jax.tree.map(lambda x: 3 * x, params)
    masks = networks.random_masks(name, np.random.default_rng(0))
    found = leaves_by_path(live_norm(graph, masks, params, fresh))
    before, now = leaves_by_path(fresh), leaves_by_path(params)
    kernels = {layer.kernel: layer for layer in graph.recyclable_layers}
    for path, leaf in found.items():
        layer = kernels.get(path)
        if layer is None:
            np.testing.assert_array_equal(leaf, before[path])
            continue
        live = ~np.asarray(masks[layer.name])
        assert live.any()
        mean = columns(now[path])[live].mean()
        np.testing.assert_allclose(columns(leaf), mean, rtol=1e-4)
        directions = before[path] / columns(before[path])
        np.testing.assert_allclose(leaf / mean, directions, atol=1e-5)


def test_where_no_neuron_is_live_and_where_nothing_is_drawn():
    graph = networks.CASES["mlp"].graph
    params, fresh = (networks.params_of("mlp", seed) for seed in (0, 1))
    every = {"Dense_0": jnp.ones(6, bool), "Dense_1": jnp.zeros(6, bool)}
    nothing = jax.tree.map(jnp.zeros_like, fresh)
    trees.assert_same_bits(live_norm(graph, every, params, nothing), nothing)
    found = leaves_by_path(live_norm(graph, every, params, fresh))
    path = graph.layers[0].kernel
    np.testing.assert_array_equal(found[path], leaves_by_path(fresh)[path])


def test_as_drawn_is_what_was_drawn():
    graph, params = networks.CASES["mlp"].graph, networks.params_of("mlp")
    assert as_drawn(graph, {}, params, params) is params


@pytest.mark.parametrize("incoming", [as_drawn, live_norm])
def test_redo_takes_it_and_the_output_stays_at_tau_zero(incoming):
    name = "minatar"
    case = networks.CASES[name]
    params, opt_state = after_updates(OPTIMIZER, networks.params_of(name))
    leaves = leaves_by_path(params)
    path = ("params", "Dense_0", "bias")
    silent = jnp.arange(leaves[path].size) < 5
    leaves[path] = jnp.where(silent, -1e3, leaves[path])
    leaves["params", "Dense_0", "kernel"] *= 3  # Weights that have grown.
    params = jax.tree.unflatten(jax.tree.structure(params), list(leaves.values()))
    intervention = redo(tau=0.0, period=10, incoming=incoming)(
        case.graph, networks.draw_params(name), OPTIMIZER
    )
    states = case.states(16)
    activations = networks.activations_of(name)(params, states)
    changed, _, _, found = intervention.apply(
        jax.random.PRNGKey(1), params, opt_state, (), activations, 10
    )
    assert found["recycled/Dense_0"] >= 5
    outputs = networks.outputs_of(name)
    assert jnp.max(jnp.abs(outputs(changed, states) - outputs(params, states))) == 0
    lengths = columns(leaves_by_path(changed)["params", "Dense_0", "kernel"])
    live = columns(leaves_by_path(params)["params", "Dense_0", "kernel"])[5:].mean()
    same = np.allclose(lengths[:5], live, rtol=0.05)
    assert same == (incoming is live_norm)
