import gin
import numpy as np
import pytest
from dopamine.jax.agents.dqn import dqn_agent

from helpers import agents
from helpers.agents import Stream
from redo_dopamine.agents.epsilon_greedy import Epsilons
from redo_dopamine.replay.buffer import FrameReplay
from redo_dopamine.replay.windows import complete_windows


@pytest.fixture(autouse=True)
def replay(clean_gin):
    agents.bind_replay()


@pytest.mark.parametrize("fn", ["linearly_decaying_epsilon", "identity_epsilon"])
def test_epsilons_are_dopamines(fn):
    epsilon_fn = getattr(dqn_agent, fn)
    ours = Epsilons(epsilon_fn, decay_period=1500, warmup_steps=200, epsilon=0.01)
    for step in (0, 1, 199, 200, 201, 1023, 1024, 1025, 1699, 1700, 5000, 3, 70_000):
        assert ours(step) == np.float32(epsilon_fn(1500, step, 200, 0.01)), step


def test_epsilon_ends_at_its_final_value():
    ours = Epsilons(dqn_agent.linearly_decaying_epsilon, 100, 20, 0.25)
    assert [float(ours(step)) for step in (0, 20, 70, 120, 9999)] == pytest.approx(
        [1.0, 1.0, 0.625, 0.25, 0.25]
    )


def test_it_acts_as_dopamine_does_in_evaluation():
    ours, stock = agents.recycled_agent(), agents.stock_agent()
    ours.eval_mode = stock.eval_mode = True
    assert Stream().drive(ours, 40) == Stream().drive(stock, 40)
    assert ours._replay.add_count == 0


def test_the_state_is_the_last_observations_zeros_before_the_first():
    agent = agents.recycled_agent()
    first, second, third = (
        np.full((*agents.OBSERVATION_SHAPE, 1), x, np.uint8) for x in (1, 2, 3)
    )
    agent.begin_episode(first)
    assert agent.state.dtype == np.uint8
    np.testing.assert_array_equal(agent.state[0, 0], [0, 1])
    agent.step(0.0, second)
    agent.step(0.0, third)
    np.testing.assert_array_equal(agent.state[0, 0], [2, 3])
    agent.begin_episode(second)
    np.testing.assert_array_equal(agent.state[0, 0], [0, 2])


def test_short_memory_is_a_copy():
    agent = agents.recycled_agent()
    stream = Stream()
    stream.drive(agent, 5)
    memory = agent.actor_state()
    before, state = agent.action, agent.state.copy()
    stream.drive(agent, 3)
    agent.set_actor_state(memory)
    np.testing.assert_array_equal(agent.state, state)
    np.testing.assert_array_equal(agent._observation, state[..., -1])
    assert agent.action == before


def test_other_windows_can_be_bound():
    gin.bind_parameter("FrameReplay.windows", complete_windows)
    agent = agents.recycled_agent()
    assert isinstance(agent._replay, FrameReplay)
    Stream(episode_length=5).drive(agent, 11)
    batch = agent._replay.sample(200)
    # The ends of episodes have a reward of 1, which Dopamine's windows never see.
    assert batch.reward[batch.is_terminal].tolist() == [1.0] * batch.is_terminal.sum()
