"""MuJoCo's robots as Dopamine plays them, and their state on the way and back."""

import gymnasium
import numpy as np
import pytest

from redo_dopamine.environments import atari, control

pytest.importorskip("mujoco", reason="pip install 'redo-dopamine[mujoco]'")
ROBOTS = [
    "HalfCheetah-v4",
    "HalfCheetah-v5",
    "Hopper-v4",
    "Walker2d-v4",
    "Ant-v4",
    "Ant-v5",
]
PREPROCESSINGS = [None, control.ppo_preprocessing]


def drive(environment, actions):
    """All that the environment says, episodes begun again where they end."""
    said = []
    for action in actions:
        observation, reward, terminal, _ = environment.step(action)
        said += [*observation, reward, terminal, environment.true_reward]
        if terminal:
            said += [*environment.reset()]
    return np.array(said)


def actions_of(environment, number, seed=0):
    rng = np.random.default_rng(seed)
    shape = number, *environment.action_space.shape
    return rng.uniform(-1, 1, shape).astype(np.float32)


@pytest.mark.parametrize("preprocessing", PREPROCESSINGS)
@pytest.mark.parametrize("robot", ROBOTS)
def test_a_robot_returns_to_its_state(robot, preprocessing):
    first, second = (
        control.create_control_environment(robot, preprocessing) for _ in range(2)
    )
    assert atari.is_restorable(first)
    atari.seed_environment(first, np.random.default_rng(1))
    first.reset()
    actions = actions_of(first, 200)
    drive(first, actions[:73])
    state = {name: array.copy() for name, array in first.get_state().items()}
    second.set_state(state)
    for name, array in second.get_state().items():
        np.testing.assert_array_equal(array, state[name], err_msg=name)
    expected = drive(first, actions[73:])
    np.testing.assert_array_equal(drive(second, actions[73:]), expected)


@pytest.mark.parametrize("preprocessing", PREPROCESSINGS)
def test_a_robot_returns_to_before_its_first_episode(preprocessing):
    """Where its statistics have fewer bits than from the first observation on."""
    first, second = (
        control.create_control_environment("Hopper-v4", preprocessing) for _ in range(2)
    )
    second.set_state(first.get_state())
    for environment in (first, second):
        atari.seed_environment(environment, np.random.default_rng(1))
        environment.reset()
        drive(environment, actions_of(environment, 20))
    expected = first.get_state()
    for name, array in second.get_state().items():
        np.testing.assert_array_equal(array, expected[name], err_msg=name)


def test_the_same_seed_gives_the_same_episodes():
    said = []
    for seed in (1, 1, 2):
        environment = control.create_control_environment("Hopper-v4")
        atari.seed_environment(environment, np.random.default_rng(seed))
        said.append([*environment.reset(), *environment.reset()])
    assert said[0] == said[1] != said[2]


def test_steps_are_gymnasiums_and_without_a_time_limit(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # Where MuJoCo leaves a log.
    ours = control.create_control_environment("HalfCheetah-v5")
    theirs = gymnasium.make("HalfCheetah-v5").unwrapped
    ours.seed(3)
    theirs.reset(seed=3)
    np.testing.assert_array_equal(ours.reset(), theirs.reset()[0])
    for action in actions_of(ours, 1001):
        expected, found = theirs.step(action), ours.step(action)
        np.testing.assert_array_equal(found[0], expected[0])
        assert found[1:3] == expected[1:3]
        assert ours.true_reward == expected[1]
    assert not ours.game_over


def test_what_is_normalized_is_clipped_and_the_true_reward_is_kept():
    plain, normalized = (
        control.create_control_environment("Walker2d-v4", preprocessing=preprocessing)
        for preprocessing in PREPROCESSINGS
    )
    for environment in (plain, normalized):
        environment.seed(0)
        environment.reset()
    # Beyond the limits, to which the preprocessing takes them back.
    for action in 3 * actions_of(plain, 60):
        observation, reward, terminal, _ = normalized.step(action)
        _, true_reward, _, _ = plain.step(np.clip(action, -1, 1))
        assert normalized.true_reward == pytest.approx(true_reward)
        assert np.abs(observation).max() <= 10 >= abs(reward)
        if terminal:
            break
    assert reward != pytest.approx(true_reward)


def test_held_statistics_do_not_move():
    environment = control.create_control_environment(
        "Hopper-v4", preprocessing=control.ppo_preprocessing
    )
    environment.seed(0)
    environment.reset()
    drive(environment, actions_of(environment, 50))

    before = environment.get_lasting()
    assert before["discounted_return"] != 0
    with environment.held_statistics():
        drive(environment, actions_of(environment, 50))
    for name, array in environment.get_lasting().items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)
    drive(environment, actions_of(environment, 50))
    after = environment.get_lasting()
    assert after["observation_count"] > before["observation_count"] + 49


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("HalfCheeta-v4", "Did you mean: `HalfCheetah`"),
        ("HalfCheetah-v9", "versioned environments"),
        ("", "must name an environment"),
        ("CartPole-v1", "must have vectors as actions"),
    ],
)
def test_a_wrong_name_is_an_error(name, message):
    with pytest.raises(ValueError, match=message):
        control.create_control_environment(name)


def test_making_one_leaves_no_notes(tmp_path, monkeypatch, capfd, recwarn):
    monkeypatch.chdir(tmp_path)
    control.create_control_environment("Hopper-v4")
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")
    assert not recwarn


def test_other_physics_keep_their_statistics():
    first, second = (
        control.create_control_environment("Pendulum-v1", control.ppo_preprocessing)
        for _ in range(2)
    )
    first.reset()
    drive(first, actions_of(first, 50))
    state = atari.get_state(first)
    assert state["observation_count"] > 50
    atari.set_state(second, state)
    for name, array in atari.get_state(second).items():
        np.testing.assert_array_equal(array, state[name], err_msg=name)


def test_other_physics_are_played_and_not_restored():
    environment = control.create_control_environment("Pendulum-v1")
    assert not atari.is_restorable(environment)
    atari.seed_environment(environment, np.random.default_rng(0))
    assert environment.reset().shape == environment.observation_space.shape
