"""What every intervention must pass, on several networks and optimizers."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from helpers import networks, trees
from helpers.interventions import (
    ALL_OPTIMIZERS,
    INTERVENTIONS,
    NETWORKS,
    STEPS_IN,
    STEPS_OUT,
    make,
    subject,
)

pytestmark = pytest.mark.slow


every_intervention = pytest.mark.parametrize("name", INTERVENTIONS)
every_network = pytest.mark.parametrize("network", NETWORKS)
DOES_NOTHING = {"none", "normalize_and_project"}


def dtypes(tree):
    return jax.tree.map(lambda x: (jnp.shape(x), jnp.asarray(x).dtype), tree)


def assert_close(first, second):
    """Equal but for an ulp, which compilation with other neighbors may cost."""
    assert jax.tree.structure(first) == jax.tree.structure(second)
    for one, other in zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


@every_network
@every_intervention
def test_outside_its_window_it_returns_what_it_was_given_bit_for_bit(name, network):
    case = subject(name, network)
    for step in STEPS_OUT:
        assert not case.intervention.schedule(step)
        found = case.at(jnp.int32(step))[:3]
        trees.assert_same_bits(found, (case.params, case.opt_state, case.state))


@every_network
@every_intervention
def test_inside_its_window_it_acts(name, network):
    case = subject(name, network)
    for step in STEPS_IN:
        acts = name not in DOES_NOTHING
        assert bool(case.intervention.schedule(step)) == acts
        found = case.at(jnp.int32(step))[:2]
        kept = [
            trees.same_bits(one, other)
            for one, other in zip(
                jax.tree.leaves(found),
                jax.tree.leaves((case.params, case.opt_state)),
                strict=True,
            )
        ]
        assert all(kept) != acts


@every_network
@every_intervention
def test_structure_shapes_and_dtypes_are_kept(name, network):
    case = subject(name, network)
    found = case.at(jnp.int32(20))[:3]
    assert dtypes(found) == dtypes((case.params, case.opt_state, case.state))


@every_network
@every_intervention
def test_it_is_deterministic_in_the_key(name, network):
    case = subject(name, network)
    trees.assert_same_bits(case.at(jnp.int32(20)), case.at(jnp.int32(20)))


@pytest.mark.parametrize("network", ["mlp_without_bias", "dueling"])
@every_intervention
def test_with_and_without_jit_agree(name, network):
    case = subject(name, network)
    for step in (20, 21):
        plain = case.at(step, apply=case.intervention.apply)
        assert_close(plain, case.at(jnp.int32(step)))


@every_network
@every_intervention
def test_it_is_traced_once_for_all_steps_and_keys(name, network):
    case = subject(name, network)
    for step in (0, 20, 21, 30):
        case.at(jnp.int32(step), jax.random.PRNGKey(step))
    assert len(case.traces) == 1


@every_network
@every_intervention
def test_what_it_leaves_alone_is_bit_identical(name, network):
    case, entry = subject(name, network), INTERVENTIONS[name]
    paths = entry.may_touch(networks.ALL_CASES[network].graph)
    params, opt_state, _, _ = case.at(jnp.int32(20))
    before, after = trees.by_path(case.params), trees.by_path(params)
    left = [path for path in before if paths is not None and path not in paths]
    assert all(trees.same_bits(before[path], after[path]) for path in left)

    moments, counters = trees.split_opt_state(case.opt_state, case.params)
    new_moments, new_counters = trees.split_opt_state(opt_state, case.params)
    if not entry.counts:
        trees.assert_same_bits(counters, new_counters)
    for place, (path, moment) in moments.items():
        if path in left or not entry.moments:
            assert trees.same_bits(moment, new_moments[place][1]), place


@pytest.mark.parametrize("optimizer_name", ALL_OPTIMIZERS)
@every_intervention
def test_it_combines_with_every_optimizer(name, optimizer_name):
    case = subject(name, "nested", optimizer_name)
    params, opt_state, state, _ = case.at(jnp.int32(20))
    found = params, opt_state, state
    assert dtypes(found) == dtypes((case.params, case.opt_state, case.state))
    # Step counts, and the initial weights that l2_to_init keeps.
    _, counters = trees.split_opt_state(case.opt_state, case.params)
    _, new_counters = trees.split_opt_state(opt_state, case.params)
    if not INTERVENTIONS[name].counts:
        trees.assert_same_bits(counters, new_counters)
    optimizer, _ = ALL_OPTIMIZERS[optimizer_name]
    updates, _ = optimizer.update(params, opt_state, params)
    changed = optax.apply_updates(params, updates)
    assert all(np.all(np.isfinite(x)) for x in jax.tree.leaves(changed))


@every_intervention
def test_a_stream_is_left_alone_though_all_of_it_is_dormant(name):
    case = subject(name, "impala_crelu")
    silent = jax.tree.map(jnp.zeros_like, case.activations)
    case = case._replace(activations=silent)
    params = trees.by_path(case.at(jnp.int32(20))[0])
    graph = networks.ALL_CASES["impala_crelu"].graph
    paths = INTERVENTIONS[name].may_touch(graph)
    if paths is not None:
        stream = ("params", "Stack_0", "Conv_0", "bias")
        assert trees.same_bits(params[stream], trees.by_path(case.params)[stream])


@pytest.mark.parametrize("name", ["layer_reset", "shrink_and_perturb", "none"])
def test_those_that_score_nothing_ask_for_no_batch(name):
    case = make(INTERVENTIONS[name].factory, "nested")
    assert case.intervention.observe(None) == {}
