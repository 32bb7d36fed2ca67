import functools
import types

import numpy as np
import pytest
from dopamine.discrete_domains import atari_lib

from redo_dopamine.environments.atari import seed_environment
from redo_dopamine.runners import atari_100k


class Countdown:
    """Pays its number at every step, and ends after as many steps."""

    action_space = types.SimpleNamespace(n=3)

    def __init__(self, length):
        self.length = length
        self.actions = []

    def reset(self):
        self.steps = 0
        return np.full((4, 4, 1), 100, np.uint8)

    def step(self, action):
        self.steps += 1
        self.actions.append(action)
        observation = np.full((4, 4, 1), self.steps % 256, np.uint8)
        return observation, float(self.length), self.steps == self.length, {}


def play(environments, policy, **settings):
    return atari_100k.play_episodes(
        environments,
        policy,
        **{
            "stack_size": 3,
            "epsilon": 0.0,
            "max_steps": 100,
            "rng": np.random.default_rng(0),
            "start": lambda environment, rng: environment.reset(),
            **settings,
        },
    )


def test_every_episode_is_played_to_its_own_end():
    environments = [Countdown(n) for n in (5, 1, 3)]
    returns = play(environments, lambda states: np.ones(len(states), int))
    assert returns == [25.0, 1.0, 9.0]
    assert [x.actions for x in environments] == [[1] * 5, [1], [1] * 3]


def test_the_policy_sees_the_last_observations_of_the_running_ones():
    seen = []

    def policy(states):
        seen.append(states.copy())
        return np.zeros(len(states), int)

    play([Countdown(4), Countdown(2)], policy)
    stacks = [states[0, 0, 0].tolist() for states in seen]
    assert stacks == [[0, 0, 100], [0, 100, 1], [100, 1, 2], [1, 2, 3]]


def test_batches_are_of_few_sizes():
    sizes = []

    def policy(states):
        sizes.append(len(states))
        return np.zeros(len(states), int)

    play([Countdown(n) for n in range(1, 14)], policy)
    assert sizes == [13] * 7 + [6] * 3 + [3, 3, 1]  # 13, 12, ..., 1 still running.


def test_a_long_episode_is_cut_off():
    [cut] = play([Countdown(50)], lambda states: np.zeros(1, int), max_steps=7)
    assert cut == 7 * 50.0


def test_epsilon_is_the_share_of_random_actions():
    environment = Countdown(4000)
    play([environment], lambda states: np.zeros(1, int), epsilon=0.3, max_steps=4000)
    # Two of three random actions are not the greedy one.
    assert np.mean(np.array(environment.actions) != 0) == pytest.approx(0.2, abs=0.03)


def test_no_ops_are_from_none_to_all_of_them():
    counts = set()
    for seed in range(200):
        environment = Countdown(100)
        atari_100k.start_with_no_ops(
            environment, np.random.default_rng(seed), max_no_ops=4
        )
        assert set(environment.actions) <= {0}
        counts.add(len(environment.actions))
    assert counts == {0, 1, 2, 3, 4}


def test_an_episode_that_ends_during_the_no_ops_begins_again():
    environment = Countdown(2)
    observation = atari_100k.start_with_no_ops(
        environment, np.random.default_rng(1), max_no_ops=50
    )
    assert environment.steps < 2
    assert observation.max() in (1, 100)


def test_side_by_side_is_as_one_by_one():
    """The same seeds and greedy actions give the returns of episodes run alone."""

    def environments():
        found = [atari_lib.create_atari_environment("DemonAttack") for _ in range(3)]
        for seed, environment in enumerate(found):
            seed_environment(environment, np.random.default_rng(seed))
        return found

    def policy(states):
        return states[:, ::7, ::7].sum(axis=(1, 2, 3)) % 6

    together = play(environments(), policy, stack_size=4, max_steps=300)
    alone = [play([x], policy, stack_size=4, max_steps=300)[0] for x in environments()]
    assert together == alone
    assert len(set(alone)) > 1


def test_start_may_be_bound_to_a_number_of_no_ops():
    start = functools.partial(atari_100k.start_with_no_ops, max_no_ops=0)
    environment = Countdown(3)
    play([environment], lambda states: np.zeros(1, int), start=start)
    assert len(environment.actions) == 3
