"""Transitions cut to a shorter horizon when they are drawn."""

import numpy as np
import pytest
from dopamine.jax.replay_memory import elements

from redo_dopamine.core.checks import SettingError
from redo_dopamine.replay.prioritized import PrioritizedFrameReplay
from redo_dopamine.replay.windows import Record, complete_windows, dopamine_windows


class At:
    """What a buffer draws at, to be changed between two draws."""

    def __init__(self, horizon, gamma):
        self.now = horizon, gamma

    def __call__(self):
        return self.now


def episode(rewards, terminal=True):
    for t, reward in enumerate(rewards):
        last = t == len(rewards) - 1
        frame = np.full((1, 1), t, np.uint8)
        yield elements.TransitionElement(
            frame, np.int32(t), reward, last and terminal, last
        )


def annealed(replays, at, rewards, **settings):
    buffer = replays.ours(
        stack_size=1, update_horizon=3, draw_at=at, windows=complete_windows, **settings
    )
    for step in episode(rewards):
        buffer.add(step)
    return buffer


def test_returns_next_states_and_ends_by_hand(replays):
    at = At(3, 0.5)
    buffer = annealed(replays, at, (1.0, 10.0, 100.0, 1000.0))
    drawn = replays.everything(buffer)
    assert drawn.reward.tolist() == [1 + 5 + 25, 10 + 50 + 250, 100 + 500, 1000]
    assert drawn.is_terminal.tolist() == [False, True, True, True]
    at.now = 2, 0.9
    drawn = replays.everything(buffer)
    expected = [1 + 9.0, 10 + 90.0, 100 + 900.0, 1000.0]
    np.testing.assert_allclose(drawn.reward, expected, rtol=1e-15)
    assert drawn.next_state.ravel().tolist() == [2, 3, 3, 3]
    assert drawn.is_terminal.tolist() == [False, False, True, True]
    at.now = 1, 0.5
    drawn = replays.everything(buffer)
    assert drawn.reward.tolist() == [1, 10, 100, 1000]
    assert drawn.next_state.ravel().tolist() == [1, 2, 3, 3]
    assert drawn.episode_end.tolist() == [False, False, False, True]


@pytest.mark.parametrize("windows", [dopamine_windows, complete_windows])
@pytest.mark.parametrize("stack_size", [1, 4])
def test_at_the_stored_horizon_batches_are_those_of_today_bit_for_bit(
    replays, windows, stack_size
):
    same = {"windows": windows, "stack_size": stack_size, "update_horizon": 5}
    plain, cut = replays.ours(**same), replays.ours(**same, draw_at=At(5, 0.99))
    steps = replays.stream(seed=stack_size, ends=0.1)
    for _ in range(20):
        replays.feed(steps, 9, plain, cut)
        if plain.add_count:
            replays.assert_same_batch(plain.sample(), cut.sample())
    assert plain.add_count > 100


@pytest.mark.parametrize("horizon", [1, 2, 4])
def test_a_cut_transition_is_the_one_that_a_shorter_horizon_stores(replays, horizon):
    same = {"windows": complete_windows, "max_capacity": 1000}
    short = replays.ours(**same, update_horizon=horizon, gamma=0.8)
    cut = replays.ours(**same, update_horizon=5, draw_at=At(horizon, 0.8))
    steps = replays.stream(seed=horizon, ends=0.2)
    for _ in range(200):
        step = next(steps)
        # Of an episode that is cut off, the longest windows are fewer.
        step = step._replace(episode_end=step.is_terminal)
        short.add(step)
        cut.add(step)
    count = cut.add_count
    assert count > 100
    # Those of the running episode come sooner to the shorter one.
    assert short.add_count >= count
    one, other = replays.everything(short), replays.everything(cut)
    for name in replays.fields:
        np.testing.assert_array_equal(
            getattr(one, name)[:count], getattr(other, name), err_msg=name
        )


def test_a_restored_buffer_draws_on_as_the_saved_one(replays, tmp_path):
    def made():
        return PrioritizedFrameReplay(
            **{"stack_size": 2, "update_horizon": 4, "gamma": 0.9, "seed": 3},
            **{"max_capacity": 30, "batch_size": 6, "draw_at": At(2, 0.7)},
        )

    first, second = made(), made()
    steps = replays.stream(seed=9)
    replays.feed(steps, 50, first)
    first.save(tmp_path, 0)
    second.load(tmp_path, 0)
    replays.feed(steps, 5, first, second)
    for _ in range(3):
        replays.assert_same_batch(first.sample(), second.sample())
    first._draw_at.now = second._draw_at.now = 3, 0.8
    replays.assert_same_batch(first.sample(), second.sample())


def test_a_checkpoint_without_rewards_is_refused(replays, tmp_path):
    plain = replays.ours(update_horizon=3)
    replays.feed(replays.stream(), 20, plain)
    plain.save(tmp_path, 0)
    cut = replays.ours(update_horizon=3, draw_at=At(2, 0.9))
    with pytest.raises(ValueError, match="must have the settings of its checkpoint"):
        cut.load(tmp_path, 0)


@pytest.mark.parametrize("horizon", [0, 4, 1.5])
def test_a_horizon_that_is_not_stored_is_an_error(replays, horizon):
    buffer = annealed(replays, At(horizon, 0.9), (1.0, 1.0, 1.0, 1.0))
    with pytest.raises(ValueError, match=rf"from 1 to update_horizon, 3, .* {horizon}"):
        buffer.sample()


def test_windows_without_rewards_cannot_be_cut(replays):
    def bare(steps, settings):
        for record in complete_windows(steps, settings):
            yield Record(*record[:7])

    assert replays.ours(windows=bare).num_transitions == 0
    with pytest.raises(SettingError, match=r"with their rewards, .*@bare gives"):
        replays.ours(windows=bare, draw_at=At(1, 0.9))
