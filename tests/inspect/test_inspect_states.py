"""The draw that tracking made, made again later."""

import gin
import numpy as np
import pytest

from helpers import agents
from helpers.agents import Stream, assert_trees_equal
from redo_dopamine.errors import UserError
from redo_dopamine.inspect.restore import from_file, from_replay

TRACKED = {"taus": (0.1,), "tracking_period": 1, "tracking_batch_size": 6}


@pytest.fixture
def settings(clean_gin):
    agents.bind_replay()
    return {"replay_ratio": 0.5, "update_period": 4, **TRACKED}


def drawn_again(agent, last, batch_size=None):
    """Whether the draw is tracking's; leaves the buffer as it was."""
    records = agent._replay._contents.records
    end = records.end
    look = from_replay(agent, batch_size)
    records.end = end
    if not look.origin.endswith("those that tracking drew at this gradient step."):
        return False
    assert_trees_equal(look.batch, last[0])
    return True


def watch_draws(agent, monkeypatch):
    """A list whose first entry is the last batch that tracking drew."""
    last = []
    measure = agent._plasticity.tracking.measure

    def watched(params, target_params, batch):
        last[:] = [batch]
        return measure(params, target_params, batch)

    monkeypatch.setattr(agent._plasticity.tracking, "measure", watched)
    return last


@pytest.mark.parametrize("horizon", [1, 3])
def test_trackings_draw_is_made_again_at_any_agent_step(settings, horizon, monkeypatch):
    agent = agents.recycled_agent(update_horizon=horizon, **settings)
    last = watch_draws(agent, monkeypatch)
    stream = Stream(episode_length=11)
    stream.drive(agent, 30)
    for step in range(30):
        stream.drive(agent, 1)
        if step % 7 == 0:  # As an iteration ends: with the episode.
            agent.end_episode(1.0, terminal=bool(step % 2))
            assert drawn_again(agent, last)
            stream._num_steps = 0
            continue
        assert drawn_again(agent, last)


def test_a_draw_of_what_was_overwritten_since_is_known(settings, monkeypatch):
    gin.bind_parameter("ReplayBuffer.max_capacity", 40)
    agent = agents.recycled_agent(**settings)
    last = watch_draws(agent, monkeypatch)
    stream = Stream(episode_length=11)
    stream.drive(agent, 60)
    again = []
    for _ in range(40):
        stream.drive(agent, 1)
        again.append(drawn_again(agent, last))
    assert 0 < sum(again) < 40  # Whatever was said to be the draw was compared.


def test_another_number_of_states_is_another_draw(settings, monkeypatch):
    agent = agents.recycled_agent(**settings)
    last = watch_draws(agent, monkeypatch)
    Stream().drive(agent, 40)
    assert drawn_again(agent, last, 6)
    assert not drawn_again(agent, last, 7)
    first, second = (from_replay(agent, 7).batch for _ in range(2))
    assert first["state"].shape == (7, 20, 20, 2)
    assert_trees_equal(first, second)


def test_a_batch_of_no_states_is_refused(settings):
    agent = agents.recycled_agent(**settings)
    with pytest.raises(UserError, match=r"--batch_size must be at least 1.*is 0"):
        from_replay(agent, 0)


def test_states_of_a_file_enter_the_network_as_those_of_the_replay(settings, tmp_path):
    agent = agents.recycled_agent(**settings)
    Stream().drive(agent, 40)
    states = np.ascontiguousarray(agent._replay.sample(5).state)
    np.save(tmp_path / "states.npy", states)
    batch = from_file(agent, tmp_path / "states.npy").batch
    assert list(batch) == ["state"]
    np.testing.assert_array_equal(batch["state"], agent.preprocess_fn(states))


@pytest.mark.parametrize(
    ("states", "seen"),
    [
        (np.zeros((3, 20, 20, 4), np.uint8), r"\[3, 20, 20, 4\] of uint8"),
        (np.zeros((20, 20, 2), np.uint8), r"\[20, 20, 2\] of uint8"),
        (np.zeros((0, 20, 20, 2), np.uint8), r"\[0, 20, 20, 2\] of uint8"),
        (np.zeros((3, 20, 20, 2), np.float32), r"\[3, 20, 20, 2\] of float32"),
    ],
)
def test_states_of_another_shape_or_type_are_refused(settings, states, seen, tmp_path):
    agent = agents.recycled_agent(**settings)
    np.save(tmp_path / "states.npy", states)
    rule = r"must hold an array \[B, 20, 20, 2\] of uint8"
    with pytest.raises(UserError, match=f"{rule}.*{seen}"):
        from_file(agent, tmp_path / "states.npy")


def test_what_is_no_array_is_refused(settings, tmp_path):
    agent = agents.recycled_agent(**settings)
    path = tmp_path / "states.npy"
    with pytest.raises(UserError, match=r"must be a file that numpy.save wrote"):
        from_file(agent, path)
    path.write_text("no array")
    with pytest.raises(UserError, match=r"must be a file that numpy.save wrote"):
        from_file(agent, path)
    np.savez(tmp_path / "states.npz", a=np.zeros(2))
    with pytest.raises(UserError, match=r"is an archive of \['a'\]"):
        from_file(agent, tmp_path / "states.npz")
