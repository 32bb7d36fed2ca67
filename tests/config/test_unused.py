"""What a run's settings set and nothing reads is said, or refused."""

import json

import gin
import pytest

from helpers import runs
from redo_dopamine import training
from redo_dopamine.config import load
from redo_dopamine.config.unused import unused_settings
from redo_dopamine.errors import UserError

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
        (("s/redo.tau = 0.3",), []),  # Of a scope: redo reads it in others.
        (("tau = 0.3", "redo.tau = %tau"), []),
    ],
)
def test_what_nothing_reads_is_found(bindings, names, tmp_path):
    build(tmp_path, "dqn_redo.gin", bindings)
    assert unused_settings() == names


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
