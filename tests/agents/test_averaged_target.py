"""Full Rainbow with an averaged target network that acts, on augmented states."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helpers import agents
from helpers.agents import Stream, assert_trees_close, assert_trees_equal
from redo_dopamine.agents.augmentation import shift_and_intensity
from redo_dopamine.agents.averaged_target import target_network
from redo_dopamine.core.interventions import redo, shrink_and_perturb


@pytest.fixture(autouse=True)
def bindings(clean_gin):
    agents.bind_small(
        **{"target_update_period": 1, "update_period": 2, "epsilon_decay_period": 1},
        **{"epsilon_train": 0.0, "epsilon_eval": 0.0},
    )


agent_of = functools.partial(agents.full_rainbow_agent, noisy=False)


def test_the_target_network_averages_after_every_update_and_acts():
    agent = agent_of(target_rate=0.25, acts_with=target_network, replay_ratio=1)
    targets = jax.tree.map(np.array, agent.target_network_params)
    of_agent, seen = agent._finish_update, []

    def finish(learner, loss):
        of_agent(learner, loss)
        seen.append(jax.tree.map(np.array, agent.online_params))

    agent._finish_update = finish
    Stream().drive(agent, 27)
    assert len(seen) == agent.gradient_step >= 4  # Two at a train step.
    for online in seen:
        targets = jax.tree.map(lambda x, y: 0.25 * y + 0.75 * x, targets, online)
    assert_trees_close(agent.target_network_params, targets, rtol=1e-5, atol=1e-7)
    # A target network that prefers an action whatever it sees.
    value = agent.target_network_params["params"]["Dense_1"]["bias"]
    favored = value.reshape(agents.NUM_ACTIONS, 5).at[2].set(jnp.arange(5) * 50.0)
    agent.target_network_params["params"]["Dense_1"]["bias"] = favored.reshape(-1)
    agent.eval_mode = True
    assert Stream(1).drive(agent, 5) == [2] * 5
    states = np.zeros((3, 20, 20, 2), np.uint8)
    assert agent.greedy_actions(states).tolist() == [2] * 3


def test_states_are_augmented_for_the_loss_alone():
    agent = agent_of(augment=shift_and_intensity)
    Stream().drive(agent, 19)
    drawn = agent._next_batch()
    batch = agent._prepare(drawn)
    for name, key in (("state", "augment_key"), ("next_state", "next_augment_key")):
        states = np.moveaxis(drawn[name], 1, -1)
        expected = shift_and_intensity(jnp.asarray(states), drawn[key])
        assert_trees_equal(batch[name], expected)
        assert np.mean(np.abs(np.asarray(batch[name]) - states)) > 1
    tracked = agent._draw_batch(3, np.random.default_rng(0))
    assert tracked["state"].dtype == np.uint8


def test_the_target_network_is_reset_to_a_draw_of_its_own():
    reset = shrink_and_perturb(0.0, 1.0, 3)
    agent = agent_of(
        target_rate=0.001, intervention=reset, target_intervention=reset, replay_ratio=1
    )
    before = agent.target_network_params["params"]["Conv_0"]["kernel"].copy()
    drawn, kernels = agent._change_target, []

    def change(key, params, step):
        kernels.append((int(step), params["params"]["Conv_0"]["kernel"].copy()))
        return drawn(key, params, step)

    agent._change_target = change
    Stream().drive(agent, 27)
    assert [step for step, _ in kernels] == [3, 6]
    assert agent.gradient_step in (6, 7, 8)
    np.testing.assert_allclose(kernels[0][1], before, atol=0.01)
    now = agent.target_network_params["params"]["Conv_0"]["kernel"]
    online = agent.online_params["params"]["Conv_0"]["kernel"]
    for other in (before, online):
        assert np.mean(np.abs(now - other)) > 0.01


def test_an_intervention_on_the_target_network_must_look_at_no_batch():
    with pytest.raises(ValueError, match="target_intervention must be one that looks"):
        agent_of(target_intervention=redo())


@pytest.mark.parametrize("rate", [0, 1.5, "fast"])
def test_a_rate_out_of_its_range_is_an_error(rate):
    with pytest.raises(ValueError, match=rf"target_rate must be in .* but is {rate}"):
        agent_of(target_rate=rate)


def test_an_augmentation_that_changes_shapes_is_an_error():
    with pytest.raises(ValueError, match=r"augment must be a function of \(states"):
        agent_of(augment=lambda states, key: states[:, :-1])
