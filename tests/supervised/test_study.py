"""The study of label shuffling is what this package's module executes."""

import inspect
import itertools

import gin
import pytest

from redo_dopamine.rundir import status as run_status
from redo_dopamine.studies import STUDIES, plan
from redo_dopamine.supervised import gin_names, label_shuffle
from redo_dopamine.supervised.label_shuffling import LabelShuffle

STUDY = STUDIES["label_shuffle"]


@pytest.fixture(autouse=True)
def gin_state(clean_gin):
    pass


def runs(scale):
    return plan.runs(plan.select(STUDY.name, seeds="1", scale=scale), "base")


def test_its_lengths_are_the_modules_defaults():
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(LabelShuffle).parameters.items()
    }
    clocks = STUDY.protocol.clocks.items()
    assert all(defaults[name.rpartition(".")[2]] == x for name, x in clocks)
    updates = defaults["num_samples"] // defaults["batch_size"]
    assert STUDY.protocol.training_steps == updates
    assert defaults["shuffle_every"] == 20


@pytest.mark.parametrize("scale", [1, 0.05])
@pytest.mark.parametrize("arm", [arm.name for arm in STUDY.arms])
def test_an_arm_is_an_experiment(arm, scale, fashion_folder):
    (run,) = (run for run in runs(scale) if run.arm == arm)
    images = f"fashion_mnist.data_dir = {str(fashion_folder)!r}"
    gin_names.load(run.gin_files, [*run.gin_bindings, images])
    experiment = gin_names.experiment(LabelShuffle)
    assert experiment.seed == 0
    epochs = 100 if scale == 1 else 5
    assert experiment.num_epochs == epochs
    assert experiment.num_epochs * experiment.updates_per_epoch == run.agent_steps
    labels = [experiment.targets_at(epoch) for epoch in range(epochs)]
    differ = [(a != b).any() for a, b in itertools.pairwise(labels)]
    assert sum(differ) == (4 if arm.startswith("reshuffled") else 0)
    period = 1000 if scale == 1 else 50
    acts = [x for x in range(1, 2 * period + 1) if experiment._problem.acts_at(x)]
    assert acts == ([period, 2 * period] if arm.endswith("_redo") else [])


def test_a_run_of_the_study_leaves_what_a_launcher_looks_for(tmp_path, fashion_folder):
    few = ("LabelShuffle.num_samples = 64", "ConvClassifier.width = 0.1")
    (run,) = (run for run in runs(0.05) if run.arm == "reshuffled_redo")
    flags = [f"--gin_bindings={x}" for x in (*run.gin_bindings, *few)]
    gin.clear_config()
    status = label_shuffle.main(
        [
            *(f"--base_dir={tmp_path}", f"--scale={run.scale:g}"),
            *(f"--data_dir={fashion_folder}", *flags),
        ]
    )
    assert status == 0
    found = run_status.read(tmp_path)
    assert (found.state, found.scale) == (run_status.DONE, 0.05)
