"""What a run's settings set and nothing reads is said, or refused."""

import json

import gin
import pytest

from helpers import runs
from redo_dopamine import training
from redo_dopamine.config import load
from redo_dopamine.errors import UserError
from redo_dopamine.rundir.operative import (
    differences,
    operative_config,
    unused_settings,
)
from redo_dopamine.studies.study import GAMES

# Without the recorded data of offline ones.
SHIPPED = [x for x in load.shipped_configs() if not x.startswith("offline")]
VAIN = ("fixed_budget.fraction = 0.5", "MinatarNetwork.width = 2")
NAMES = ["MinatarNetwork.width", "fixed_budget.fraction"]
SMALL = ("ReplayBuffer.max_capacity = 10_000",)


@pytest.fixture(autouse=True)
def gin_state(clean_gin):
    pass


def build(tmp_path, config, bindings=()):
    runs.configure_run(config, (*SMALL, *bindings))
    training.build_runner(str(tmp_path / "run"))


@pytest.mark.parametrize("config", SHIPPED)
def test_all_that_a_shipped_file_sets_is_read(config, tmp_path):
    build(tmp_path, config)
    assert unused_settings() in ([], ["ReplayBuffer.max_capacity"])  # SMALL: PPO's.


@pytest.mark.parametrize(
    ("bindings", "names"),
    [
        (VAIN, NAMES),
        (("PPOAgent.gamma = 0.5",), ["PPOAgent.gamma"]),
        (("MinatarNetwork.width = 1",), []),  # Its default: it asks for nothing.
        (("JaxDQNAgent.epsilon_train = 0.02",), []),
        (("s/redo.tau = 0.3",), ["s/redo.tau"]),
        (
            ("RecycledDQNAgent.intervention = @s/redo()", "s/redo.tau = 0.3"),
            [],
        ),
        (("tau = 0.3", "redo.tau = %tau"), []),
    ],
)
def test_what_nothing_reads_is_found(bindings, names, tmp_path):
    build(tmp_path, "dqn_redo.gin", bindings)
    assert unused_settings() == names


# What each file's environment and agent read.
READ = {
    "dqn.gin": (GAMES[0], "JaxDQNAgent.seed"),
    "minatar_dqn.gin": (GAMES[1], "JaxDQNAgent.seed"),
    "sac.gin": (GAMES[2], "SACAgent.seed"),
}


@pytest.mark.parametrize("name", [*GAMES, *load.SEEDS])
@pytest.mark.parametrize("config", READ)
def test_a_game_or_a_seed_that_nothing_reads_is_refused(config, name, tmp_path):
    if name in READ[config]:
        return
    value = 7 if name in load.SEEDS else "'Breakout'"
    runs.configure_run(config, (*SMALL, f"{name} = {value}"))
    with pytest.raises(UserError, match=f"nothing reads {name}: it plays"):
        training.train(str(tmp_path / "run"))


def test_a_seed_by_the_name_of_any_dqn_is_drq_eps_own(tmp_path):
    build(tmp_path, "drq_eps.gin", ("JaxDQNAgent.seed = 7",))
    assert load.bound("Atari100kRainbowAgent.seed") == 7
    training._check_unused(unused_settings(), seed=7, strict=False)


def test_it_is_said_at_the_start_and_in_run_json(tmp_path, capsys):
    path = runs.run(tmp_path / "run", bindings=(*runs.TINY_REDO, *VAIN))
    said = capsys.readouterr().out
    assert f"Bound, but read by nothing in this run: {', '.join(NAMES)}." in said
    assert json.loads((path / "run.json").read_text())["unused_settings"] == NAMES


def test_a_strict_run_refuses_it_and_leaves_nothing(tmp_path):
    runs.configure_run("dqn_redo.gin", (*runs.TINY_REDO, *VAIN))
    with pytest.raises(UserError, match=r"nothing reads MinatarNetwork\.width, fixed"):
        training.train(str(tmp_path / "run"), strict=True)
    assert not (tmp_path / "run" / "run.json").exists()
    gin.clear_config()


def test_of_two_settings_of_one_thing_one_is_refused(tmp_path):
    bindings = (
        "create_atari_environment.game_name = 'Pong'",
        "JaxFullRainbowAgent.num_updates_per_train_step = 5",
    )
    with pytest.raises(UserError, match="must be left out where replay_ratio is set"):
        build(tmp_path, "drq_eps.gin", bindings)


# Settings whose defaults are functions, or that are handed on: no text has them.
SILENT = (
    "NatureNetwork.activation = @tanh",
    "redo.incoming = @live_norm",
    "RecycledDQNAgent.bootstrap = @target_value_of_online_choice",
    "JaxDQNAgent.epsilon_fn = @jax.agents.dqn.dqn_agent.identity_epsilon",
    "RecycledDQNAgent.weight_decay = 0.5",
    "RecycledDQNAgent.metrics = [@srank()]",
    "NatureNetwork.normalize = @LayerNorm",
)
DEFAULTS = (
    "NatureNetwork.activation = @relu",
    "redo.incoming = @as_drawn",
    "RecycledDQNAgent.bootstrap = @largest_target_value",
    "RecycledDQNAgent.weight_decay = 0",
)


def config_of(tmp_path, *bindings):
    build(tmp_path / str(abs(hash(bindings))), "dqn_redo.gin", bindings)
    return operative_config()


@pytest.mark.parametrize("binding", SILENT)
def test_a_setting_that_stands_on_one_side_only_differs(binding, tmp_path):
    name = binding.partition(" = ")[0].partition(".")[2]
    plain = config_of(tmp_path)
    bound = config_of(tmp_path / "bound", binding)
    [found] = differences(plain, bound)
    assert f".{name}: " in found
    gin.clear_config()
    config_of(tmp_path / "plain")
    [back] = differences(bound, plain)
    assert f".{name}: " in back
    assert ("its default" in found) == ("its default" in back)


@pytest.mark.parametrize("binding", DEFAULTS)
def test_a_default_that_is_bound_does_not_differ(binding, tmp_path):
    plain = config_of(tmp_path)
    assert differences(plain, config_of(tmp_path, binding)) == []
    bound = config_of(tmp_path / "then", binding)
    config_of(tmp_path / "now")
    assert differences(bound, plain) == []


def test_a_setting_that_is_newer_than_the_run_does_not_differ(tmp_path):
    now = config_of(tmp_path, "RecycledDQNAgent.intervention = @redo()")
    old = "\n".join(x for x in now.splitlines() if "redo.stop" not in x)
    assert old != now
    assert differences(old, now) == []
