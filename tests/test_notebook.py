"""`from redo_dopamine import train, load`: the command line's path, and an agent."""

import subprocess
import sys

import gin
import numpy as np
import pytest

import redo_dopamine
from helpers import runs
from redo_dopamine.environments import atari
from redo_dopamine.errors import UserError
from redo_dopamine.inspect import restore
from redo_dopamine.inspect.loaded import RecentDormancy
from redo_dopamine.notebook import gin_value

BINDINGS = dict(text.split(" = ", 1) for text in runs.TINY_REDO)


@pytest.fixture(autouse=True)
def gin_state(clean_gin):
    pass


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    values = {name: float(x) if "." in x else int(x) for name, x in BINDINGS.items()}
    directory = tmp_path_factory.mktemp("notebook") / "run"
    return redo_dopamine.train("dqn_redo.gin", values, base_dir=directory)


def test_a_run_is_the_one_of_the_command_line(run, tmp_path):
    other = runs.run(tmp_path / "run")
    assert runs.metrics(run) == runs.metrics(other)
    assert (run / "status.json").exists()


def test_values_become_gin_source():
    assert gin_value("Pong") == "'Pong'"
    assert gin_value(["@srank()", 1.5, None]) == "[@srank(), 1.5, None]"
    assert gin.config.parse_value(gin_value((0.1,))) == (0.1,)


def test_a_wrong_name_is_a_users_error(tmp_path):
    with pytest.raises(UserError, match=r"tau"):
        redo_dopamine.train("dqn_redo.gin", {"redo.tua": 0.1}, base_dir=tmp_path)


def test_a_loaded_agent_answers(run):
    loaded = redo_dopamine.load(run)
    states = np.random.default_rng(0).integers(0, 256, (3, 84, 84, 4), np.uint8)
    values = loaded.q_values(states)
    assert values.shape == (3, loaded.agent.num_actions)
    greedy = loaded.agent.greedy_actions(states)
    np.testing.assert_array_equal(values.argmax(1), greedy)
    found = loaded.activations(states)
    assert [*found] == ["Conv_0", "Conv_1", "Conv_2", "Dense_0"]
    assert len(found["Dense_0"]) == 3
    assert loaded.parameters is loaded.agent.online_params
    step = loaded.agent.gradient_step
    assert repr(loaded) == (
        f"LoadedAgent(RecycledDQNAgent, game=DemonAttack, gradient_step={step}, "
        f"base_dir={str(run)!r})"
    )
    with pytest.raises(UserError, match=r"\[B, 84, 84, 4\]"):
        loaded.q_values(states[0])


def test_it_acts_as_an_evaluation_does_and_learns_nothing(run):
    path = restore.find_checkpoint(run)
    loaded = redo_dopamine.load(run)
    expected = restore.restore(path, replay=False)
    step = loaded.agent.training_steps
    environment = expected.runner._environment
    atari.seed_environment(environment, np.random.default_rng(0))
    first = environment.reset()
    second = environment.step(0)[0]
    expected.agent.eval_mode = True
    actions = [expected.agent.begin_episode(first), expected.agent.step(0, second)]
    for _ in range(2):
        assert [loaded.act(first), loaded.act(second)] == actions
        loaded.new_episode()
        loaded.agent.set_actor_state(
            restore.restore(path, replay=False).agent.actor_state()
        )
    assert loaded.agent.training_steps == step


def test_gin_is_left_as_the_caller_had_it(run, tmp_path):
    gin.parse_config("redo.tau = 0.5\nJaxDQNAgent.seed = 3")
    before = gin.config_str()
    states = np.zeros((1, 84, 84, 4), np.uint8)
    with gin.unlock_config():
        redo_dopamine.load(run).q_values(states)
        with pytest.raises(UserError):
            redo_dopamine.train("dqn.gin", {"redo.tua": 1}, base_dir=tmp_path)
    assert gin.config_str() == before


def test_an_agent_keeps_its_settings_whatever_gin_has_later(tmp_path):
    slope = "leaky_relu.negative_slope"
    values = {
        **{name: float(x) if "." in x else int(x) for name, x in BINDINGS.items()},
        "NatureNetwork.activation": "@leaky_relu",
        slope: 0.9,
    }
    run = redo_dopamine.train("dqn_redo.gin", values, base_dir=tmp_path / "run")
    states = np.random.default_rng(0).integers(0, 256, (2, 84, 84, 4), np.uint8)
    expected = redo_dopamine.load(run).q_values(states)
    loaded = redo_dopamine.load(run)
    gin.bind_parameter(slope, 0.0)
    np.testing.assert_array_equal(loaded.q_values(states), expected)


def test_recent_dormancy_is_the_score_of_all_recent_states(run):
    loaded = redo_dopamine.load(run)
    rng = np.random.default_rng(1)
    recent, states = RecentDormancy(loaded, 0.5), []
    for _ in range(3):
        loaded.act(rng.integers(0, 256, (84, 84, 1), np.uint8))
        states.append(loaded.agent.state.copy())
        shares = recent.look()
    h = np.abs(loaded.activations(np.stack(states))["Conv_1"])
    means = h.mean(axis=(0, 1, 2))
    assert shares["Conv_1"] == np.mean(means / means.mean() <= 0.5)


def test_the_function_and_the_module_of_one_name_are_both_there():
    code = (
        "from redo_dopamine import train; import sys; assert callable(train);"
        "assert not {'tensorflow', 'gymnasium', 'dopamine', 'gin'} & {*sys.modules};"
        "from redo_dopamine.train import run; assert run.__doc__"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
