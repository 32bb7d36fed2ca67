import json
import math
import re
import shutil

import gin
import pytest
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_multiplexer import (
    EventMultiplexer,
)
from tensorboard.context import RequestContext

from helpers import runs
from redo_dopamine import training
from redo_dopamine.errors import UserError
from redo_dopamine.rundir import checkpoint, operative
from redo_dopamine.tools import train


@pytest.fixture(autouse=True)
def gin_state(clean_gin):
    pass


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run of two iterations. Copy it before changing it."""
    return runs.run(tmp_path_factory.mktemp("finished") / "run")


@pytest.fixture
def copy(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "copy")


# What a run leaves.


def test_a_run_leaves_its_files(finished):
    names = {path.name for path in finished.iterdir()}
    assert names == {
        "checkpoints",
        "config.gin",
        "metrics",
        "metrics.csv",
        "run.json",
        "status.json",
    }
    events = list((finished / "metrics" / "tensorboard").glob("events.out.tfevents.*"))
    assert len(events) == 1
    written = EventAccumulator(str(events[0])).Reload().Tags()["tensors"]
    assert {"loss", "dormant_fraction/0.1", "recycled/Dense_0"} <= set(written)


def test_every_metric_is_in_the_scalars_tab_of_tensorboard(finished):
    """By what TensorBoard's own scalars plugin reads."""
    multiplexer = EventMultiplexer()
    multiplexer.AddRunsFromDirectory(str(finished / "metrics" / "tensorboard"))
    multiplexer.Reload()
    provider = MultiplexerDataProvider(multiplexer, str(finished))
    shown = provider.read_scalars(
        RequestContext(), experiment_id="", plugin_name="scalars", downsample=10**6
    )
    [scalars] = shown.values()
    rows = runs.metrics(finished, wall_clock=True)
    assert {*scalars} == {row["name"] for row in rows}
    for name, points in scalars.items():
        ours = [float(row["value"]) for row in rows if row["name"] == name]
        theirs = [point.value for point in points]
        assert theirs == pytest.approx(ours, rel=1e-6, nan_ok=True), name


def test_metrics_have_the_documented_columns_and_names(finished):
    header = (finished / "metrics.csv").read_text().splitlines()[0]
    assert header == "iteration,agent_step,gradient_step,name,value"
    names = {row["name"] for row in runs.metrics(finished, wall_clock=True)}
    layers = ("Conv_0", "Conv_1", "Conv_2", "Dense_0")
    taus = ("0.0", "0.025", "0.1")
    assert names == {
        "train/episode_return",
        "train/average_return",
        "train/steps_per_second",
        "loss",
        *(f"dormant_fraction/{tau}" for tau in taus),
        *(f"dormant_fraction_after/{tau}" for tau in taus),
        *(f"dormant_fraction/{tau}/{layer}" for tau in taus for layer in layers),
        *(f"overlap/{tau}/{layer}" for tau in taus for layer in layers),
        *(f"overlap_with_history/{tau}/{layer}" for tau in taus for layer in layers),
        *(f"recycled/{layer}" for layer in layers),
    }


def test_metrics_are_plain_decimals_in_range(finished):
    for row in runs.metrics(finished):
        assert "e" not in row["value"] or row["value"] == "nan"
        value = float(row["value"])
        if row["name"].startswith(("dormant_fraction/", "overlap")):
            assert math.isnan(value) or 0 <= value <= 1
        if row["name"].startswith("dormant_fraction/"):
            assert int(row["gradient_step"]) % 5 == 0
        if row["name"].startswith("recycled/"):
            assert int(row["gradient_step"]) % 10 == 0
            assert value == int(value) >= 0
    steps = [int(row["agent_step"]) for row in runs.metrics(finished)]
    assert steps == sorted(steps)
    assert {row["iteration"] for row in runs.metrics(finished)} == {"0", "1"}


def test_run_json_tells_where_the_run_comes_from(finished):
    info = json.loads((finished / "run.json").read_text())
    assert info["seed"] == 3
    assert info["game"] == "DemonAttack"
    assert info["agent"] == "RecycledDQNAgent"
    assert info["versions"]["dopamine-rl"] == "4.1.2"
    assert info["start"] <= info["end"]
    assert info["resumed"] == []
    assert "git" in info
    assert info["command"]


def test_config_gin_describes_the_run_again(finished, tmp_path):
    runs.configure_run(str(finished / "config.gin"), ())
    training.build_runner(str(tmp_path))
    saved = operative.parse_settings((finished / "config.gin").read_text())
    assert operative.parse_settings(operative.operative_config()) == saved
    assert saved["redo.period"] == "10"


# Repeatability and resuming.


def test_a_seed_makes_a_run_repeatable(finished, tmp_path):
    again = runs.run(tmp_path / "again")
    assert runs.metrics(again) == runs.metrics(finished)


def test_another_seed_is_another_run(finished, tmp_path):
    other = runs.run(
        tmp_path / "other", bindings=(*runs.TINY_REDO, "JaxDQNAgent.seed = 4")
    )
    assert runs.metrics(other) != runs.metrics(finished)


def test_a_prolonged_run_equals_one_that_never_stopped(copy, tmp_path):
    longer = (*runs.TINY_REDO, "Runner.num_iterations = 3")
    straight = runs.run(tmp_path / "straight", bindings=longer)
    # As a run that was killed in its third iteration leaves it: rows and half a row
    # past the checkpoint.
    with (copy / "metrics.csv").open("a") as file:
        file.write("2,999,99,train/episode_return,1.0\n2,99")
    resumed = runs.run(copy, bindings=longer)
    assert runs.metrics(resumed) == runs.metrics(straight)
    assert len(json.loads((resumed / "run.json").read_text())["resumed"]) == 1


def test_a_run_killed_before_its_first_checkpoint_starts_over(finished, copy):
    shutil.rmtree(copy / "checkpoints")
    again = runs.run(copy)
    assert runs.metrics(again) == runs.metrics(finished)


def test_a_finished_run_says_so_and_is_left_alone(copy, capsys):
    before = runs.fingerprint(copy)
    runs.run(copy)
    assert "is finished: all 2 iterations are there" in capsys.readouterr().out
    after = runs.fingerprint(copy)
    assert {k: v for k, v in after.items() if "tfevents" not in k} == {
        k: v for k, v in before.items() if "tfevents" not in k
    }


# Checkpoints that cannot be used: one message, nothing overwritten.


def refuse(base_dir, bindings=(), message=""):
    before = runs.fingerprint(base_dir)
    runs.configure_run("dqn_redo.gin", (*runs.TINY_REDO, *bindings))
    with pytest.raises(UserError, match=message):
        training.train(str(base_dir))
    assert runs.fingerprint(base_dir) == before


LONGER = "Runner.num_iterations = 3"


def newest_checkpoint(base_dir):
    return max((base_dir / "checkpoints").glob("checkpoint.*.npz"))


def truncate(path):
    path.write_bytes(path.read_bytes()[:1000])


def truncate_checkpoint(base_dir):
    truncate(newest_checkpoint(base_dir))


def truncate_replay(base_dir):
    number = newest_checkpoint(base_dir).name.split(".")[1]
    [path] = (base_dir / "checkpoints" / "replay").glob(f"segment.{number}.*.npz")
    truncate(path)


def delete_replay_state(base_dir):
    number = newest_checkpoint(base_dir).name.split(".")[1]
    (base_dir / "checkpoints" / "replay" / f"state.{number}.json").unlink()


@pytest.mark.parametrize(
    "damage", [truncate_checkpoint, truncate_replay, delete_replay_state]
)
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_taken(
    damage, copy, finished, capsys
):
    damage(copy)
    again = runs.run(copy)
    warning = capsys.readouterr().err
    assert re.search(r"must be whole.*checkpoint\.1\.npz.*before it is used", warning)
    assert runs.metrics(again) == runs.metrics(finished)


def test_without_a_whole_checkpoint_a_run_is_refused(copy):
    for path in (copy / "checkpoints").glob("checkpoint.*.npz"):
        truncate(path)
    refuse(copy, message="from a checkpoint that is whole, but none in")


def test_a_newer_format_is_refused(copy, monkeypatch):
    monkeypatch.setattr(checkpoint, "FORMAT", 0)
    refuse(copy, message="must be of format 0, but .* is of format 1")


def test_a_checkpoint_of_another_configuration_is_refused(copy):
    refuse(
        copy,
        ["redo.tau = 0.2", "NatureNetwork.width = 0.25"],
        r"(?s)NatureNetwork.width: 0.125 -> 0.25.*redo.tau: 0.1 -> 0.2.*another",
    )


def test_another_configuration_is_refused_before_the_first_checkpoint(copy):
    shutil.rmtree(copy / "checkpoints")
    refuse(copy, ["redo.tau = 0.2"], r"(?s)config.gin.*redo.tau: 0.1 -> 0.2")


# Dopamine's own bindings.


def test_evaluation_follows_dopamines_schedule(tmp_path):
    bindings = (
        *runs.TINY,
        "create_runner.schedule = 'continuous_train_and_eval'",
        "Runner.evaluation_steps = 20",
        "Runner.num_iterations = 1",
    )
    rows = runs.metrics(runs.run(tmp_path, "dqn.gin", bindings))
    assert [r["iteration"] for r in rows if r["name"] == "eval/average_return"] == ["0"]
    training = {r["agent_step"] for r in rows if r["name"] == "train/average_return"}
    evaluation = {r["agent_step"] for r in rows if r["name"] == "eval/average_return"}
    assert training == evaluation  # Evaluation steps do not count as agent steps.


def test_an_old_gin_file_of_dopamine_carries_over(tmp_path):
    old = tmp_path / "old.gin"
    old.write_text(
        """
import dopamine.discrete_domains.atari_lib
import dopamine.discrete_domains.run_experiment
import dopamine.jax.agents.dqn.dqn_agent
import dopamine.jax.networks
import dopamine.jax.replay_memory.replay_buffer
JaxDQNAgent.network = @networks.NatureDQNNetwork
JaxDQNAgent.gamma = 0.97
JaxDQNAgent.min_replay_history = 30
JaxDQNAgent.update_period = 16
JaxDQNAgent.target_update_period = 32
JaxDQNAgent.epsilon_train = 0.5
JaxDQNAgent.optimizer = 'rmsprop'
JaxDQNAgent.seed = 5
create_optimizer.learning_rate = 1e-3
atari_lib.create_atari_environment.game_name = 'Pong'
atari_lib.create_atari_environment.sticky_actions = False
create_runner.schedule = 'continuous_train'
create_agent.agent_name = 'jax_dqn'
create_agent.debug_mode = True
Runner.num_iterations = 1
Runner.training_steps = 40
Runner.max_steps_per_episode = 60
ReplayBuffer.max_capacity = 1000
ReplayBuffer.batch_size = 4
CollectorDispatcher.collectors = ['console']
"""
    )
    runs.configure_run(str(old), ())
    runner = training.build_runner(str(tmp_path / "run"))
    agent = runner.agent
    assert agent.gamma == 0.97
    assert agent.epsilon_train == 0.5
    assert agent.seed == 5
    assert agent.target_update_period == 32
    runner.run_experiment()
    rows = runs.metrics(tmp_path / "run", wall_clock=True)
    assert {"train/episode_return", "train/steps_per_second"} <= {
        row["name"] for row in rows
    }
    assert agent.gradient_step == agent.training_steps // 16 - 30 // 16


def test_episodes_may_run_on_across_iterations(tmp_path):
    bindings = (*runs.TINY, "Runner.max_steps_per_episode = None")
    rows = runs.metrics(runs.run(tmp_path, "dqn.gin", bindings))
    steps = [int(r["agent_step"]) for r in rows if r["name"] == "train/average_return"]
    # The beginning of the only episode is a train step, too.
    assert steps == [61, 121]


def test_gin_is_left_strict(tmp_path):
    runs.configure_run("dqn.gin", runs.TINY)
    with pytest.raises(RuntimeError, match="locked"):
        gin.bind_parameter("JaxDQNAgent.gamma", 0.5)


def test_what_there_is_is_listed():
    said = train._listed()
    for name in ("dqn_redo.gin", "@redo()", "Breakout", "SpaceInvaders"):
        assert name in said
