"""SAC as an agent: Dopamine's updates, and what this package adds to them."""

from collections import namedtuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helpers import agents, controllers
from helpers.agents import Recorder, assert_trees_equal, trees_differ
from helpers.controllers import Stream
from redo_dopamine.agents import sac_loss
from redo_dopamine.core import interventions
from redo_dopamine.core.graph import leaves_by_path

TRACKING = {"taus": (0.0, 0.1), "tracking_period": 3, "tracking_batch_size": 8}
FAR_FROM_DEFAULTS = {"gamma": 0.8, "target_entropy": -3.0, "reward_scale_factor": 2.0}


@pytest.fixture(autouse=True)
def replay(clean_gin):
    agents.bind_replay()


# Equality with Dopamine's agent.


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"update_period": 2, "target_smoothing_coefficient": 0.1},
        {"target_update_type": "hard", "target_update_period": 8},
        FAR_FROM_DEFAULTS,
    ],
)
def test_without_intervention_it_is_dopamines_agent(settings):
    stock, ours = controllers.stock_sac(**settings), controllers.sac(**settings)
    assert_trees_equal(stock.network_params, ours.online_params)
    before = jax.tree.map(np.array, ours.online_params)
    expected, found = (Stream(0, 25).drive(x, 60) for x in (stock, ours))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert ours.gradient_step > 15
    assert trees_differ(before, ours.online_params)
    for theirs, own in (
        (stock.network_params, ours.online_params),
        (stock.target_params, ours.target_network_params),
        (stock.log_alpha, ours.log_alpha),
    ):
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6),
            own,
            theirs,
        )
    assert float(ours.log_alpha[0]) != 0


def test_evaluation_takes_the_mean_action_and_remembers_nothing():
    agent = controllers.sac()
    Stream(0, 25).drive(agent, 40)
    agent.eval_mode = True
    count, observation = agent._replay.add_count, np.ones(5)
    first, second = (agent.begin_episode(observation) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    agent.step(1.0, observation)
    assert (agent._replay.add_count, agent.training_steps) == (count, 40)


def test_an_evaluation_before_there_is_anything_to_learn_from_takes_the_mean_too():
    agent = controllers.sac()
    agent.eval_mode = True
    first, second = (agent.begin_episode(np.ones(5)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


# The loss, by hand.

Critic = namedtuple("Critic", ["q_value1", "q_value2"])
Actor = namedtuple("Actor", ["mean_action", "sampled_action", "log_probability"])
Output = namedtuple("Output", ["actor", "critic"])


class Network:
    """Of one parameter p: Q-values p a and 2 p a; the actions p (mean) and 3 p (drawn),
    whose log density is p too."""

    def actor(self):
        raise NotImplementedError

    def critic(self):
        raise NotImplementedError

    def apply(self, p, state, *arguments, method=None):
        del state
        if method == self.actor:
            return Actor(jnp.array([p]), jnp.array([3 * p]), p)
        if method == self.critic:
            [action] = arguments
            return Critic(p * action, 2 * p * action)
        actor = self.apply(p, None, method=self.actor)
        return Output(actor, self.apply(p, None, actor.mean_action, method=self.critic))


def batch(log_alpha):
    return {
        "state": jnp.zeros((2, 1)),
        "next_state": jnp.zeros((2, 1)),
        "action": jnp.array([[1.0], [2.0]]),
        "reward": jnp.array([0.5, -1.0]),
        "terminal": jnp.array([0.0, 1.0]),
        "key": jax.random.split(jax.random.PRNGKey(0), 2),
        "log_alpha": jnp.full(2, log_alpha),
    }


@pytest.mark.parametrize(
    ("next_value", "first_target"),
    [
        # The old network's mean action 2, at parameter 2: Q 4; its log density is 2.
        (sac_loss.value_of_mean_action, 3 * 0.5 + 0.9 * (4 - 2 * 2)),
        # The action 9 of the policy with parameter 3, whose old Q is 18; density 3.
        (sac_loss.value_of_drawn_action, 3 * 0.5 + 0.9 * (18 - 2 * 3)),
    ],
)
def test_the_loss_by_hand(next_value, first_target):
    loss = sac_loss.soft_actor_critic(
        Network(),
        cumulative_gamma=0.9,
        target_entropy=-4.0,
        reward_scale_factor=3.0,
        next_value=next_value,
    )
    log_alpha = float(np.log(2))
    y = np.array([first_target, -3.0])
    # p = 3: Q-values 3 a and 6 a; the drawn action is 9, its smaller Q-value 27.
    critic = np.mean((np.array([3.0, 6.0]) - y) ** 2 + (np.array([6.0, 12.0]) - y) ** 2)
    expected = 0.5 * critic + (2 * 3 - 27) + log_alpha * (-3 + 4)
    found = loss(3.0, 2.0, batch(log_alpha))
    assert float(found) == pytest.approx(expected, rel=1e-5)


# What this package adds.


def test_tracking_does_not_change_training():
    plain, tracked = controllers.sac(), controllers.sac(**TRACKING)
    tracked.set_collector_dispatcher(recorder := Recorder())
    found = [Stream(0, 25).drive(agent, 50) for agent in (plain, tracked)]
    np.testing.assert_array_equal(*found)
    assert_trees_equal(plain.online_params, tracked.online_params)
    for network in ("actor", "critic1", "critic2"):
        name = f"dormant_fraction/0.1/{network}/Dense_1"
        assert len(recorder.values(name)) == tracked.gradient_step // 3


def test_q_networks_are_observed_on_the_actions_that_they_learn_from():
    agent = controllers.sac(**TRACKING)
    tracking = agent._plasticity.tracking
    states, actions = np.ones((2, 5), np.float32), np.array([[-0.9, 0.9], [0.9, -0.9]])
    found = tracking.activations(
        agent.online_params, {"state": states, "action": actions.astype(np.float32)}
    )
    np.testing.assert_array_equal(*found["actor/Dense_1"])
    for critic in ("critic1", "critic2"):
        first, second = found[f"{critic}/Dense_0"]
        assert not np.array_equal(first, second)


def test_without_actions_q_networks_are_observed_on_the_policys_mean():
    agent = controllers.sac(**TRACKING)
    network, states = agent.network_def, np.ones((1, 5), np.float32)
    mean = network.apply(agent.online_params, states[0], method=network.actor)
    observe = agent._plasticity.tracking.activations
    alone = observe(agent.online_params, {"state": states})
    batch = {"state": states, "action": np.asarray(mean.mean_action)[None]}
    assert_trees_equal(alone, observe(agent.online_params, batch))


def test_recycled_neurons_lose_their_outgoing_weights():
    redo = interventions.redo(tau=0.9, period=6, score_batch_size=8)
    agent, stream = controllers.sac(intervention=redo), Stream(0, 25)
    agent.set_collector_dispatcher(recorder := Recorder())
    while agent.gradient_step < 6:
        stream.drive(agent, 1)
    for network, module in (("actor", "_actor"), ("critic2", "_critic2")):
        [recycled] = recorder.values(f"recycled/{network}/Dense_1")
        leaves = leaves_by_path(agent.online_params)
        head = np.asarray(leaves["params", module, "Dense_2", "kernel"])
        assert recycled > 0
        assert recycled == np.count_nonzero(~head.any(axis=1))


def test_gradient_scores_come_from_this_loss():
    regrama = interventions.regrama(tau=0.5, period=5, score_batch_size=8)
    agent = controllers.sac(intervention=regrama)
    agent.set_collector_dispatcher(recorder := Recorder())
    Stream(0, 25).drive(agent, 40)
    assert recorder.values("recycled/critic1/Dense_0")


@pytest.mark.parametrize("num_steps", [10, 45])
def test_a_restored_agent_goes_on_as_the_saved_one(num_steps, tmp_path):
    settings = {
        "intervention": interventions.redo(tau=0.5, period=5, score_batch_size=4),
        **TRACKING,
    }
    saved = controllers.sac(**settings)
    Stream(0, 25).drive(saved, num_steps)
    bundle = saved.bundle_and_checkpoint(str(tmp_path), 0)
    restored = controllers.sac(**{**settings, "seed": 99})
    assert restored.unbundle(str(tmp_path), 0, bundle)
    recorders = Recorder(), Recorder()
    for agent, recorder in zip((saved, restored), recorders, strict=True):
        agent.set_collector_dispatcher(recorder)
    found = [Stream(3, 25).drive(agent, 50) for agent in (saved, restored)]
    np.testing.assert_array_equal(*found)
    assert_trees_equal(saved.state_tree(), restored.state_tree())
    assert str(recorders[0].rows) == str(recorders[1].rows) != "[]"


def test_another_data_order_gives_other_batches(tmp_path):
    first, second = controllers.sac(), controllers.sac()
    second.change_data_order(1)
    for agent in (first, second):
        Stream(0, 25).drive(agent, 40)
    assert trees_differ(first.online_params, second.online_params)


def test_infinite_limits_are_an_error():
    infinite = np.full(2, -np.inf), np.full(2, np.inf)
    with pytest.raises(ValueError, match="SAC needs actions within finite limits"):
        controllers.sac(infinite)
