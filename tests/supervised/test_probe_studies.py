"""The studies of the regression probe are what its module executes."""

import gin
import pytest

from helpers import runs
from redo_dopamine.rundir import status
from redo_dopamine.studies import STUDIES, plan
from redo_dopamine.supervised import regression_probe

pytestmark = pytest.mark.slow


NAMES = ("regression_probe", "related_tasks", "perturb", "constraints")
ARMS = [(name, arm.name) for name in NAMES for arm in STUDIES[name].arms]
# Evolution strategies make another number of updates of as many evaluations.
ARMS += [("gradient_free", "adam_lr0.001")]


@pytest.fixture(autouse=True)
def gin_state(clean_gin):
    pass


@pytest.fixture(scope="module", autouse=True)
def launched_there(tmp_path_factory):
    """A directory with tiny runs of PPO's studies, to start things in."""
    here = tmp_path_factory.mktemp("here")
    for arm, activation, depth in (
        ("ppo_activation/relu", "relu", 2),
        ("ppo_activation/none", "identity", 2),
        ("ppo_layers/depth4", "relu", 4),
    ):
        bindings = (
            *runs.TINY_PPO,
            "PPONetwork.width = 1",
            f"PPONetwork.num_layers = {depth}",
            f"PPONetwork.activation = @{activation}",
        )
        runs.run(here / "runs" / arm / "HalfCheetah-v4" / "0", "ppo.gin", bindings)
    return here


def run_of(study, arm, scale=1.0):
    selected = plan.select(study, arms=arm, seeds="1", scale=scale)
    return plan.runs(selected, "base")[0]


@pytest.mark.parametrize(("study", "arm"), ARMS)
def test_an_arm_is_an_experiment(study, arm, launched_there, monkeypatch):
    monkeypatch.chdir(launched_there)
    run = run_of(study, arm)
    regression_probe.COMMAND.load(run.gin_files, run.gin_bindings)
    experiment = regression_probe.COMMAND.build()
    assert experiment.seed == 0
    assert experiment.num_epochs * experiment.updates_per_epoch == run.agent_steps
    changes = (experiment.targets_at(0) != experiment.targets_at(100)).any()
    elsewhere = arm not in ("aged_d0", "fresh_d0")
    two_tasks = study in ("related_tasks", "constraints")
    assert changes == (two_tasks and elsewhere)


def test_a_run_of_a_study_leaves_what_a_launcher_looks_for(
    tmp_path, launched_there, monkeypatch
):
    monkeypatch.chdir(launched_there)
    run = run_of("related_tasks", "fresh_d1", scale=0.02)
    flags = [f"--gin_bindings={x}" for x in run.gin_bindings]
    gin.clear_config()
    arguments = [f"--base_dir={tmp_path}", f"--scale={run.scale:g}", *flags]
    assert regression_probe.main(arguments) == 0
    found = status.read(tmp_path)
    assert (found.state, found.scale) == (status.DONE, 0.02)
    names = {row["name"] for row in runs.metrics(tmp_path)}
    assert {"loss", "test_loss", "zero_gradient_fraction"} <= names
    assert len(runs.metrics(tmp_path)) > 4


def test_an_aged_network_that_is_not_there_is_a_clear_error(tmp_path, capsys):
    run = run_of("perturb", "none")
    flags = [f"--gin_bindings={x}" for x in run.gin_bindings]
    root = f"--gin_bindings=aged_network.root = '{tmp_path}/ppo_layers'"
    assert regression_probe.main([f"--base_dir={tmp_path}", *flags, root]) == 2
    assert "Launch the study ppo_layers first" in capsys.readouterr().err
