import copy
import functools

import gin
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dopamine.jax import networks as dopamine_networks
from dopamine.jax.agents.full_rainbow import full_rainbow_agent

from helpers import agents
from helpers.agents import Recorder, Stream, assert_trees_close, assert_trees_equal
from redo_dopamine.agents.dqn import RecycledDQNAgent
from redo_dopamine.agents.drq_eps import RecycledDrQEpsAgent
from redo_dopamine.agents.full_rainbow import RecycledFullRainbowAgent
from redo_dopamine.core import interventions
from redo_dopamine.networks.rainbow import RainbowNetwork

SETTINGS = """
Atari100kRainbowAgent.data_augmentation = True
JaxFullRainbowAgent.noisy = False
JaxFullRainbowAgent.distributional = False
JaxFullRainbowAgent.num_atoms = 1
JaxFullRainbowAgent.replay_scheme = 'uniform'
"""
SMALL = functools.partial(RainbowNetwork, width=0.125)


@pytest.fixture(autouse=True)
def settings(clean_gin):
    agents.bind_small(update_horizon=3, update_period=1, summary_writing_frequency=8)
    gin.parse_config(SETTINGS)


def agent_of(**settings):
    return RecycledDrQEpsAgent(
        agents.NUM_ACTIONS, **{"network": SMALL, "seed": 7, "taus": (), **settings}
    )


@pytest.mark.parametrize("double_dqn", [True, False])
@pytest.mark.parametrize("mse_loss", [True, False])
def test_the_update_is_dopamines_on_the_same_batch_and_key(double_dqn, mse_loss):
    gin.bind_parameter("JaxFullRainbowAgent.double_dqn", double_dqn)
    agent = agent_of(mse_loss=mse_loss)
    stream = Stream()
    stream.drive(agent, 30)  # So that online and target parameters differ.

    params, target, opt_state = jax.tree.map(
        jnp.copy,
        (agent.online_params, agent.target_network_params, agent.optimizer_state),
    )
    elements = agent._replay.sample(8, rng=copy.deepcopy(agent._replay._rng))
    rng, key, next_key = jax.random.split(agent._rng, num=3)
    opt_state, params, _, loss, rng = full_rainbow_agent.train(
        agent.network_def,
        params,
        target,
        agent.optimizer,
        opt_state,
        agent.train_preprocess_fn(np.array(elements.state), rng=key),
        elements.action,
        agent.train_preprocess_fn(np.array(elements.next_state), rng=next_key),
        elements.reward,
        elements.is_terminal,
        jnp.ones(8),
        agent._support,
        agent.cumulative_gamma,
        double_dqn,
        False,
        mse_loss,
        rng,
    )
    np.testing.assert_allclose(agent._gradient_update(), loss, rtol=1e-5)
    np.testing.assert_array_equal(agent._rng, rng)
    updated = agent.online_params, agent.optimizer_state
    assert_trees_close(updated, (params, opt_state), rtol=2e-5, atol=1e-7)


def test_transitions_are_stored_as_dqn_stores_them():
    agent = agent_of()
    Stream().drive(agent, 60)
    batch = agent._replay.sample(5)
    assert batch.state.shape == (5, 20, 20, 2)
    assert batch.action.shape == batch.reward.shape == batch.is_terminal.shape == (5,)


def test_neurons_are_scored_on_states_without_augmentation():
    agent = agent_of()
    Stream().drive(agent, 40)
    drawn = agent._draw_batch(6, np.random.default_rng(3))
    again = agent._draw_batch(6, np.random.default_rng(3))
    np.testing.assert_array_equal(drawn["state"], again["state"])
    gray = np.asarray(drawn["state"]) * 255
    np.testing.assert_allclose(gray, np.round(gray), atol=1e-3)  # Bytes over 255.
    augmented = np.asarray(agent._prepare(agent._next_batch())["state"]) * 255
    assert np.abs(augmented - np.round(augmented)).max() > 0.1


def test_the_dense_layer_is_recycled_into_both_heads():
    redo = interventions.redo(tau=0.9, period=5, score_batch_size=8)
    agent = agent_of(
        intervention=redo, taus=(0.9,), tracking_period=5, tracking_batch_size=8
    )
    recorder = Recorder()
    agent.set_collector_dispatcher(recorder)
    stream = Stream()
    while agent.gradient_step < 5:
        stream.drive(agent, 1)
    recycled = recorder.values("recycled/Dense_0")[0]
    assert recycled > 0
    silent = [
        np.all(np.asarray(agent.online_params["params"][head]["kernel"]) == 0, axis=1)
        for head in ("Dense_1", "Dense_2")
    ]
    np.testing.assert_array_equal(silent[0], silent[1])
    assert silent[0].sum() == recycled
    names = {name for _, name, _ in recorder.rows}
    assert not {name for name in names if "Dense_1" in name or "Dense_2" in name}


@pytest.mark.parametrize("replay_ratio", [1, 2, 4])
def test_gradient_steps_follow_the_replay_ratio(replay_ratio):
    agent = agent_of(replay_ratio=replay_ratio)
    stream = Stream()
    stream.drive(agent, 50)
    first = agent.gradient_step
    stream.drive(agent, 20)
    assert agent.gradient_step - first == 20 * replay_ratio


def test_dopamines_own_network_is_replaced_by_its_equal():
    agent = agent_of(network=dopamine_networks.FullRainbowNetwork)
    assert isinstance(agent.network_def, RainbowNetwork)
    assert (agent.network_def.width, agent.network_def.num_atoms) == (1, 1)
    assert agent.network_def.dueling


def test_greedy_actions_are_those_of_the_largest_value():
    agent = agent_of()
    Stream().drive(agent, 40)
    states = np.random.default_rng(0).integers(0, 256, (6, 20, 20, 2), dtype=np.uint8)
    values = [
        agent.network_def.apply(
            agent.online_params,
            state.astype(np.float32) / 255,
            support=agent._support,
        ).q_values
        for state in states
    ]
    expected = np.argmax(np.stack(values), axis=1)
    np.testing.assert_array_equal(agent.greedy_actions(states), expected)


def test_a_restored_agent_goes_on_as_the_saved_one(tmp_path):
    redo = interventions.redo(tau=0.5, period=5, score_batch_size=4)
    settings = {"intervention": redo, "taus": (0.1,), "tracking_period": 3}
    saved = agent_of(**settings)
    Stream().drive(saved, 60)
    bundle = saved.bundle_and_checkpoint(str(tmp_path), 0)
    restored = agent_of(**{**settings, "seed": 99})
    assert restored.unbundle(str(tmp_path), 0, bundle)
    assert Stream(3).drive(saved, 30) == Stream(3).drive(restored, 30)
    assert_trees_equal(saved.state_tree(), restored.state_tree())


def test_a_distribution_over_returns_is_refused():
    gin.bind_parameter("JaxFullRainbowAgent.distributional", True)
    with pytest.raises(ValueError, match=r"DrQ\(ε\) learns Q-values.*is True"):
        agent_of()


@pytest.mark.parametrize(
    ("binding", "message"),
    [
        (
            "JaxFullRainbowAgent.replay_scheme = 'prioritized'",
            r"JaxFullRainbowAgent.replay_scheme is 'prioritized'. Set it to 'uniform'",
        ),
        (
            "JaxFullRainbowAgent.noisy = True",
            "without noise.*noisy is True",
        ),
        ("JaxDQNAgent.loss_type = 'huber'", "'huber'. The loss of Q-values is that of"),
        ("JaxDQNAgent.allow_partial_reload = True", "allow_partial_reload must be F"),
        ("JaxDQNAgent.collector_allowlist = ('csv',)", "Every collector gets every"),
    ],
)
def test_what_would_be_recorded_and_not_done_is_refused(binding, message):
    gin.parse_config(binding)
    with pytest.raises(ValueError, match=message):
        agent_of()


@pytest.mark.parametrize("collectors", [[], (), ["tensorboard"]])
def test_lists_of_collectors_that_ask_for_what_is_done_are_taken(collectors):
    gin.bind_parameter("JaxDQNAgent.collector_allowlist", collectors)
    assert agent_of()._collector_allowlist == collectors


def test_the_schedule_and_the_number_of_updates_are_done():
    gin.bind_parameter("JaxFullRainbowAgent.epsilon_fn", lambda *_: 0.25)
    found = []
    for number in (1, 3):
        name = "JaxFullRainbowAgent.num_updates_per_train_step"
        gin.bind_parameter(name, number)
        agent = agent_of()
        assert agent._epsilon(100) == 0.25
        Stream().drive(agent, 30)
        found.append(agent.gradient_step)
    assert found[1] == 3 * found[0] > 0


def test_it_shares_the_code_of_recycling():
    for name in ("_train_step", "_finish_update", "unbundle"):
        assert getattr(RecycledDrQEpsAgent, name) is getattr(RecycledDQNAgent, name)
    names = ("_gradient_update", "_next_batch", "_draw_batch", "_loss", "_apply")
    for name in names:
        of_rainbow = getattr(RecycledFullRainbowAgent, name)
        assert getattr(RecycledDrQEpsAgent, name) is of_rainbow


def test_the_layers_of_another_network_are_derived():
    class Other(dopamine_networks.FullRainbowNetwork):
        """Not Dopamine's own, in whose place ours would stand."""

    agent = agent_of(network=Other, intervention=interventions.redo(0.3, 2))
    agent.set_collector_dispatcher(recorder := Recorder())
    Stream().drive(agent, 26)
    [layer] = agent._plasticity.tracking.subject.graph.layers[-1:]
    assert len(layer.outgoing) == 2  # Both heads.
    assert recorder.values(f"recycled/{layer.name}")
