"""MinAtar's games as Dopamine plays them: their state, their seeds, whole runs."""

import sys

import numpy as np
import pytest

from helpers import runs
from redo_dopamine import training
from redo_dopamine.environments import atari
from redo_dopamine.environments.minatar import GAMES, create_minatar_environment
from redo_dopamine.errors import UserError

pytest.importorskip("minatar", reason="pip install 'redo-dopamine[minatar]'")
TINY = (
    *(binding for binding in runs.TINY_REDO if "NatureNetwork" not in binding),
    "MinatarNetwork.width = 0.25",
    "Runner.evaluation_steps = 30",
)


def play(environment, actions):
    """All that the environment says, episodes begun again where they end."""
    said = []
    for action in actions:
        observation, reward, terminal, _ = environment.step(action)
        said.append([*observation.ravel(), reward, terminal, environment.game_over])
        if terminal:
            said.append([*environment.reset().ravel(), 0, 0, 0])
    return np.array(said)


def actions_of(number, seed=0):
    return np.random.default_rng(seed).integers(6, size=number)


def made(game, seed=1):
    environment = create_minatar_environment(game)
    atari.seed_environment(environment, np.random.default_rng(seed))
    environment.reset()
    return environment


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize("num_steps", [0, 7, 400])
def test_a_game_returns_to_its_state(game, num_steps):
    first, second = made(game), made(game, seed=2)
    assert atari.is_restorable(first)
    play(first, actions_of(num_steps))
    state = {name: array.copy() for name, array in first.get_state().items()}
    assert not any(array.dtype.hasobject for array in state.values())
    play(second, actions_of(50, seed=3))
    second.set_state(state)
    for name, array in second.get_state().items():
        np.testing.assert_array_equal(array, state[name], err_msg=name)
    expected = play(first, actions_of(600, seed=4))
    np.testing.assert_array_equal(play(second, actions_of(600, seed=4)), expected)


@pytest.mark.parametrize("game", GAMES)
def test_a_seed_is_a_game(game):
    said = [play(made(game, seed), actions_of(300)) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(said[0], said[1])
    assert said[0].shape != said[2].shape or (said[0] != said[2]).any()


def test_a_seed_forgets_the_last_action():
    environment = made("Breakout")
    play(environment, actions_of(50))
    environment.seed(7)
    environment.reset()
    fresh = create_minatar_environment("Breakout")
    fresh.seed(7)
    fresh.reset()
    expected = play(fresh, actions_of(200))
    np.testing.assert_array_equal(play(environment, actions_of(200)), expected)


def test_steps_are_minatars():
    import minatar

    ours, theirs = (
        create_minatar_environment("SpaceInvaders"),
        minatar.Environment("space_invaders"),
    )
    assert theirs.sticky_action_prob == 0.1
    ours.seed(3)
    theirs.seed(3)
    theirs.reset()
    np.testing.assert_array_equal(ours.reset(), theirs.state())
    for action in actions_of(300):
        reward, terminal = theirs.act(action)
        observation, *found = ours.step(action)
        assert found[:2] == [reward, terminal]
        assert observation.dtype == np.uint8
        np.testing.assert_array_equal(observation, theirs.state())
        if terminal:
            theirs.reset()
            ours.reset()


@pytest.mark.parametrize("name", ["Pong", "space_invaders", ""])
def test_a_wrong_game_is_an_error(name):
    with pytest.raises(ValueError, match=f"but is '{name}'. There are SpaceInv"):
        create_minatar_environment(name)


def test_without_minatar_there_is_one_message(monkeypatch):
    monkeypatch.setitem(sys.modules, "minatar", None)
    with pytest.raises(ValueError, match=r"redo-dopamine\[minatar\]"):
        create_minatar_environment("Breakout")


@pytest.mark.parametrize("game", ["SpaceInvaders", "Seaquest"])
def test_a_run_tracks_recycles_and_evaluates(game, tmp_path, clean_gin):
    setting = f"create_minatar_environment.game_name = '{game}'"
    runs.run(tmp_path, "minatar_dqn_redo.gin", (*TINY, setting))
    rows = runs.metrics(tmp_path)
    names = {row["name"] for row in rows}
    assert {"largest_q", "eval/average_return", "recycled/Conv_0"} <= names
    assert {"dormant_fraction/0.1/Conv_0", "dormant_fraction/0.1/Dense_0"} <= names
    after = [r for r in rows if r["name"] == "dormant_fraction_after/0.1"]
    recycled = {r["gradient_step"] for r in rows if r["name"] == "recycled/Conv_0"}
    assert {row["gradient_step"] for row in after} == recycled
    assert game in (tmp_path / "run.json").read_text()


def test_a_prolonged_run_equals_one_that_never_stopped(tmp_path, clean_gin):
    # An iteration may end anywhere, since no episode has a longest length.
    setting = "Runner.max_steps_per_episode = None"
    longer = (*TINY, setting, "Runner.num_iterations = 3")
    straight = runs.run(tmp_path / "straight", "minatar_dqn_redo.gin", longer)
    resumed = runs.run(tmp_path / "run", "minatar_dqn_redo.gin", (*TINY, setting))
    runs.run(resumed, "minatar_dqn_redo.gin", longer)
    assert runs.metrics(resumed) == runs.metrics(straight)


def test_a_wrong_game_ends_a_run_before_there_is_one(tmp_path, clean_gin):
    setting = "create_minatar_environment.game_name = 'Pong'"
    runs.configure_run("minatar_dqn.gin", (*TINY, setting))
    with pytest.raises(UserError, match="must be a game of MinAtar, but is 'Pong'"):
        training.train(str(tmp_path / "run"))
