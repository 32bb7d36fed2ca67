"""What users of Dopamine's agents read of them is there on ours."""

import dataclasses
import inspect

import gin
import jax
import numpy as np
import pytest
from dopamine.jax import continuous_networks
from dopamine.jax import networks as dopamine_networks
from dopamine.jax.agents.dqn import dqn_agent
from dopamine.jax.agents.full_rainbow import full_rainbow_agent
from dopamine.jax.agents.implicit_quantile import implicit_quantile_agent
from dopamine.jax.agents.ppo import ppo_agent
from dopamine.jax.agents.quantile import quantile_agent
from dopamine.jax.agents.rainbow import rainbow_agent
from dopamine.jax.agents.sac import sac_agent

from helpers import agents
from redo_dopamine.agents.dqn import RecycledDQNAgent
from redo_dopamine.agents.full_rainbow import RecycledFullRainbowAgent
from redo_dopamine.agents.implicit_quantile import RecycledImplicitQuantileAgent
from redo_dopamine.agents.ppo import RecycledPPOAgent
from redo_dopamine.agents.quantile import RecycledQuantileAgent
from redo_dopamine.agents.rainbow import RecycledRainbowAgent
from redo_dopamine.agents.sac import RecycledSACAgent
from redo_dopamine.agents.settings import _EQUALS

OF_A_GAME = {"num_actions": 3, "seed": 1}
OF_A_BODY = {
    "action_shape": (2,),
    "observation_shape": (3,),
    "action_limits": (np.full(2, -1.0), np.full(2, 1.0)),
    "seed": 1,
}
PAIRS = {
    dqn_agent.JaxDQNAgent: (RecycledDQNAgent, OF_A_GAME),
    rainbow_agent.JaxRainbowAgent: (RecycledRainbowAgent, OF_A_GAME),
    full_rainbow_agent.JaxFullRainbowAgent: (RecycledFullRainbowAgent, OF_A_GAME),
    quantile_agent.JaxQuantileAgent: (RecycledQuantileAgent, OF_A_GAME),
    implicit_quantile_agent.JaxImplicitQuantileAgent: (
        *(RecycledImplicitQuantileAgent, OF_A_GAME),
    ),
    ppo_agent.PPOAgent: (RecycledPPOAgent, OF_A_BODY),
    sac_agent.SACAgent: (RecycledSACAgent, OF_A_BODY),
}
# Made otherwise here: optimizers that PPO and SAC of Dopamine keep by these names.
OTHERWISE = {
    ppo_agent.PPOAgent: {"network_optimizer"},
    sac_agent.SACAgent: {"network_optimizer", "alpha_optimizer"},
}


@pytest.fixture(autouse=True)
def replay(clean_gin):
    agents.bind_replay()
    gin.bind_parameter("JaxDQNAgent.observation_shape", (20, 20))
    gin.bind_parameter("PrioritizedSamplingDistribution.max_capacity", 500)


@pytest.mark.parametrize("theirs", PAIRS, ids=lambda x: x.__name__)
def test_methods_take_what_theirs_take(theirs):
    ours, _ = PAIRS[theirs]
    methods = inspect.getmembers(theirs, inspect.isfunction)
    names = [name for name, _ in methods if not name.startswith("_")]
    assert {"begin_episode", "step", "end_episode", "unbundle"} <= {*names}
    for name in names:
        expected = inspect.signature(getattr(theirs, name)).parameters
        found = inspect.signature(getattr(ours, name)).parameters
        assert [*found][: len(expected)] == [*expected], name


@pytest.mark.slow
@pytest.mark.parametrize("theirs", PAIRS, ids=lambda x: x.__name__)
def test_attributes_of_theirs_are_there(theirs):
    ours, settings = PAIRS[theirs]
    stock, agent = theirs(**settings), ours(**settings, taus=())
    public = {x for x in vars(stock) if not x.startswith("_")}
    assert len(public) > 10
    assert {x for x in public if not hasattr(agent, x)} <= OTHERWISE.get(theirs, set())


@pytest.mark.parametrize("theirs", _EQUALS, ids=lambda x: x.__name__)
def test_fields_of_their_network_are_there(theirs):
    fields = {x.name for x in dataclasses.fields(theirs)}
    assert fields <= {x.name for x in dataclasses.fields(_EQUALS[theirs])}


def test_an_initializer_of_sac_is_carried_over():
    network = continuous_networks.ActorCriticNetwork(
        (2,), hidden_units=4, kernel_initializer=jax.nn.initializers.ones
    )
    own = _EQUALS[type(network)](
        (2,), hidden_units=4, kernel_initializer=network.kernel_initializer
    )
    state, key = np.zeros(3, np.float32), jax.random.PRNGKey(0)
    agents.assert_trees_equal(
        network.init(key, state, key)["params"], own.init(key, state, key)["params"]
    )


def test_the_last_observation_is_kept():
    agent = agents.recycled_agent(network=dopamine_networks.ClassicControlDQNNetwork)
    first, second = np.ones((20, 20, 1), np.uint8), np.full((20, 20, 1), 2, np.uint8)
    agent.begin_episode(first)
    agent.step(0.0, second)
    np.testing.assert_array_equal(agent._last_observation, first[..., 0])
    np.testing.assert_array_equal(agent._observation, second[..., 0])


def test_parameters_of_ppo_have_dopamines_name_and_it_need_not_learn():
    agent = RecycledPPOAgent(**OF_A_BODY, taus=(), update_period=100, batch_size=64)
    assert agent.network_params is agent.online_params
    agent.begin_episode(np.zeros(3, np.float32))
    with pytest.raises(ValueError, match="batch_size must divide the transitions"):
        agent.check_minibatches()
