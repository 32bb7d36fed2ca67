"""Rainbow, full Rainbow, QR-DQN and IQN: Dopamine's update, and neurons recycled."""

import functools

import gin
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dopamine.jax import networks as dopamine_networks
from dopamine.jax.agents.full_rainbow import full_rainbow_agent
from dopamine.jax.agents.implicit_quantile import implicit_quantile_agent
from dopamine.jax.agents.quantile import quantile_agent
from dopamine.jax.agents.rainbow import rainbow_agent

from helpers import agents
from helpers.agents import Recorder, Stream, assert_trees_close, assert_trees_equal
from redo_dopamine.agents.augmentation import shift_and_intensity
from redo_dopamine.agents.averaged_target import target_network
from redo_dopamine.agents.full_rainbow import RecycledFullRainbowAgent
from redo_dopamine.agents.implicit_quantile import RecycledImplicitQuantileAgent
from redo_dopamine.agents.quantile import RecycledQuantileAgent
from redo_dopamine.agents.rainbow import RecycledRainbowAgent
from redo_dopamine.core import interventions
from redo_dopamine.core.optimizers import own_bias_correction
from redo_dopamine.core.schedules import annealed_gamma, annealed_horizon
from redo_dopamine.networks import distributional, rainbow

IQN = {"num_tau_samples": 5, "num_tau_prime_samples": 4, "num_quantile_samples": 3}
IQN["quantile_embedding_dim"] = 6
AGENTS = {
    "rainbow": (RecycledRainbowAgent, "NatureC51Network", {"num_atoms": 7}),
    "full_rainbow": (RecycledFullRainbowAgent, "RainbowNetwork", {"num_atoms": 7}),
    "quantile": (RecycledQuantileAgent, "NatureQuantileNetwork", {"num_atoms": 7}),
    "iqn": (RecycledImplicitQuantileAgent, "NatureImplicitQuantileNetwork", IQN),
}
PRIORITIZED = [name for name in AGENTS if name != "iqn"]
TRACKING = {"taus": (0.5,), "tracking_period": 4, "tracking_batch_size": 8}


@pytest.fixture(autouse=True)
def settings(clean_gin):
    agents.bind_small()


def settings_of(name):
    """What both Dopamine's agent and ours take."""
    _, network, own = AGENTS[name]
    home = rainbow if name == "full_rainbow" else distributional
    shared = {"seed": 7} if name == "full_rainbow" else agents.SMALL
    network = functools.partial(getattr(home, network), width=0.125)
    return {"network": network, **shared, **own}


def agent_of(name, **settings):
    made = {**settings_of(name), "taus": (), **settings}
    return AGENTS[name][0](agents.NUM_ACTIONS, **made)


def copy(tree):
    return jax.tree.map(jnp.copy, tree)


def dopamines_update(name, agent, batch):
    """Dopamine's own update: optimizer state, parameters, loss, errors and key."""
    before = copy((agent.online_params, agent.target_network_params))
    first = (agent.network_def, *before, agent.optimizer, copy(agent.optimizer_state))
    states = (np.moveaxis(batch[x], 1, -1) for x in ("state", "next_state"))
    state, next_state = map(agent.preprocess_fn, states)
    drawn = (state, batch["action"], next_state, batch["reward"], batch["terminal"])
    probability = batch.get("probability", np.ones(len(state), np.float32))
    weights = 1.0 / jnp.sqrt(probability + 1e-10)
    weights /= jnp.max(weights)
    gamma, rng = agent.cumulative_gamma, agent._rng
    if name == "iqn":
        numbers = (agent.num_tau_samples, agent.num_tau_prime_samples)
        rng, opt_state, params, loss = implicit_quantile_agent.train(
            *(*first, *drawn, *numbers, agent.num_quantile_samples, gamma),
            *(agent.double_dqn, agent.kappa, rng),
        )
        return opt_state, params, loss, None, rng
    if name == "quantile":
        opt_state, params, errors, loss = quantile_agent.train(
            *(*first, *drawn, agent._kappa, agent._num_atoms, gamma)
        )
    elif name == "rainbow":
        opt_state, params, errors, loss = rainbow_agent.train(
            *(*first, *drawn, weights, agent._support, gamma)
        )
    else:
        opt_state, params, errors, loss, rng = full_rainbow_agent.train(
            *(*first, *drawn, weights, agent._support, gamma),
            *(agent._double_dqn, agent._distributional, agent._mse_loss, rng),
        )
    return opt_state, params, loss, errors, rng


CASES = {
    "rainbow": {},
    "rainbow, uniform": {"replay_scheme": "uniform"},
    "full_rainbow": {},
    "full_rainbow, uniform, one network": {
        **{"replay_scheme": "uniform", "double_dqn": False, "dueling": False}
    },
    "full_rainbow, Q-values": {"distributional": False, "noisy": False},
    "quantile": {"kappa": 0.5},
    "quantile, uniform": {"replay_scheme": "uniform"},
    "iqn": {"kappa": 0.5},
    "iqn, double": {"double_dqn": True},
}


@pytest.mark.parametrize("case", CASES)
def test_the_update_is_dopamines_on_the_same_batch_and_key(case):
    name = case.partition(",")[0]
    agent = agent_of(name, **CASES[case])
    Stream().drive(agent, 45)  # So that the two networks, and priorities, differ.
    rng = agent._rng
    batch = agent._next_batch()
    agent._rng = rng
    opt_state, params, loss, errors, rng = dopamines_update(name, agent, batch)

    agent._replay.sample = lambda **_: pytest.fail("There is a batch.")
    own = {x: y for x, y in batch.items() if x not in ("key", "next_key")}
    agent._next_batch = lambda: {**own, **split(agent)}
    updated = {}
    agent._replay.update = lambda keys, priorities: updated.update(found=priorities)
    np.testing.assert_allclose(agent._gradient_update(), loss, rtol=1e-5)
    np.testing.assert_array_equal(agent._rng, rng)
    made = agent.online_params, agent.optimizer_state
    assert_trees_close(made, (params, opt_state), rtol=1e-4, atol=2e-7)
    if "probability" in batch:
        np.testing.assert_allclose(updated["found"] ** 2, errors, rtol=1e-4)
        assert np.ptp(batch["probability"]) > 0
    else:
        assert not updated


def split(agent):
    if not hasattr(agent, "_draw_keys"):
        return {}
    agent._rng, keys = agent._draw_keys(agent._rng)
    return keys


STOCK = {
    "rainbow": rainbow_agent.JaxRainbowAgent,
    "full_rainbow": full_rainbow_agent.JaxFullRainbowAgent,
    "quantile": quantile_agent.JaxQuantileAgent,
    "iqn": implicit_quantile_agent.JaxImplicitQuantileAgent,
}


@pytest.mark.parametrize("name", AGENTS)
def test_it_acts_as_dopamines_agent_does(name):
    ours = agent_of(name)
    gin.bind_parameter("PrioritizedSamplingDistribution.max_capacity", 500)
    stock = STOCK[name](agents.NUM_ACTIONS, **settings_of(name))
    assert_trees_equal(stock.online_params, ours.online_params)
    assert Stream().drive(ours, 21) == Stream().drive(stock, 21)
    for agent in (ours, stock):
        agent.eval_mode = True
        agent.epsilon_eval = 0.3
    assert Stream(1).drive(ours, 8) == Stream(1).drive(stock, 8)


@pytest.mark.parametrize("name", AGENTS)
def test_neurons_are_tracked_and_recycled(name):
    redo = interventions.redo(tau=0.9, period=4, score_batch_size=8)
    agent = agent_of(name, intervention=redo, **TRACKING)
    agent.set_collector_dispatcher(recorder := Recorder())
    stream = Stream()
    while agent.gradient_step < 4:
        stream.drive(agent, 1)
    layers = agent._plasticity.tracking.subject.graph.layers
    assert {x.name for x in layers if not x.recyclable} == (
        {"Conv_2"} if name == "iqn" else set()
    )
    for layer in layers:
        assert 0 <= recorder.values(f"dormant_fraction/0.5/{layer.name}")[0] <= 1
        if layer.recyclable:
            assert recorder.values(f"recycled/{layer.name}")[0] > 0
    last = layers[-1]
    for reader in last.outgoing:
        _, *path = reader.path
        kernel = agent.online_params["params"]
        for part in path:
            kernel = kernel[part]
        silent = np.all(np.asarray(kernel) == 0, axis=1).sum()
        assert silent == recorder.values(f"recycled/{last.name}")[0]


REDO = {"intervention": interventions.redo(tau=0.5, period=5, score_batch_size=4)}
RESET = interventions.shrink_and_perturb(
    0.5, 0.5, period=5, num_reset_layers=2, moments=0.0
)
BBF = {
    **{"noisy": False, "replay_ratio": 1, "target_rate": 0.1},
    **{"acts_with": target_network, "augment": shift_and_intensity},
    **{"intervention": RESET, "target_intervention": RESET},
    "after_optimizer": [own_bias_correction()],
    "horizon_fn": annealed_horizon(4, 1, 4, period=5),
    "gamma_fn": annealed_gamma(0.5, 0.9, 4, period=5),
}
RESTORED = {**dict.fromkeys(AGENTS, REDO), "full_rainbow, as BBF": BBF}


@pytest.mark.parametrize("case", RESTORED)
def test_a_restored_agent_goes_on_as_the_saved_one(case, tmp_path):
    gin.bind_parameter("JaxDQNAgent.update_horizon", 4)
    name, settings = case.partition(",")[0], RESTORED[case]
    saved = agent_of(name, **settings)
    Stream().drive(saved, 60)
    assert saved.gradient_step > 5
    bundle = saved.bundle_and_checkpoint(str(tmp_path), 0)
    restored = agent_of(name, **{**settings, "seed": 99})
    assert restored.unbundle(str(tmp_path), 0, bundle)
    assert Stream(3).drive(saved, 30) == Stream(3).drive(restored, 30)
    assert_trees_equal(saved.state_tree(), restored.state_tree())


@pytest.mark.parametrize("name", AGENTS)
def test_gradient_steps_follow_the_replay_ratio(name):
    agent = agent_of(name, replay_ratio=1)
    Stream().drive(agent, 24)
    first = agent.gradient_step
    Stream().drive(agent, 4)
    assert agent.gradient_step - first == 4


@pytest.mark.parametrize("name", AGENTS)
def test_dopamines_own_network_is_replaced_by_its_equal(name):
    stock = {
        "rainbow": dopamine_networks.RainbowNetwork,
        "full_rainbow": dopamine_networks.FullRainbowNetwork,
        "quantile": dopamine_networks.QuantileNetwork,
        "iqn": dopamine_networks.ImplicitQuantileNetwork,
    }
    agent = agent_of(name, network=stock[name])
    assert type(agent.network_def).__name__ == AGENTS[name][1]
    assert agent.network_def.width == 1


@pytest.mark.parametrize("name", AGENTS)
def test_greedy_actions_are_drawn_apart_from_training(name):
    agent = agent_of(name)
    states = np.random.default_rng(0).integers(0, 256, (6, 20, 20, 2), dtype=np.uint8)
    agent.eval_mode = True
    rng = np.array(agent._rng)
    found = agent.greedy_actions(states)
    np.testing.assert_array_equal(found, agent.greedy_actions(states))
    np.testing.assert_array_equal(agent._rng, rng)
    key = agent._rng if name == "iqn" else None
    values = [agent._q_values(agent.online_params, x, key) for x in states]
    np.testing.assert_array_equal(found, np.argmax(np.stack(values), axis=1))


@pytest.mark.parametrize("name", PRIORITIZED)
def test_prioritized_replay_is_prioritized(name):
    agent = agent_of(name, replay_scheme="prioritized")
    Stream().drive(agent, 60)
    _, metadata = agent._replay.sample(with_sample_metadata=True)
    assert len({*metadata.probabilities.round(9)}) > 2
    numbers = np.arange(agent._replay.num_transitions)
    agent._replay.update(numbers, priorities=np.where(numbers == 3, 1.0, 0.0))
    _, metadata = agent._replay.sample(with_sample_metadata=True)
    assert {*metadata.keys} == {3}
    uniform = agent_of(name, replay_scheme="uniform")
    Stream().drive(uniform, 60)
    _, metadata = uniform._replay.sample(with_sample_metadata=True)
    assert not hasattr(metadata, "probabilities")


def test_what_cannot_be_done_is_refused():
    with pytest.raises(ValueError, match=r"must be one of .*uniform.*but is 'sorted'"):
        agent_of("rainbow", replay_scheme="sorted")
    with pytest.raises(ValueError, match=r"'uniform' for IQN.*but is 'prioritized'"):
        agent_of("iqn", replay_scheme="prioritized")
    with pytest.raises(TypeError, match=r"'kapa'.*Did you mean kappa"):
        agent_of("quantile", kapa=1.0)
    gin.bind_parameter("JaxDQNAgent.loss_type", "huber")
    for name in AGENTS:
        with pytest.raises(ValueError, match="loss_type must be 'mse'"):
            agent_of(name)


@pytest.mark.parametrize("name", ["rainbow", "full_rainbow"])
@pytest.mark.parametrize(
    "wrong", [{"vmax": 0.0}, {"vmin": 20.0}, {"vmin": 10.0}, {"num_atoms": 1}]
)
def test_atoms_that_do_not_rise_are_refused(name, wrong):
    with pytest.raises(ValueError, match=r"vmax must be above vmin.* num_atoms"):
        agent_of(name, **wrong)


def test_noise_is_in_acting_and_not_in_evaluation():
    agent = agent_of("full_rainbow")
    frames = np.ones((2, 20, 20), np.uint8)
    draw = jax.jit(lambda key: agent._q_values(agent.online_params, frames.T, key))
    noisy = [draw(agent._noise_key(jax.random.PRNGKey(x))) for x in range(2)]
    assert np.abs(noisy[0] - noisy[1]).max() > 0
    agent.eval_mode = True
    assert agent._noise_key(jax.random.PRNGKey(0)) is None
