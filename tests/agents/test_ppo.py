"""PPO as an agent; its update is compared with Dopamine's in `test_ppo_loss`."""

import gin
import jax
import numpy as np
import pytest

from helpers import controllers
from helpers.agents import Recorder, assert_trees_equal, trees_differ
from helpers.controllers import LENGTH, Stream
from redo_dopamine.agents import ppo_loss
from redo_dopamine.agents.ppo import Rollout
from redo_dopamine.core import interventions
from redo_dopamine.core.graph import leaves_by_path

TRACKING = {"taus": (0.0, 0.1), "tracking_period": 2, "tracking_batch_size": 8}


@pytest.fixture(autouse=True)
def replay(clean_gin):
    # Dopamine's agent takes its rollouts out of a replay buffer.
    gin.bind_parameter("ReplayBuffer.max_capacity", LENGTH)
    gin.bind_parameter("ReplayBuffer.batch_size", LENGTH)


def test_it_acts_and_learns_as_dopamines_agent():
    # With one minibatch the order of minibatches, whose key Dopamine draws a step
    # later, makes no difference.
    stock, ours = (
        make(batch_size=LENGTH) for make in (controllers.stock_ppo, controllers.ppo)
    )
    assert_trees_equal(stock.network_params, ours.online_params)
    expected = Stream().drive(stock, LENGTH)
    found = Stream().drive(ours, LENGTH)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)

    before = jax.tree.map(np.array, ours.online_params)
    streams = Stream(1), Stream(1)
    for agent, stream in zip((stock, ours), streams, strict=True):
        # The states that the rollouts end with are the first of these.
        for _ in range(2):
            agent.step(0.5, stream.observation())
    assert ours.gradient_step == 3
    assert trees_differ(before, ours.online_params)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6),
        ours.online_params,
        stock.network_params,
    )


def test_weight_decay_is_not_part_of_the_gradient_that_is_clipped():
    gin.bind_parameter("create_optimizer.learning_rate", 1.0)
    agent = controllers.ppo(weight_decay=0.5, optimizer="sgd", max_gradient_norm=1.0)
    params = jax.tree.map(np.ones_like, agent.online_params)
    gradients = jax.tree.map(lambda x: np.full_like(x, 1e6), params)
    updates, _ = agent.optimizer.update(gradients, agent.optimizer_state, params)
    num_weights = sum(x.size for x in jax.tree.leaves(params))
    for update in jax.tree.leaves(updates):
        np.testing.assert_allclose(update, -(num_weights**-0.5) - 0.5, rtol=1e-5)


def test_a_rollout_is_learnt_from_once_it_is_full():
    agent, stream = controllers.ppo(), Stream()
    agent.set_collector_dispatcher(recorder := Recorder())
    stream.drive(agent, LENGTH)
    assert (agent.gradient_step, agent.training_steps) == (0, LENGTH)
    stream.drive(agent, 1)
    # Three epochs of two minibatches.
    assert (agent.gradient_step, agent.training_steps) == (6, LENGTH + 1)
    assert len(recorder.values("loss")) == 1
    stream.drive(agent, LENGTH)
    assert agent.gradient_step == 12


def test_a_cut_off_episode_keeps_the_state_it_was_cut_off_at():
    agent, stream = controllers.ppo(), Stream()
    agent.begin_episode(stream.observation())
    last, state = stream.observation(), agent.state.copy()
    agent.end_episode(2.0, terminal=False, observation=last)
    agent.begin_episode(stream.observation())
    agent.end_episode(3.0, terminal=True)
    rollout = agent._replay.transitions()
    np.testing.assert_allclose(rollout["state"][0], state, rtol=1e-6)
    np.testing.assert_allclose(rollout["next_state"][0, :, 0], last, rtol=1e-6)
    assert rollout["terminal"].tolist() == [False, True]
    assert rollout["episode_end"].tolist() == [True, True]
    assert rollout["reward"].tolist() == [2.0, 3.0]


def test_evaluation_neither_remembers_nor_learns():
    agent = controllers.ppo()
    agent.eval_mode = True
    Stream(episode_length=5).drive(agent, 2 * LENGTH)
    assert (agent._replay.add_count, agent.training_steps) == (0, 0)


def test_tracking_does_not_change_training():
    plain, tracked = controllers.ppo(), controllers.ppo(**TRACKING)
    tracked.set_collector_dispatcher(recorder := Recorder())
    found = [Stream().drive(agent, 3 * LENGTH) for agent in (plain, tracked)]
    np.testing.assert_array_equal(*found)
    assert_trees_equal(plain.online_params, tracked.online_params)
    for layer in ("policy/Dense_0", "policy/Dense_1", "value/Dense_0", "value/Dense_1"):
        assert len(recorder.values(f"dormant_fraction/0.1/{layer}")) == 6


def test_recycled_neurons_lose_their_outgoing_weights():
    redo = interventions.redo(tau=0.9, period=6, score_batch_size=8)
    agent, stream = controllers.ppo(intervention=redo), Stream()
    agent.set_collector_dispatcher(recorder := Recorder())
    stream.drive(agent, LENGTH + 1)
    [recycled] = recorder.values("recycled/value/Dense_1")
    head = leaves_by_path(agent.online_params)[
        ("params", "_critic", "Dense_2", "kernel")
    ]
    assert recycled > 0
    assert recycled == np.count_nonzero(~np.asarray(head).any(axis=1))


@pytest.mark.parametrize("num_steps", [LENGTH - 3, 2 * LENGTH + 5])
def test_a_restored_agent_goes_on_as_the_saved_one(num_steps, tmp_path):
    settings = {
        "intervention": interventions.redo(tau=0.5, period=5, score_batch_size=4),
        "order": ppo_loss.shuffled_minibatches,
        **TRACKING,
    }
    saved = controllers.ppo(**settings)
    Stream().drive(saved, num_steps)
    bundle = saved.bundle_and_checkpoint(str(tmp_path), 0)
    restored = controllers.ppo(**{**settings, "seed": 99})
    assert restored.unbundle(str(tmp_path), 0, bundle)
    assert restored.seed == 7

    recorders = Recorder(), Recorder()
    for agent, recorder in zip((saved, restored), recorders, strict=True):
        agent.set_collector_dispatcher(recorder)
    found = [Stream(3).drive(agent, 2 * LENGTH) for agent in (saved, restored)]
    np.testing.assert_array_equal(*found)
    assert_trees_equal(saved.state_tree(), restored.state_tree())
    assert str(recorders[0].rows) == str(recorders[1].rows) != "[]"


def test_nothing_is_not_a_checkpoint(tmp_path):
    assert not controllers.ppo().unbundle(str(tmp_path), 0, None)


def test_actions_stay_within_limits_where_there_are_any():
    steps = 200
    settings = {"update_period": 1000, "batch_size": 1000}
    bounded = Stream().drive(controllers.ppo(**settings), steps)
    infinite = np.full(2, -np.inf), np.full(2, np.inf)
    free = Stream().drive(controllers.ppo(infinite, **settings), steps)
    assert np.abs(bounded).max() < 1
    assert np.abs(free).max() > 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"update_period": 0}, "update_period must be a whole number"),
        ({"epsilons": 0.2}, "Did you mean epsilon"),
        ({"tracking_batch": 4}, "Did you mean tracking_batch_size"),
        ({"update_horizon": 3}, "update_horizon must be 1.*but is 3"),
        ({"allow_partial_reload": True}, "allow_partial_reload must be False"),
    ],
)
def test_a_wrong_setting_is_an_error(settings, message):
    with pytest.raises((ValueError, TypeError), match=message):
        controllers.ppo(**settings)


def test_a_full_rollout_takes_no_more():
    rollout = Rollout(1, (2,), (1,))
    transition = {
        "state": np.ones(2),
        "action": np.ones(1),
        "reward": 1.0,
        "next_state": np.ones(2),
        "terminal": False,
        "episode_end": False,
    }
    rollout.add(**transition)
    with pytest.raises(IndexError, match="holds 1 transitions"):
        rollout.add(**transition)
