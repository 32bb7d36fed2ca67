"""A term that is added to the loss of Q-values: churn reduction, and who takes it."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from helpers import agents
from helpers.agents import Stream, assert_trees_close, assert_trees_equal, trees_differ
from redo_dopamine.agents.loss_terms import AgentParts, churn_reduction, with_term
from redo_dopamine.core.interventions import redo
from redo_dopamine.plasticity.learner import mean_error

SETTINGS = {"warmup": 4, "window": 3, "batch_size": 5}
STATES = jnp.array([[1.0], [2.0]])


@pytest.fixture(autouse=True)
def bindings(clean_gin):
    agents.bind_replay()


def linear(params, states):
    """Q-values of two actions: the state times each weight."""
    return states * params["w"]


PARTS = AgentParts(linear, linear, 2, optax.sgd(0.1), jax.random.PRNGKey(0))


def after(term, weights, losses):
    """The inputs of one update more than there are losses, at these weights."""
    state, found = term.init({"w": jnp.array(weights[0])}), []
    for number, w in enumerate(weights):
        params = {"w": jnp.array(w)}
        state, inputs = term.before_update(params, state, STATES)
        found.append((params, inputs))
        if number < len(losses):
            state = term.after_update(state, jnp.float32(losses[number]))
    return state, found


def test_churn_is_the_squared_change_of_q_values_since_one_update_ago():
    term = churn_reduction(coefficient=10.0)(PARTS)
    _, found = after(term, [[1.0, 2.0], [1.5, 2.0], [1.5, 1.0]], [3.0, 3.0])
    # E over states 1, 2 and two actions: (.25 + 1) / 4, and (1 + 4) / 4.
    values = [float(term.loss(*x)) for x in found]
    np.testing.assert_allclose(values, [0.0, 10 * 0.3125, 10 * 1.25], rtol=1e-6)
    gradient = jax.grad(term.loss)(*found[1])["w"]
    # 10 * 2 * E s^2 * .5 of the weight that moved, which is one of two.
    np.testing.assert_allclose(gradient, [10 * 2 * 2.5 * 0.5 / 2, 0.0], rtol=1e-6)


def test_after_the_warmup_the_term_is_a_share_of_the_last_losses():
    term = churn_reduction(0.1, 10.0, warmup=3, window=2)(PARTS)
    # E s^2 is 2.5, and one weight of two moves, by .5, .5 and 1.
    weights = [[0.0, 0.0], [0.5, 0.0], [1.0, 0.0], [2.0, 0.0], [2.0, 0.0]]
    churns = [0.0, 0.3125, 0.3125, 1.25]
    own = [1.0, 2.0, -6.0, 1.0]
    factors = [10.0, 10.0, 10.0]
    factors.append(0.1 * (2 + 6) / 2 / ((0.3125 + 0.3125) / 2 + 1e-8))
    factors.append(0.1 * (6 + 1) / 2 / ((0.3125 + 1.25) / 2 + 1e-8))
    total = [x + f * c for x, f, c in zip(own, factors, churns, strict=False)]
    _, found = after(term, weights, total)
    np.testing.assert_allclose(
        [inputs["factor"] for _, inputs in found], factors, rtol=1e-5
    )


def test_the_first_update_is_not_among_those_that_churn_is_averaged_over():
    term = churn_reduction(0.1, warmup=2, window=9)(PARTS)
    _, found = after(
        term, [[0.0, 0.0], [0.5, 0.0], [0.5, 0.0]], [2.0, 4.0 + 50 * 0.3125]
    )
    expected = 0.1 * (2 + 4) / 2 / 0.3125
    assert float(found[2][1]["factor"]) == pytest.approx(expected)


def test_the_sum_of_a_loss_and_a_term_keeps_targets_and_errors():
    loss = mean_error(lambda *_: jnp.ones(2), lambda params, batch, y: y * params["w"])
    term = churn_reduction(coefficient=10.0)(PARTS)
    params, inputs = after(term, [[1.0, 2.0], [1.5, 2.0]], [3.0])[1][1]
    both = with_term(loss, term)
    assert float(both(params, params, {"term": inputs})) == 1.75 + 3.125
    assert (both.targets, both.errors) == (loss.targets, loss.errors)


def test_an_agent_with_a_term_goes_on_from_a_checkpoint_to_the_bit(tmp_path):
    settings = {
        "intervention": redo(tau=0.5, period=5, score_batch_size=4),
        "loss_term": churn_reduction(**SETTINGS),
    }
    saved = agents.recycled_agent(**settings)
    Stream().drive(saved, 60)
    bundle = saved.bundle_and_checkpoint(str(tmp_path), 0)
    restored = agents.recycled_agent(**{**settings, "seed": 99})
    assert restored.unbundle(str(tmp_path), 0, bundle)
    assert restored.gradient_step == int(restored._term.state.updates) > 4
    assert Stream(3).drive(saved, 40) == Stream(3).drive(restored, 40)
    assert_trees_equal(saved.online_params, restored.online_params)
    assert_trees_equal(saved._term.state, restored._term.state)
    assert trees_differ(saved._term.state.previous, saved.online_params)


def test_the_term_is_all_that_it_changes():
    def driven(**settings):
        agent = agents.recycled_agent(**settings)
        return agent, Stream().drive(agent, 60)

    none, actions = driven()
    still, same = driven(loss_term=churn_reduction(0.0, 0.0, **SETTINGS))
    assert actions == same
    assert_trees_close(none.online_params, still.online_params, rtol=1e-4, atol=1e-6)
    held, _ = driven(loss_term=churn_reduction(1.0, 50.0, **SETTINGS))
    assert trees_differ(still.online_params, held.online_params)


def test_full_rainbow_takes_a_term_beside_its_priorities():
    agents.bind_small()
    agent = agents.full_rainbow_agent(
        replay_scheme="prioritized", loss_term=churn_reduction(**SETTINGS)
    )
    Stream().drive(agent, 45)
    assert agent.gradient_step == int(agent._term.state.updates) > 4
    assert np.all(np.asarray(agent._term.state.churns) > 0)


def test_a_checkpoint_of_another_term_is_refused(tmp_path):
    term = churn_reduction(**SETTINGS)
    plain, with_it = agents.recycled_agent(), agents.recycled_agent(loss_term=term)
    for saved, other in ((plain, with_it), (with_it, plain)):
        bundle = saved.bundle_and_checkpoint(str(tmp_path), 0)
        with pytest.raises(ValueError, match="of an agent with the same loss_term"):
            other.unbundle(str(tmp_path), 0, bundle)


def test_begun_with_other_parameters_there_is_no_churn_yet():
    agent = agents.recycled_agent(loss_term=churn_reduction(**SETTINGS))
    other = jax.tree.map(lambda x: x + 1, agent.online_params)
    agent.start_from(other, other, None)
    assert_trees_equal(agent._term.state.previous, other)


@pytest.mark.parametrize("term", [churn_reduction, lambda parts: None])
def test_what_gives_no_term_is_an_error(term):
    with pytest.raises(ValueError, match="loss_term must be a function of an agent"):
        agents.recycled_agent(loss_term=term)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"relative_scale": -1.0}, "relative_scale must be a finite number >= 0"),
        ({"coefficient": float("inf")}, "coefficient must be .* but is inf"),
        ({"warmup": 1}, "warmup must be whole and in .2, .* but is 1"),
        ({"window": 0}, "window must be whole and in .1, .* but is 0"),
        ({"batch_size": 0.5}, "batch_size must be whole and in .1, .* but is 0.5"),
    ],
)
def test_a_setting_out_of_its_range_is_an_error(setting, message):
    with pytest.raises(ValueError, match=message):
        churn_reduction(**setting)
