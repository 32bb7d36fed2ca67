"""What a user may get wrong: one message, status 2, nothing written."""

import os
import subprocess
import sys

import pytest
from absl import flags

from helpers import runs
from redo_dopamine import training
from redo_dopamine.tools import train

GAME = "create_atari_environment.game_name"


@pytest.fixture(autouse=True)
def gin_state(clean_gin):
    saved = {name: flags.FLAGS[name].value for name in ("base_dir", "gin_files")}
    yield
    flags.FLAGS.unparse_flags()
    for name, value in saved.items():
        setattr(flags.FLAGS, name, value)


def refuse(capsys, *arguments):
    """Run the entry point in this process; returns what it says."""
    flags.FLAGS.unparse_flags()
    for name in ("base_dir", "gin_files", "gin_bindings"):
        flags.FLAGS[name].unparse()
    rest = flags.FLAGS(["redo-train", *arguments])
    with pytest.raises(SystemExit) as stop:
        train.main(rest)
    assert stop.value.code == 2
    said = capsys.readouterr()
    message = said.err[said.err.index("error: ") :]
    assert "Traceback" not in message
    assert "In call to configurable" not in message
    return message


@pytest.mark.parametrize(
    ("binding", "parts"),
    [
        (f"{GAME} = 'demon_atack'", ["'demon_atack'", "Did you mean DemonAttack?"]),
        (f"{GAME} = 'Q'", ["'Q'", "The games are Adventure"]),
        (f"{GAME} = None", [GAME, "must name an Atari game"]),
        ("redo.tua = 0.1", ["'tua'", "Did you mean tau?"]),
        ("reddo.tau = 0.1", ["'reddo'", "Did you mean redo?"]),
        ("RecycledDQNAgent.intervention = @redoo()", ["Did you mean redo?"]),
        ("JaxDQNAgent.sead = 1", ["'sead'", "seed"]),
        ("RecycledDQNAgent.replay_ration = 1", ["'replay_ration'", "replay_ratio?"]),
        ("redo.tau =", ["redo.tau ="]),
        (
            "JaxDQNAgent.epsilon_fn = @linearly_decaying_epsilon",
            [
                "Ambiguous selector 'linearly_decaying_epsilon'",
                "Write the one that is meant in full.",
            ],
        ),
        (
            "fixed_budget.fraction = @constant()",
            ["'redo_dopamine.constant'", "in full"],
        ),
        ("RecycledDQNAgent.replay_ratio = 0.3", ["0.3 * 4 = 1.2", "0.25, 0.5"]),
        ("redo.tau = -0.1", ["tau must be", "-0.1"]),
        ("redo.tau = None", ["tau must be", "but is None"]),
        (
            "redo.score_batch_size = 'x'",
            ["redo.score_batch_size must be", "but is 'x'"],
        ),
        (
            "RecycledDQNAgent.intervention = @redo",
            ["is @redo. Write @redo(), or"],
        ),
        (
            "RecycledDQNAgent.intervention = @none",
            ["is @none. Write @redo(), or"],
        ),
        ("RecycledDQNAgent.taus = 0.1", ["taus must be", "Write (0.1,) for"]),
        ("RecycledDQNAgent.replay_ratio = 'x'", ["must be a number", "but is 'x'"]),
        ("NatureNetwork.width = 'x'", ["width must be", "but is x"]),
        ("redo.period = 0", ["period must be", "but is 0", "none()"]),
        ("redo.period = -5", ["period must be", "but is -5"]),
        ("redo.score_batch_size = 0", ["score_batch_size must be", "but is 0"]),
        ("NatureNetwork.width = 0", ["width must be > 0, but is 0"]),
        ("RecycledDQNAgent.tracking_period = 0", ["period must be", "but is 0"]),
        (
            "JaxDQNAgent.network = @networks.ClassicControlDQNNetwork\n"
            "ClassicControlDQNNetwork.num_layers = 0",
            ["intervention must have neurons", "no hidden layer", "Use @none()"],
        ),
        ("JaxDQNAgent.network = @relu", ["network must be a network, but is @relu"]),
        ("create_agent.agent_name = 'sarsa'", ["'sarsa'", "dqn.gin"]),
        ("create_runner.schedule = 'sometimes'", ["'sometimes'", "continuous_train"]),
        (
            "JaxDQNAgent.optimizer = 'adan'",
            ["JaxDQNAgent.optimizer must be one of", "'adan'"],
        ),
        ("JaxDQNAgent.loss_type = 'l1'", ["'l1'", "huber"]),
    ],
)
def test_a_wrong_binding_is_named(binding, parts, capsys, tmp_path):
    message = refuse(
        capsys,
        f"--base_dir={tmp_path}",
        "--gin_files=demo.gin",
        f"--gin_bindings={binding}",
    )
    for part in parts:
        assert part in message
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_gin_file_is_named_with_its_neighbors(capsys, tmp_path):
    message = refuse(capsys, f"--base_dir={tmp_path}", "--gin_files=dqn_reddo.gin")
    assert "'dqn_reddo.gin' is neither" in message
    assert "Did you mean dqn_redo.gin" in message


def test_no_base_dir(capsys):
    assert "--base_dir must name" in refuse(capsys, "--gin_files=demo.gin")


def test_a_scale_beyond_the_whole(capsys):
    with pytest.raises(flags.IllegalFlagValueError, match=r"scale=3.*in \(0, 1\]"):
        refuse(capsys, "--scale=3")


def test_a_word_that_is_no_flag(capsys, tmp_path):
    message = refuse(capsys, f"--base_dir={tmp_path}", "redo.tau=0.1")
    assert "['redo.tau=0.1'] are not flags" in message


def test_a_base_dir_that_is_a_file(capsys, tmp_path):
    path = tmp_path / "file"
    path.write_text("mine")
    message = refuse(capsys, f"--base_dir={path}", "--gin_files=demo.gin")
    assert f"{str(path)!r} cannot" in message
    assert path.read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_base_dir_without_permission(capsys, tmp_path):
    tmp_path.chmod(0o500)
    message = refuse(capsys, f"--base_dir={tmp_path}/run", "--gin_files=demo.gin")
    assert "Permission denied" in message


def test_a_base_dir_on_a_read_only_file_system(capsys):
    message = refuse(capsys, "--base_dir=/proc/run", "--gin_files=demo.gin")
    assert "'/proc/run' cannot" in message


def test_the_command_itself_ends_with_status_2_and_no_traceback(tmp_path):
    command = [sys.executable, "-m", "redo_dopamine.train", f"--base_dir={tmp_path}"]
    result = subprocess.run(
        [*command, "--gin_files=demo.gin", "--gin_bindings=redo.tau=-1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert result.stderr.startswith("error: redo.tau must be a finite number >= 0")
    assert result.stdout == ""


def test_a_path_to_a_gin_file_works(tmp_path):
    mine = tmp_path / "mine.gin"
    mine.write_text("include 'dqn.gin'\nJaxDQNAgent.gamma = 0.5\n")
    runs.configure_run(str(mine), ())
    assert training.build_runner(str(tmp_path / "run")).agent.gamma == 0.5
