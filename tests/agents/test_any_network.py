"""Agents train any flax module: its layers are derived where it declares none."""

import collections
import functools

import flax.linen as nn
import gin
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dopamine.jax import continuous_networks
from dopamine.jax import networks as dopamine_networks

from helpers import agents, controllers
from helpers.agents import Recorder, Stream, assert_trees_equal, trees_differ
from redo_dopamine.core import interventions
from redo_dopamine.core.checks import SettingError
from redo_dopamine.core.graph import Edge, NetworkGraph
from redo_dopamine.core.metrics.catalogue import FACTORIES
from redo_dopamine.networks.layers import kernel, neurons
from redo_dopamine.networks.nature import NatureNetwork
from redo_dopamine.plasticity.learner import Learner

Output = collections.namedtuple("Output", ["q_values"])


class Own(nn.Module):
    """A network as a user would write one: it knows nothing of this package."""

    num_actions: int

    @nn.compact
    def __call__(self, x):
        x = x.astype(jnp.float32) / 255
        x = nn.relu(nn.Conv(4, (4, 4), (4, 4))(x))
        x = nn.relu(nn.Dense(6)(x.reshape(-1)))
        x = nn.gelu(nn.Dense(5, use_bias=False)(x))
        return Output(nn.Dense(self.num_actions)(x))


NARROW_CONTROL = {"hidden_units": 6, "num_layers": 2}
QS = {
    "classic": functools.partial(
        dopamine_networks.ClassicControlDQNNetwork, **NARROW_CONTROL
    ),
    "own": Own,
    "impala": dopamine_networks.ImpalaDQNNetwork,
}
TRACKING = {"taus": (0.0, 0.3), "tracking_period": 2, "tracking_batch_size": 4}


@pytest.fixture(autouse=True)
def replay(clean_gin):
    agents.bind_replay()


def dqn(network="own", **settings):
    return agents.recycled_agent(network=QS[network], **settings)


def q_values(agent, states):
    params = agent.online_params
    return np.asarray(jax.vmap(lambda x: agent._q_values(params, x))(states))


@pytest.mark.parametrize("network", QS)
def test_dqn_tracks_and_recycles(network):
    agent = dqn(network, intervention=interventions.redo(0.3, 2), **TRACKING)
    agent.set_collector_dispatcher(recorder := Recorder())
    before = jax.tree.map(np.array, agent.online_params)
    Stream().drive(agent, 32)
    assert agent.gradient_step >= 2
    assert trees_differ(before, agent.online_params)
    layers = agent._plasticity.tracking.subject.graph
    for layer in layers.recyclable_layers:
        assert recorder.values(f"recycled/{layer.name}")
    for layer in layers.layers:
        [*_, found] = recorder.values(f"dormant_fraction/0.3/{layer.name}")
        assert 0 <= found <= 1


def test_the_layers_of_a_users_network():
    graph = dqn()._plasticity.tracking.subject.graph
    assert [layer.name for layer in graph.recyclable_layers] == [
        "Conv_0",
        "Dense_0",
        "Dense_1",
    ]
    assert dqn().network_notes == ()


def test_what_is_declined_is_said_briefly():
    [note] = dqn("impala").network_notes
    assert note.startswith("Not recycled: encoder/_stacks_0/Conv_0, ")
    assert "and 4 more (residual stream: several kernels" in note


@pytest.mark.parametrize(
    "intervention",
    [
        interventions.regrama(0.5, 2, score_batch_size=4),
        interventions.layer_reset(2, 2),
        interventions.fixed_budget(period=2),
        interventions.prune(0.3, 2),
        interventions.shrink_and_perturb(period=2),
        interventions.weight_clipping(),
    ],
)
def test_every_intervention_takes_it(intervention):
    agent = dqn(intervention=intervention)
    Stream().drive(agent, 29)
    assert agent.gradient_step == 2


def test_every_metric_takes_it():
    agent = dqn(metrics=[make() for make in FACTORIES], **TRACKING)
    agent.set_collector_dispatcher(recorder := Recorder())
    Stream().drive(agent, 29)
    for name in ("srank/Dense_0", "magi/Dense_1", "weight_norm/Conv_0"):
        assert np.isfinite(recorder.values(name)).all(), name


def test_recycling_what_is_silent_changes_no_q_value():
    recycled = dqn(intervention=interventions.redo(0.0, 2, score_batch_size=4))
    params = recycled.online_params["params"]
    params["Dense_0"]["bias"] = params["Dense_0"]["bias"].at[:3].set(-99.0)
    params["Conv_0"]["bias"] = params["Conv_0"]["bias"].at[1].set(-99.0)
    states = np.random.default_rng(0).integers(0, 256, (9, 20, 20, 2), np.uint8)
    before = q_values(recycled, states)
    old = jax.tree.map(np.array, recycled.online_params)
    learner = Learner(recycled.online_params, recycled.optimizer_state)
    learner, metrics = recycled._plasticity.after_update(
        learner, old, 2, lambda size, rng: {"state": states}
    )
    assert int(metrics["recycled/Dense_0"]) >= 3
    assert int(metrics["recycled/Conv_0"]) >= 1
    recycled.online_params = learner.params
    assert trees_differ(old, recycled.online_params)
    np.testing.assert_array_equal(q_values(recycled, states), before)


def test_a_restored_agent_goes_on_as_the_saved_one(tmp_path):
    def make():
        return dqn(intervention=interventions.redo(0.3, 3), **TRACKING)

    agent, stream = make(), Stream()
    stream.drive(agent, 35)
    bundle = agent.bundle_and_checkpoint(str(tmp_path), 0)
    other = make()
    assert other.unbundle(str(tmp_path), 0, bundle)
    streams = Stream(1, 1000), Stream(1, 1000)
    first, second = (
        s.drive(a, 20) for s, a in zip(streams, (agent, other), strict=True)
    )
    assert first == second
    assert_trees_equal(agent.online_params, other.online_params)
    assert_trees_equal(agent._plasticity.state, other._plasticity.state)


# The other agents.


class OwnSAC(continuous_networks.ActorCriticNetwork):
    """Not that of Dopamine itself, in whose place ours would stand."""


class OwnPPO(continuous_networks.PPOActorCriticNetwork):
    """Likewise."""


def narrow_sac(action_shape, num_layers, hidden_units, action_limits):
    del hidden_units
    return OwnSAC(action_shape, num_layers, 6, action_limits)


def narrow_ppo(action_shape, action_limits):
    return OwnPPO(action_shape, 2, 6, action_limits)


@pytest.mark.parametrize("by", [interventions.redo, interventions.regrama])
def test_sac(by):
    intervention = by(0.5, 2, score_batch_size=4)
    agent = controllers.sac(
        network=narrow_sac, **{**TRACKING, "intervention": intervention}
    )
    agent.set_collector_dispatcher(recorder := Recorder())
    controllers.Stream(0, 25).drive(agent, 30)
    assert recorder.values("recycled/_actor/Dense_0")
    assert recorder.values("recycled/_critic2/Dense_1")
    assert agent.network_notes == ()


@pytest.mark.parametrize("by", [interventions.redo, interventions.regrama])
def test_ppo(by):
    gin.bind_parameter("ReplayBuffer.max_capacity", controllers.LENGTH)
    gin.bind_parameter("ReplayBuffer.batch_size", controllers.LENGTH)
    intervention = by(0.5, 2, score_batch_size=4)
    agent = controllers.ppo(
        network=narrow_ppo, **{**TRACKING, "intervention": intervention}
    )
    agent.set_collector_dispatcher(recorder := Recorder())
    controllers.Stream().drive(agent, controllers.LENGTH + 2)
    assert recorder.values("recycled/_actor/Dense_0")
    assert recorder.values("recycled/_critic/Dense_1")
    assert agent.network_notes == ()


# What is wrong is found at the start.


class Linear(nn.Module):
    num_actions: int

    @nn.compact
    def __call__(self, x):
        return Output(nn.Dense(self.num_actions)(x.astype(jnp.float32).reshape(-1)))


class Deep(nn.Module):
    """Linear, too: its hidden layer is tracked, and not recycled."""

    num_actions: int

    @nn.compact
    def __call__(self, x):
        x = x.astype(jnp.float32).reshape(-1) / 255
        return Output(nn.Dense(self.num_actions)(nn.Dense(4)(x)))


class Wrong(Own):
    """Its last layer is read by the head, which its graph does not know."""

    def graph(self, observation_shape):
        del observation_shape
        return NetworkGraph((neurons("Dense_1", Edge(kernel("Dense_0"), 20)),))


class Failing(Own):
    def graph(self):
        return NetworkGraph(())


class WithoutInput(nn.Module):
    num_actions: int

    @nn.compact
    def __call__(self, x, rng):
        return Output(nn.Dense(self.num_actions)(x.reshape(-1)))


class NoQValues(nn.Module):
    num_actions: int

    @nn.compact
    def __call__(self, x):
        return nn.Dense(self.num_actions)(x.reshape(-1) / 255)


REDO = {"intervention": interventions.redo(0.1, 2)}


@pytest.mark.parametrize(
    ("network", "settings", "message"),
    [
        (Linear, REDO, r"^intervention must .*no hidden layer.*Use @none"),
        (Deep, REDO, r"^intervention must .*Not recycled: Dense_\d \(it is linear"),
        (Linear, {"metrics": [FACTORIES[0]()]}, "^metrics must be of layers"),
        (Wrong, {}, r"^network must have the graph .*'Dense_1'.*kernel"),
        (Failing, {}, r"^network must give its layers by graph\(\)"),
        (WithoutInput, {}, "^network must draw parameters .*rng"),
        (NoQValues, {}, "^network must give a value for each action"),
    ],
)
def test_what_cannot_be_is_said(network, settings, message):
    with pytest.raises(SettingError, match=message):
        agents.recycled_agent(network=network, **settings)


@pytest.mark.parametrize("network", [Linear, Deep])
def test_without_an_intervention_it_trains_all_the_same(network):
    agent = agents.recycled_agent(network=network, **TRACKING)
    Stream().drive(agent, 30)
    assert agent.gradient_step > 1
    assert agent.network_notes


def test_a_function_is_no_network():
    with pytest.raises(TypeError, match=r"^network must be a flax module"):
        agents.recycled_agent(network=lambda num_actions: nn.relu)


# Our own in the place of Dopamine's.


def test_a_subclass_of_dopamines_network_stays_what_it_is():
    class Other(dopamine_networks.NatureDQNNetwork):
        pass

    assert isinstance(agents.recycled_agent(network=Other).network_def, Other)
    plain = agents.recycled_agent(network=dopamine_networks.NatureDQNNetwork)
    assert isinstance(plain.network_def, NatureNetwork)
