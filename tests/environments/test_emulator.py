import ale_py
import numpy as np
import pytest
from dopamine.discrete_domains import atari_lib

from redo_dopamine.environments import atari as emulator


@pytest.fixture(autouse=True)
def quiet_emulator():
    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)


def atari(game, frame_skip, terminal_on_life_loss):
    environment = atari_lib.create_atari_environment(game_name=game)
    environment.frame_skip = frame_skip
    environment.terminal_on_life_loss = terminal_on_life_loss
    return environment


def seeded(environment):
    emulator.seed_environment(environment, np.random.default_rng(0))
    return environment


@pytest.mark.parametrize("frame_skip", [1, 3, 4])
@pytest.mark.parametrize(
    ("game", "terminal_on_life_loss"),
    [("Breakout", False), ("Breakout", True), ("Pong", True)],
)
def test_steps_are_those_of_dopamine(game, frame_skip, terminal_on_life_loss):
    settings = game, frame_skip, terminal_on_life_loss
    theirs, ours = (
        seeded(atari(*settings)),
        seeded(emulator.restorable(atari(*settings))),
    )
    np.testing.assert_array_equal(ours.reset(), theirs.reset())
    rng = np.random.default_rng(1)
    ends = 0
    for _ in range(400):
        action = rng.integers(theirs.action_space.n)
        expected, reward, terminal, info = theirs.step(action)
        found = ours.step(action)
        np.testing.assert_array_equal(found[0], expected)
        assert found[0].dtype == expected.dtype
        assert found[1:3] == (reward, terminal)
        assert found[3]["lives"] == info["lives"]
        assert (ours.game_over, ours.lives) == (theirs.game_over, theirs.lives)
        ends += terminal
        if theirs.game_over:
            np.testing.assert_array_equal(ours.reset(), theirs.reset())
    if game == "Breakout" and frame_skip > 1:
        assert ends > 0


def test_a_game_ends_where_the_emulator_cuts_it_off():
    environment = emulator.direct(atari("Pong", 4, False))
    environment.environment.unwrapped.ale.setInt("max_num_frames_per_episode", 40)
    seeded(environment)
    environment.reset()
    ended = [environment.step(0)[2] for _ in range(10)]
    assert ended == [False] * 9 + [True]
    assert environment.game_over


def test_an_environment_of_another_kind_is_left_as_it_is():
    other = object()
    assert emulator.direct(other) is other
    assert emulator.restorable(other) is other


def test_continuous_actions_are_left_to_dopamine():
    environment = atari_lib.create_atari_environment(
        game_name="Pong", continuous_action_threshold=0.5
    )
    assert emulator.restorable(environment) is environment
