"""The command and the study of distillation."""

import csv
import json

import gin
import jax
import numpy as np
import pytest

from redo_dopamine.cli import exit_status
from redo_dopamine.networks.nature import NatureNetwork
from redo_dopamine.studies import STUDIES, plan
from redo_dopamine.supervised import distillation, gin_names, teacher_data
from redo_dopamine.supervised.q_distillation import Distillation

STUDY = STUDIES["distillation"]
NARROW = "NatureNetwork.width = 0.05"


@pytest.fixture(autouse=True)
def gin_state(clean_gin):
    pass


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A directory with a lesson where the study looks for it."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    states = rng.integers(0, 256, (48, 12, 12, 4), np.uint8)
    student = NatureNetwork(6, width=0.05).init(jax.random.PRNGKey(1), states[0])
    path = tmp_path / "data" / "distillation" / "DemonAttack.npz"
    teacher_data.write(path, states, rng.normal(size=(48, 6)), student)
    return tmp_path


def run_of(arm, scale):
    runs = plan.runs(plan.select(STUDY.name, seeds="1", scale=scale), "base")
    return next(run for run in runs if run.arm == arm)


@pytest.mark.parametrize("scale", [1, 0.05])
@pytest.mark.parametrize("arm", [arm.name for arm in STUDY.arms])
def test_an_arm_is_an_experiment(arm, scale, here):
    run = run_of(arm, scale)
    gin_names.load(run.gin_files, [*run.gin_bindings, NARROW])
    experiment = gin_names.experiment(Distillation)
    assert experiment.num_epochs == (160 if scale == 1 else 8)
    assert run.agent_steps == experiment.num_epochs * 312
    period = 1000 if scale == 1 else 50
    acts = [x for x in range(1, 2 * period + 1) if experiment._problem.acts_at(x)]
    assert acts == ([period, 2 * period] if arm.endswith("_redo") else [])


def test_a_run_of_the_study_leaves_its_files(here, capsys):
    run = run_of("pretrained", 0.01)
    flags = [f"--gin_bindings={x}" for x in (*run.gin_bindings, NARROW)]
    command = ["--base_dir=run", "--scale=0.01", *flags]
    assert distillation.main(command) == exit_status.COMPLETE
    info = json.loads((here / "run" / "run.json").read_text())
    assert (info["agent"], info["game"]) == ("Distillation", "DemonAttack")
    with (here / "run" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    steps = {row["gradient_step"] for row in rows if row["name"] == "loss"}
    assert steps == {"1", "2"}  # Two epochs of one batch of 32.
    gin.clear_config()
    assert distillation.main(command) == exit_status.COMPLETE
    assert "Raise Distillation.num_epochs" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "part"),
    [
        ([], "Give --lesson=FILE"),
        (["--lesson=nowhere.npz"], "nowhere.npz is none"),
        (["--gin_bindings=Distillation.strat = 1"], "strat"),
    ],
)
def test_a_wrong_input_is_named(here, tmp_path, capsys, flags, part):
    assert distillation.main(["--base_dir=run", *flags]) == exit_status.USER_ERROR
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert part in message
    assert not (tmp_path / "run" / "metrics.csv").exists()
