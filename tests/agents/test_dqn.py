import jax
import numpy as np
import optax
import pytest
from dopamine.jax import networks as dopamine_networks

from helpers import agents
from helpers.agents import (
    Recorder,
    Stream,
    assert_trees_close,
    assert_trees_equal,
    trees_differ,
)
from redo_dopamine.agents import dqn_loss
from redo_dopamine.agents.dqn import RecycledDQNAgent
from redo_dopamine.agents.settings import updates_per_train_step
from redo_dopamine.core import interventions, jit
from redo_dopamine.networks.nature import NatureNetwork, QNetworkOutput

TRACKING = {"taus": (0.0, 0.1), "tracking_period": 3, "tracking_batch_size": 4}


@pytest.fixture(autouse=True)
def replay(clean_gin):
    agents.bind_replay()


# Equality with Dopamine's agent.


@pytest.fixture
def compiled_as_the_stock_agent_is(monkeypatch):
    monkeypatch.setattr(jit, "HAS_OLD_RUNTIME", False)


@pytest.mark.usefixtures("compiled_as_the_stock_agent_is")
@pytest.mark.parametrize("loss_type", ["huber", "mse"])
@pytest.mark.parametrize("update_horizon", [1, 3])
def test_without_intervention_it_is_the_stock_agent(loss_type, update_horizon):
    settings = {"loss_type": loss_type, "update_horizon": update_horizon}
    stock = agents.stock_agent(**settings)
    ours = agents.recycled_agent(**settings)
    assert_trees_equal(stock.online_params, ours.online_params)

    stock_actions = Stream().drive(stock, 120)
    our_actions = Stream().drive(ours, 120)

    assert our_actions == stock_actions
    assert ours.gradient_step > 20
    assert_trees_equal(ours.online_params, stock.online_params)
    assert_trees_equal(ours.target_network_params, stock.target_network_params)
    assert_trees_equal(ours.optimizer_state, stock.optimizer_state)


def test_the_two_runtimes_make_the_same_update(monkeypatch):
    updated = []
    for has_old_runtime in (True, False):
        monkeypatch.setattr(jit, "HAS_OLD_RUNTIME", has_old_runtime)
        agent = agents.recycled_agent()
        stream = Stream()
        while agent.gradient_step < 1:
            stream.drive(agent, 1)
        updated.append((agent.online_params, agent.optimizer_state))
    assert_trees_close(*updated, rtol=1e-4, atol=1e-7)


def test_tracking_does_not_change_training():
    plain, tracked = agents.recycled_agent(), agents.recycled_agent(**TRACKING)
    assert Stream().drive(plain, 100) == Stream().drive(tracked, 100)
    assert_trees_equal(plain.online_params, tracked.online_params)


def test_arms_are_the_same_until_the_first_recycle():
    period = 12
    redo = interventions.redo(tau=0.5, period=period, score_batch_size=4)
    baseline = agents.recycled_agent(**TRACKING)
    recycling = agents.recycled_agent(intervention=redo, **TRACKING)
    streams = Stream(), Stream()
    while recycling.gradient_step < period - 1:
        for agent, stream in zip((baseline, recycling), streams, strict=True):
            stream.drive(agent, 1)
    assert_trees_equal(baseline.online_params, recycling.online_params)

    while recycling.gradient_step < period:
        for agent, stream in zip((baseline, recycling), streams, strict=True):
            stream.drive(agent, 1)
    assert trees_differ(baseline.online_params, recycling.online_params)


# The update, by hand.


def q_values(params, state):
    return QNetworkOutput(state * params)


def test_td_loss_equals_a_hand_computed_value():
    batch = {
        "state": np.array([[1.0, 2.0], [3.0, 4.0]]),
        "next_state": np.array([[5.0, 6.0], [7.0, 8.0]]),
        "action": np.array([1, 0]),
        "reward": np.array([0.5, -1.0]),
        "terminal": np.array([False, True]),
    }
    loss = dqn_loss.q_learning(q_values, dqn_loss.LOSSES["mse"], cumulative_gamma=0.9)
    # Targets .5 + .9 * 6 * 3 = 16.7 and -1; predictions 2 * 2 and 3 * 2.
    expected = ((16.7 - 4.0) ** 2 + (-1.0 - 6.0) ** 2) / 2
    assert float(loss(2.0, 3.0, batch)) == pytest.approx(expected, rel=1e-6)


def test_no_gradient_flows_through_the_target():
    batch = {
        "state": np.zeros((1, 2)),
        "next_state": np.ones((1, 2)),
        "action": np.array([0]),
        "reward": np.array([1.0]),
        "terminal": np.array([False]),
    }
    loss = dqn_loss.q_learning(q_values, dqn_loss.LOSSES["mse"], cumulative_gamma=1.0)
    assert jax.grad(lambda p: loss(p, p, batch))(2.0) == 0.0


def test_weight_decay_is_added_to_the_gradient():
    agent = agents.recycled_agent(weight_decay=0.5)
    grads = jax.tree.map(np.zeros_like, agent.online_params)
    updates, _ = agent.optimizer.update(
        grads, agent.optimizer_state, agent.online_params
    )
    adam = optax.adam(6.25e-5, eps=1.5e-4)
    decayed = jax.tree.map(lambda p: 0.5 * p, agent.online_params)
    expected, _ = adam.update(decayed, adam.init(agent.online_params))
    assert_trees_equal(updates, expected)


def test_links_stand_on_their_side_of_the_optimizer():
    agent = agents.recycled_agent(
        weight_decay=0.5,
        before_optimizer=[optax.scale(2.0)],
        after_optimizer=[optax.scale(3.0)],
    )
    grads = jax.tree.map(np.zeros_like, agent.online_params)
    updates, _ = agent.optimizer.update(
        grads, agent.optimizer_state, agent.online_params
    )
    adam = optax.adam(6.25e-5, eps=1.5e-4)
    decayed = jax.tree.map(lambda p: 2 * (0.5 * p), agent.online_params)
    expected, _ = adam.update(decayed, adam.init(agent.online_params))
    assert_trees_equal(updates, jax.tree.map(lambda u: 3 * u, expected))


# Clocks.


@pytest.mark.parametrize(
    ("replay_ratio", "update_period", "expected"),
    [(0.25, 4, 1), (0.5, 4, 2), (1, 4, 4), (2, 4, 8), (8, 1, 8)],
)
def test_updates_per_train_step(replay_ratio, update_period, expected):
    assert updates_per_train_step(replay_ratio, update_period) == expected


@pytest.mark.parametrize("replay_ratio", [0.3, 0.1, 0.0, -1, 1.1, float("nan")])
def test_a_replay_ratio_must_be_a_whole_number_of_updates(replay_ratio):
    with pytest.raises(ValueError, match=r"whole number.*0\.25, 0\.5, 0\.75, 1, ..."):
        updates_per_train_step(replay_ratio, 4)


@pytest.mark.parametrize("replay_ratio", [0.25, 1])
def test_gradient_steps_follow_the_replay_ratio(replay_ratio):
    agent = agents.recycled_agent(replay_ratio=replay_ratio)
    stream = Stream()
    stream.drive(agent, 100)
    first = agent.gradient_step
    stream.drive(agent, 40)
    assert agent.gradient_step - first == 40 * replay_ratio


def test_the_target_network_follows_agent_steps():
    agent = agents.recycled_agent(target_update_period=16, replay_ratio=1)
    stream = Stream()
    stream.drive(agent, 48)  # Training steps 0 to 47; 48 synchronizes.
    assert trees_differ(agent.online_params, agent.target_network_params)
    before = agent.online_params["params"]["Dense_1"]["bias"].copy()
    stream.drive(agent, 1)
    target = agent.target_network_params["params"]["Dense_1"]["bias"]
    assert not np.array_equal(before, target)
    assert_trees_equal(agent.online_params, agent.target_network_params)


# Metrics.


def test_metrics_come_at_their_periods():
    redo = interventions.redo(tau=0.1, period=5, score_batch_size=4)
    agent = agents.recycled_agent(
        intervention=redo, summary_writing_frequency=8, **TRACKING
    )
    recorder = Recorder()
    agent.set_collector_dispatcher(recorder)
    Stream().drive(agent, 120)
    steps = agent.gradient_step
    recycles = steps // 5
    both = steps // 15
    assert len(recorder.values("dormant_fraction/0.1")) == steps // 3 + recycles - both
    assert len(recorder.values("dormant_fraction_after/0.1")) == recycles
    assert len(recorder.values("overlap/0.0/Conv_2")) == steps // 3
    for layer in ("Conv_0", "Conv_1", "Conv_2", "Dense_0"):
        assert len(recorder.values(f"recycled/{layer}")) == recycles
    assert not recorder.values("recycled/Dense_1")
    dqn_loss = recorder.values("loss")
    assert len(dqn_loss) == len([x for x in range(24, 120) if x % 8 == 0])
    assert np.all(np.isfinite(dqn_loss))
    assert agent.dormant_fraction == recorder.values("dormant_fraction/0.1")[-1]


def test_recycled_neurons_are_those_that_were_dormant():
    redo = interventions.redo(tau=0.5, period=6, score_batch_size=64)
    agent = agents.recycled_agent(
        intervention=redo, taus=(0.5,), tracking_period=6, tracking_batch_size=64
    )
    recorder = Recorder()
    agent.set_collector_dispatcher(recorder)
    Stream().drive(agent, 60)
    # Other states of the same replay buffer: nearly the same neurons.
    dormant = recorder.values("dormant_fraction/0.5/Dense_0")[0] * 512
    recycled = recorder.values("recycled/Dense_0")[0]
    assert recycled > 0
    assert abs(dormant - recycled) < 0.2 * recycled


# Checkpoints.


def test_a_restored_agent_goes_on_as_the_saved_one(tmp_path):
    settings = {
        "intervention": interventions.redo(tau=0.5, period=5, score_batch_size=4),
        **TRACKING,
    }
    saved = agents.recycled_agent(**settings)
    Stream().drive(saved, 80)
    bundle = saved.bundle_and_checkpoint(str(tmp_path), 0)

    restored = agents.recycled_agent(**{**settings, "seed": 99})
    assert restored.unbundle(str(tmp_path), 0, bundle)
    assert restored.gradient_step == saved.gradient_step > 0
    assert restored.seed == 7

    recorders = Recorder(), Recorder()
    for agent, recorder in zip((saved, restored), recorders, strict=True):
        agent.set_collector_dispatcher(recorder)
    assert Stream(3).drive(saved, 60) == Stream(3).drive(restored, 60)
    assert_trees_equal(saved.online_params, restored.online_params)
    assert_trees_equal(saved.optimizer_state, restored.optimizer_state)
    assert str(recorders[0].rows) == str(recorders[1].rows) != "[]"


def test_a_checkpoint_without_its_replay_buffer_is_not_taken(tmp_path):
    agent = agents.recycled_agent()
    bundle = agent.bundle_and_checkpoint(str(tmp_path / "saved"), 0)
    assert agent.unbundle(str(tmp_path / "saved"), 0, bundle)
    assert not agent.unbundle(str(tmp_path / "none"), 0, bundle)
    assert not agent.unbundle(str(tmp_path / "saved"), 0, None)


def test_a_checkpoint_of_other_thresholds_is_refused(tmp_path):
    saved = agents.recycled_agent(**TRACKING)
    Stream().drive(saved, 30)
    bundle = saved.bundle_and_checkpoint(str(tmp_path), 0)
    other = agents.recycled_agent(**{**TRACKING, "taus": (0.1,)})
    with pytest.raises(ValueError, match="of this network, intervention and taus"):
        other.unbundle(str(tmp_path), 0, bundle)


# Networks and settings.


def test_dopamines_own_network_is_replaced_by_its_equal():
    agent = agents.recycled_agent(network=dopamine_networks.NatureDQNNetwork)
    assert isinstance(agent.network_def, NatureNetwork)
    assert agent.network_def.width == 1


def test_preprocessing_is_applied_once():
    scaled = agents.recycled_agent(preprocess_fn=lambda x: x.astype(np.float32) / 255)
    plain = agents.recycled_agent()
    assert Stream().drive(scaled, 60) == Stream().drive(plain, 60)
    close = {"rtol": 1e-4, "atol": 1e-6}
    assert_trees_close(scaled.online_params, plain.online_params, **close)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss_type": "l1"}, r"one of \['huber', 'mse'\], but is 'l1'"),
        (
            {"weight_decay": -1e-5},
            "strength must be .* >= 0, but is -1e-05",
        ),
        (
            {"taus": (-0.1,)},
            r"taus must be .* finite thresholds >= 0, but is \(-0.1,\)",
        ),
        ({**TRACKING, "tracking_period": 0}, "period must be a whole number"),
        ({**TRACKING, "tracking_batch_size": 0}, "tracking_batch_size must be"),
    ],
)
def test_settings_out_of_range_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        agents.recycled_agent(**settings)


def test_an_unknown_setting_is_named_with_its_neighbor():
    with pytest.raises(TypeError, match=r"'replay_ration'.*Did you mean replay_ratio"):
        RecycledDQNAgent(3, replay_ration=1)


# Double DQN.


def test_double_dqn_values_the_online_networks_choice():
    """Online Q-values [1, 2, 0] choose action 1, which the target network gives 5."""
    batch = {
        "state": np.zeros((1, 1)),
        "next_state": np.zeros((1, 1)),
        "action": np.array([0]),
        "reward": np.array([1.0]),
        "terminal": np.array([0.0]),
    }

    def apply(params, state):
        return QNetworkOutput(params)

    online, target = np.array([1.0, 2.0, 0.0]), np.array([9.0, 5.0, 7.0])
    found = [
        float(dqn_loss.bootstrapped(apply, 0.5, bootstrap)(online, target, batch)[0])
        for bootstrap in (
            dqn_loss.largest_target_value,
            dqn_loss.target_value_of_online_choice,
        )
    ]
    assert found == [1 + 0.5 * 9, 1 + 0.5 * 5]


def test_the_agent_takes_its_bootstrap_from_the_setting():
    plain = agents.recycled_agent()
    double = agents.recycled_agent(bootstrap=dqn_loss.target_value_of_online_choice)
    again = agents.recycled_agent(bootstrap=dqn_loss.largest_target_value)
    for agent in (plain, double, again):
        Stream().drive(agent, 120)
    assert_trees_equal(plain.online_params, again.online_params)
    assert trees_differ(plain.online_params, double.online_params)


def test_a_bootstrap_that_is_no_function_is_refused():
    with pytest.raises(ValueError, match="bootstrap must be a function, but is 'dd'"):
        agents.recycled_agent(bootstrap="dd")
