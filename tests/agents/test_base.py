import inspect

import gin
import pytest
from dopamine.jax.agents.dqn import dqn_agent
from dopamine.jax.agents.full_rainbow import full_rainbow_agent
from dopamine.jax.agents.implicit_quantile import implicit_quantile_agent
from dopamine.jax.agents.ppo import ppo_agent
from dopamine.jax.agents.quantile import quantile_agent
from dopamine.jax.agents.rainbow import rainbow_agent
from dopamine.jax.agents.sac import sac_agent
from dopamine.labs.atari_100k import atari_100k_rainbow_agent

from helpers import agents
from redo_dopamine.agents.base import PlasticAgent
from redo_dopamine.agents.batches import KeyedDQNAgent, PrioritizedDQNAgent
from redo_dopamine.agents.dqn import RecycledDQNAgent
from redo_dopamine.agents.drq_eps import RecycledDrQEpsAgent
from redo_dopamine.agents.full_rainbow import RecycledFullRainbowAgent
from redo_dopamine.agents.implicit_quantile import RecycledImplicitQuantileAgent
from redo_dopamine.agents.offline_dqn import OfflineDQNAgent
from redo_dopamine.agents.ppo import RecycledPPOAgent
from redo_dopamine.agents.quantile import RecycledQuantileAgent
from redo_dopamine.agents.rainbow import RecycledRainbowAgent
from redo_dopamine.agents.sac import RecycledSACAgent
from redo_dopamine.core.checks import is_number

DOPAMINES = {
    RecycledDQNAgent: dqn_agent.JaxDQNAgent,
    OfflineDQNAgent: dqn_agent.JaxDQNAgent,
    RecycledFullRainbowAgent: full_rainbow_agent.JaxFullRainbowAgent,
    RecycledRainbowAgent: rainbow_agent.JaxRainbowAgent,
    RecycledQuantileAgent: quantile_agent.JaxQuantileAgent,
    RecycledImplicitQuantileAgent: implicit_quantile_agent.JaxImplicitQuantileAgent,
    RecycledDrQEpsAgent: atari_100k_rainbow_agent.Atari100kRainbowAgent,
    RecycledPPOAgent: ppo_agent.PPOAgent,
    RecycledSACAgent: sac_agent.SACAgent,
}


@pytest.mark.parametrize(("ours", "dopamines"), DOPAMINES.items())
def test_the_settings_of_dopamines_agent_are_those_of_its_constructor(ours, dopamines):
    assert set(inspect.signature(dopamines).parameters) == ours.DOPAMINE_SETTINGS


@pytest.mark.parametrize("agent", DOPAMINES)
def test_own_settings_are_those_of_the_constructors(agent):
    found = {
        name
        for cls in agent.__mro__
        if issubclass(cls, PlasticAgent)
        for name, x in inspect.signature(cls.__init__).parameters.items()
        if x.kind is inspect.Parameter.KEYWORD_ONLY
    }
    if issubclass(agent, PrioritizedDQNAgent | KeyedDQNAgent):
        found.remove("bootstrap")  # What is bound to RecycledDQNAgent does not hold.
    if agent is RecycledDrQEpsAgent:
        found -= {"horizon_fn", "gamma_fn", "target_rate", "acts_with", "augment"}
        found.remove("target_intervention")
    assert set(agent.OWN_SETTINGS) == found


@pytest.mark.parametrize(
    "agent", [RecycledDQNAgent, RecycledPPOAgent, RecycledSACAgent]
)
def test_two_classes_of_ours_stand_before_dopamines(agent):
    between = agent.__mro__[1 : agent.__mro__.index(DOPAMINES[agent])]
    assert between[0] is PlasticAgent
    assert len(between) == 2


def test_what_is_bound_to_dqn_does_not_hold_for_drq_eps(clean_gin):
    with pytest.raises(TypeError, match="has a setting 'bootstrap'"):
        RecycledDrQEpsAgent(3, bootstrap=is_number)
    agents.bind_replay()
    gin.bind_parameter("RecycledDQNAgent.gamma", 0.5)
    gin.bind_parameter("RecycledDQNAgent.tracking_period", 7)
    gin.bind_parameter("RecycledDQNAgent.bootstrap", is_number)
    gin.bind_parameter("RecycledDQNAgent.replay_ratio", 2)
    gin.bind_parameter("JaxFullRainbowAgent.distributional", False)
    gin.bind_parameter("JaxFullRainbowAgent.noisy", False)
    gin.bind_parameter("JaxFullRainbowAgent.num_atoms", 1)
    gin.bind_parameter("JaxFullRainbowAgent.replay_scheme", "uniform")
    agent = RecycledDrQEpsAgent(3, seed=1, taus=())
    assert agent._bootstrap == agent._next_value
    assert agent._num_updates == 1
    assert agent.gamma == 0.99
    assert "RecycledDQNAgent" not in gin.operative_config_str()
