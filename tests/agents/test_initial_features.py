"""Initial feature regularization, by hand on a linear network, and in agents."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from helpers import agents
from helpers.agents import Stream, assert_trees_equal, trees_differ
from redo_dopamine.agents.initial_features import (
    Heads,
    initial_feature_regularization,
)
from redo_dopamine.agents.loss_terms import AgentParts, churn_reduction
from redo_dopamine.core.interventions import hare_and_tortoise

SETTINGS = {"num_heads": 3, "batch_size": 5}
STATES = jnp.array([[1.0], [2.0]])
FIRST = {"w": jnp.array([1.0, 2.0])}
HEADS = Heads(jnp.array([[1.0, 0.0], [0.0, 1.0]]), jnp.array([0.0, 1.0]))


@pytest.fixture(autouse=True)
def bindings(clean_gin):
    agents.bind_replay()


def linear(params, states):
    """Two features: the state times each weight."""
    return states * params["w"]


def begun(optimizer, **settings):
    """A term of the linear network, and its state with these heads."""
    parts = AgentParts(linear, linear, 2, optimizer, jax.random.PRNGKey(0))
    term = initial_feature_regularization(2, **settings)(parts)
    state = term.init(FIRST)
    assert (state.heads.kernel.shape, state.heads.bias.shape) == ((2, 2), (2,))
    return term, state._replace(first_heads=HEADS, heads=HEADS)


def test_heads_are_drawn_towards_a_multiple_of_what_they_said_at_first():
    term, state = begun(optax.sgd(0.1), scale=3.0, coefficient=0.5)
    params = {"w": jnp.array([2.0, 2.0])}
    after, inputs = term.before_update(params, state, STATES)
    # At first heads said (1, 3) and (2, 5), and say (2, 3) and (4, 5) now.
    np.testing.assert_allclose(inputs["aims"], [[3, 9], [6, 15]])
    # Errors are (-1, -6) and (-2, -10): 141 over four, halved.
    assert float(term.loss(params, inputs)) == 17.625
    # A quarter of -1 - 2 * 2, and of -6 - 2 * 10.
    gradient = jax.grad(term.loss)(params, inputs)["w"]
    np.testing.assert_allclose(gradient, [-1.25, -6.5])
    # A quarter of 2 * -1 + 4 * -2 and of 2 * -6 + 4 * -10, times 0.1; likewise biases.
    kernel = [[1 + 0.25, 1.3], [0.25, 1 + 1.3]]
    np.testing.assert_allclose(after.heads.kernel, kernel, rtol=1e-6)
    np.testing.assert_allclose(after.heads.bias, [0.075, 1.4], rtol=1e-6)
    # This update has the heads from before, the next one these, and the same aims.
    assert_trees_equal(inputs["heads"], HEADS)
    assert term.after_update(after, jnp.float32(1.0)) is after
    _, following = term.before_update(params, after, STATES)
    assert_trees_equal(following["heads"], after.heads)
    np.testing.assert_array_equal(following["aims"], inputs["aims"])


def test_heads_learn_as_if_they_were_a_part_of_the_network():
    adam = optax.adam(0.1)
    term, state = begun(adam, scale=3.0)
    params, opt_state = FIRST, adam.init(FIRST)
    both = {"params": FIRST, "heads": HEADS}
    joint_state = adam.init(both)
    for _ in range(3):
        state, inputs = term.before_update(params, state, STATES)

        def joint(x, inputs=inputs):
            return term.loss(x["params"], {**inputs, "heads": x["heads"]})

        updates, opt_state = adam.update(jax.grad(term.loss)(params, inputs), opt_state)
        params = optax.apply_updates(params, updates)
        updates, joint_state = adam.update(jax.grad(joint)(both), joint_state)
        both = optax.apply_updates(both, updates)
    np.testing.assert_allclose(params["w"], both["params"]["w"], rtol=1e-6)
    np.testing.assert_allclose(state.heads.kernel, both["heads"].kernel, rtol=1e-6)
    assert trees_differ(state.heads, HEADS)


def test_heads_are_drawn_from_the_agents_seed_within_their_limit():
    def heads(seed):
        key = jax.random.PRNGKey(seed)
        parts = AgentParts(linear, linear, 400, optax.sgd(0.1), key)
        return initial_feature_regularization()(parts).init(FIRST)

    one, other = heads(1), heads(2)
    assert_trees_equal(one.heads, one.first_heads)
    assert trees_differ(one.heads, other.heads)
    assert 0.045 < np.abs(one.heads.kernel).max() <= 0.05
    assert np.abs(one.heads.bias).max() <= 0.05


def test_of_a_network_whose_features_are_not_known_it_is_refused():
    parts = AgentParts(linear, linear, 0, optax.sgd(0.1), jax.random.PRNGKey(0))
    with pytest.raises(ValueError, match="of this network it is not known what its"):
        initial_feature_regularization()(parts)


def test_an_agent_goes_on_from_a_checkpoint_to_the_bit(tmp_path):
    settings = {
        "intervention": hare_and_tortoise(0.9, period=5),
        "loss_term": initial_feature_regularization(**SETTINGS),
    }
    saved = agents.recycled_agent(**settings)
    first = jax.tree.map(np.array, saved._term.state)
    assert_trees_equal(first.params, saved.online_params)
    assert first.heads.kernel.shape == (512, 3)
    Stream().drive(saved, 60)
    bundle = saved.bundle_and_checkpoint(str(tmp_path), 0)
    restored = agents.recycled_agent(**{**settings, "seed": 99})
    assert restored.unbundle(str(tmp_path), 0, bundle)
    assert restored.gradient_step > 5
    assert Stream(3).drive(saved, 40) == Stream(3).drive(restored, 40)
    assert_trees_equal(saved.online_params, restored.online_params)
    assert_trees_equal(saved._term.state, restored._term.state)
    assert_trees_equal(saved._plasticity.state, restored._plasticity.state)
    assert_trees_equal(saved._term.state.params, first.params)
    assert_trees_equal(saved._term.state.first_heads, first.first_heads)
    assert trees_differ(saved._term.state.heads, first.heads)
    other = agents.recycled_agent(loss_term=churn_reduction())
    with pytest.raises(ValueError, match="of an agent with the same loss_term"):
        other.unbundle(str(tmp_path), 0, bundle)


def test_its_features_are_what_the_output_heads_read():
    agents.bind_small()
    term = initial_feature_regularization(**SETTINGS)
    agent = agents.full_rainbow_agent(loss_term=term)
    states = jnp.ones((2, 20, 20, 2))
    found = agent._parts().features(agent.online_params, states)
    seen = agent._plasticity.tracking.subject.activations(agent.online_params, states)
    np.testing.assert_array_equal(found, seen["NoisyNetwork_0"])
    Stream().drive(agent, 45)
    assert trees_differ(agent._term.state.heads, agent._term.state.first_heads)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"num_heads": 0}, "num_heads must be whole and in .1, .* but is 0"),
        ({"scale": 0.0}, "scale must be a finite number > 0, but is 0.0"),
        ({"coefficient": -1.0}, "coefficient must be a finite number >= 0"),
        ({"batch_size": 0.5}, "batch_size must be whole and in .1, .* but is 0.5"),
    ],
)
def test_a_setting_out_of_its_range_is_an_error(setting, message):
    with pytest.raises(ValueError, match=message):
        initial_feature_regularization(**setting)
