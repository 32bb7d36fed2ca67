import numpy as np
import pytest
from dopamine.discrete_domains import atari_lib

from helpers import runs
from redo_dopamine import training
from redo_dopamine.config import load
from redo_dopamine.errors import UserError
from redo_dopamine.runners import atari_100k

TINY = (
    "JaxDQNAgent.seed = 3",
    "JaxDQNAgent.min_replay_history = 20",
    "JaxDQNAgent.summary_writing_frequency = 10",
    "NatureRainbowNetwork.width = 0.125",
    "RecycledDrQEpsAgent.tracking_period = 10",
    "redo.period = 20",
    "ReplayBuffer.batch_size = 4",
    "ReplayBuffer.max_capacity = 500",
    "Runner.num_iterations = 2",
    "Runner.training_steps = 60",
    "Runner.max_steps_per_episode = 45",
    "Atari100kRunner.num_eval_episodes = 3",
    "create_atari_environment.game_name = 'Breakout'",
)


@pytest.fixture(autouse=True)
def gin_state(clean_gin):
    pass


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return runs.run(tmp_path_factory.mktemp("drq") / "run", "drq_eps_redo.gin", TINY)


def steps_of(directory, name):
    rows = runs.metrics(directory)
    return [int(row["agent_step"]) for row in rows if row["name"] == name]


def test_there_are_26_games():
    assert len(set(atari_100k.GAMES)) == 26


@pytest.mark.parametrize("game", atari_100k.GAMES)
def test_a_game_can_be_configured_and_begun(game):
    binding = f"create_atari_environment.game_name = '{game}'"
    runs.configure_run("drq_eps.gin", (*TINY, binding))
    environment = atari_lib.create_atari_environment()
    observation = atari_100k.start_with_no_ops(
        environment, np.random.default_rng(0), max_no_ops=30
    )
    assert observation.shape == (84, 84, 1)
    assert environment.environment.unwrapped.get_action_meanings()[0] == "NOOP"


def test_an_iteration_has_exactly_its_steps_and_an_evaluation(finished):
    assert steps_of(finished, "train/average_return") == [60, 120]
    assert steps_of(finished, "eval/average_return") == [60, 120]


def test_a_time_limit_ends_an_episode_and_the_end_of_an_iteration_cuts_one_off(
    finished,
):
    # 45 steps by the limit, 15 that are cut off and not reported; twice.
    assert steps_of(finished, "train/episode_return") == [45, 105]


def test_it_tracks_and_recycles(finished):
    names = {row["name"] for row in runs.metrics(finished)}
    assert {"dormant_fraction/0.1/Dense_0", "recycled/Dense_0", "loss"} <= names


def test_a_seed_makes_a_run_repeatable(finished, tmp_path):
    again = runs.run(tmp_path, "drq_eps_redo.gin", TINY)
    assert runs.metrics(again) == runs.metrics(finished)


def test_a_prolonged_run_equals_one_that_never_stopped(finished, tmp_path):
    first = (*TINY, "Runner.num_iterations = 1")
    resumed = runs.run(tmp_path, "drq_eps_redo.gin", first)
    runs.run(tmp_path, "drq_eps_redo.gin", TINY)
    assert runs.metrics(resumed) == runs.metrics(finished)


def test_losing_a_life_ends_an_episode_in_training_only(tmp_path):
    runs.configure_run("drq_eps.gin", TINY)
    runner = training.build_runner(str(tmp_path))
    assert runner._environment.terminal_on_life_loss
    environments = runner.eval_environments()
    assert len(environments) == 3
    assert not any(x.terminal_on_life_loss for x in environments)


def test_an_evaluation_leaves_the_agent_as_it_was(tmp_path):
    runs.configure_run("drq_eps.gin", TINY)
    runner = training.build_runner(str(tmp_path))
    before = runner.agent._rng, runner.agent._replay.add_count
    runner._run_eval_phase(None)
    assert (runner.agent._rng, runner.agent._replay.add_count) == before


def test_episodes_need_a_limit(tmp_path):
    runs.configure_run("drq_eps.gin", (*TINY, "Runner.max_steps_per_episode = None"))
    with pytest.raises(UserError, match="max_steps_per_episode must be a number"):
        training.build_runner(str(tmp_path))


def test_the_configuration_is_the_papers():
    runs.configure_run("drq_eps_redo.gin", ())
    expected = {
        "JaxDQNAgent.update_horizon": 10,
        "JaxDQNAgent.min_replay_history": 1600,
        "JaxDQNAgent.target_update_period": 1,
        "JaxDQNAgent.epsilon_decay_period": 5000,
        "create_optimizer.learning_rate": 1e-4,
        "create_optimizer.eps": 1.5e-4,
        "create_atari_environment.sticky_actions": False,
        "AtariPreprocessing.terminal_on_life_loss": True,
        "Runner.training_steps": 10_000,
        "Runner.num_iterations": 40,
        "Atari100kRunner.num_eval_episodes": 100,
        "Atari100kRunner.max_no_ops": 30,
        "redo.tau": 0.1,
    }
    assert {name: load.bound(name) for name in expected} == expected
