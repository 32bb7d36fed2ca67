import pytest

from redo_dopamine.replay.windows import (
    Step,
    WindowSettings,
    complete_windows,
    dopamine_windows,
)

REWARDS = (1.0, 10.0, 100.0, 1000.0, 10000.0)


def records(windows, horizon, *, terminal, stack_size=2):
    """Of a 5-step episode, frames 0 to 4, actions ten times as high, gamma 1/2."""
    settings = WindowSettings(stack_size, horizon, 0.5)
    steps, out = [], []
    for t, reward in enumerate(REWARDS):
        last = t == 4
        steps.append(Step(t, 10 * t, reward, last and terminal, last))
        steps = steps[-(horizon + stack_size) :]
        out += windows(steps, settings)
    return [tuple(record)[:7] for record in out]


# Frame, depth, span, action, reward, terminal, episode end.


def test_complete_one_step_windows_of_an_episode_that_ends():
    assert records(complete_windows, 1, terminal=True) == [
        (0, 1, 1, 0, 1.0, False, False),
        (1, 2, 1, 10, 10.0, False, False),
        (2, 2, 1, 20, 100.0, False, False),
        (3, 2, 1, 30, 1000.0, False, False),
        (4, 2, 0, 40, 10000.0, True, True),
    ]


def test_complete_one_step_windows_of_an_episode_that_is_cut_off():
    assert records(complete_windows, 1, terminal=False) == [
        (0, 1, 1, 0, 1.0, False, False),
        (1, 2, 1, 10, 10.0, False, False),
        (2, 2, 1, 20, 100.0, False, False),
        (3, 2, 1, 30, 1000.0, False, True),
    ]


def test_complete_three_step_windows_of_an_episode_that_ends():
    assert records(complete_windows, 3, terminal=True) == [
        (0, 1, 3, 0, 1.0 + 5.0 + 25.0, False, False),
        (1, 2, 3, 10, 10.0 + 50.0 + 250.0, False, False),
        (2, 2, 2, 20, 100.0 + 500.0 + 2500.0, True, True),
        (3, 2, 1, 30, 1000.0 + 5000.0, True, True),
        (4, 2, 0, 40, 10000.0, True, True),
    ]


def test_complete_three_step_windows_of_an_episode_that_is_cut_off():
    assert records(complete_windows, 3, terminal=False) == [
        (0, 1, 3, 0, 31.0, False, False),
        (1, 2, 3, 10, 310.0, False, True),
    ]


def test_a_window_longer_than_its_episode():
    assert [r[:5] for r in records(complete_windows, 9, terminal=True)] == [
        (0, 1, 4, 0, 1.0 + 5.0 + 25.0 + 125.0 + 625.0),
        (1, 2, 3, 10, 10.0 + 50.0 + 250.0 + 1250.0),
        (2, 2, 2, 20, 3100.0),
        (3, 2, 1, 30, 6000.0),
        (4, 2, 0, 40, 10000.0),
    ]
    assert records(complete_windows, 9, terminal=False) == []


def test_dopamines_windows_lose_the_last_reward_and_repeat():
    assert records(dopamine_windows, 1, terminal=True) == [
        (0, 1, 1, 0, 1.0, False, False),
        (1, 2, 1, 10, 10.0, False, False),
        (2, 2, 1, 20, 100.0, False, False),
        (3, 2, 1, 30, 1000.0, True, True),
        (3, 1, 1, 30, 1000.0, True, True),
    ]


@pytest.mark.parametrize("windows", [complete_windows, dopamine_windows])
def test_an_episode_of_one_step(windows):
    step = Step(7, 1, 3.0, terminal=True, episode_end=True)
    out = list(windows([step], WindowSettings(4, 3, 0.5)))
    expected = [(7, 1, 0, 1, 3.0, True, True)] if windows is complete_windows else []
    assert [tuple(r)[:7] for r in out] == expected
    assert [(r.rewards, r.end) for r in out] == [([3.0], 1)] * len(expected)
