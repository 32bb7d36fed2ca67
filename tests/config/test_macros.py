"""A gin macro stands for its value wherever a setting is read."""

import pytest

from helpers import runs
from helpers.commands import arguments, redo_train
from redo_dopamine.config import load

GAME = "create_atari_environment.game_name"


@pytest.mark.parametrize(
    "bindings",
    [
        [f"{GAME} = %g", "g = 'Pong'"],
        [f"{GAME} = %g", "g = %h", "h = 'Pong'"],
        ["CollectorDispatcher.collectors = %c", "c = ('csv',)"],
        ["create_runner.schedule = %m", "m = 'continuous_train'"],
        ["create_agent.agent_name = %m", "m = 'jax_dqn'"],
    ],
    ids=lambda bindings: bindings[0],
)
def test_a_value_may_be_a_macro(bindings, clean_gin):
    load.load_gin_configs(["dqn_redo.gin"], [f"{GAME} = 'Pong'", *bindings])
    assert load.bound(GAME) == "Pong"


def test_a_run_may_be_described_by_macros(tmp_path, clean_gin):
    bindings = [
        *runs.TINY,
        "JaxDQNAgent.seed = %s",
        "s = 3",
        "Runner.training_steps = %n",
        "n = 60",
        f"{GAME} = %g",
        "g = 'DemonAttack'",
    ]
    assert redo_train(*arguments(tmp_path / "run", bindings)) == 0
    longer = ["Runner.num_iterations = 3", "s = 4"]
    again = arguments(tmp_path / "run", [*bindings, *longer])
    assert redo_train(*again, "--allow_config_change") == 2


@pytest.mark.parametrize(
    ("binding", "line"),
    [("redo.tau = 0.1\n\nfoo bar", "foo bar"), ("redo:", ""), ("redo.tau = 1\n)", ")")],
)
def test_the_line_at_fault_is_shown(binding, line, tmp_path, capsys):
    assert redo_train(*arguments(tmp_path / "run", [binding])) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: The gin configuration could not be read: ")
    assert said.rstrip("\n").endswith(line)
