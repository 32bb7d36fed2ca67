"""The experiment: only labels change, everything repeats, and it goes on exactly."""

import inspect
import itertools
import math

import flax.linen as nn
import gin
import jax
import numpy as np
import pytest

from helpers import ranges, trees
from redo_dopamine.core.graph import Edge, NetworkGraph
from redo_dopamine.core.interventions import (
    layer_reset,
    none,
    prune,
    redo,
    regrama,
    shrink_and_perturb,
)
from redo_dopamine.networks.capture import record
from redo_dopamine.networks.layers import kernel, neurons
from redo_dopamine.rundir import checkpoint
from redo_dopamine.rundir import status as run_status
from redo_dopamine.studies import STUDIES, plan
from redo_dopamine.supervised.label_shuffle import (
    COMMAND,
    LabelShuffle,
    main,
    shuffled_labels,
)

STUDY = STUDIES["label_shuffle"]
LABELS = np.array([0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9], np.int32)
LAYERS = ("Dense_0", "Dense_1")


class Tiny(nn.Module):
    """Two hidden layers, which compile in no time."""

    num_classes: int

    @nn.compact
    def __call__(self, x):
        x = record(self, "Dense_0", nn.relu(nn.Dense(16)(x.reshape(-1))))
        x = record(self, "Dense_1", nn.relu(nn.Dense(12)(x)))
        return nn.Dense(self.num_classes)(x)

    def graph(self, image_shape):
        del image_shape
        first = neurons("Dense_0", Edge(kernel("Dense_1")))
        return NetworkGraph((first, neurons("Dense_1", Edge(kernel("Dense_2")))))


class Foreign(nn.Module):
    """Somebody else's: it says nothing of its layers."""

    num_classes: int

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Dense(16)(x.reshape(-1)))
        x = nn.relu(nn.Dense(12)(x))
        return nn.Dense(self.num_classes)(x)


@pytest.fixture(autouse=True)
def gin_state(clean_gin):
    pass


@pytest.fixture
def make(make_images):
    """A tiny experiment: 12 updates of 16 images an epoch."""

    def build(intervention=None, network=Tiny, **settings):
        settings = {"num_samples": 200, "num_epochs": 4, "batch_size": 16} | settings
        images = make_images(300, (8, 8, 1))
        return LabelShuffle(lambda: images, network, intervention, **settings)

    return build


def values(rows):
    return [(x.epoch, x.gradient_step, x.name, str(x.value)) for x in rows]


def epochs(experiment, number):
    return [row for _ in range(number) for row in experiment.run_epoch()]


# Labels.


def test_labels_are_the_true_ones_until_the_first_shuffle():
    for epoch in range(20):
        assert shuffled_labels(LABELS, epoch, 20, seed=0) is LABELS


def test_labels_hold_between_two_shuffles_and_change_at_each():
    def at(epoch):
        return shuffled_labels(LABELS, epoch, 20, seed=0).tolist()

    assert at(20) == at(39) != at(40) == at(59)
    assert len({tuple(at(epoch)) for epoch in range(0, 100, 20)}) == 5


def test_a_shuffle_keeps_the_number_of_images_of_every_class():
    for epoch in range(20, 100, 20):
        found = shuffled_labels(LABELS, epoch, 20, seed=3)
        np.testing.assert_array_equal(np.sort(found), np.sort(LABELS))
        assert found.dtype == LABELS.dtype


def test_a_shuffle_is_the_seeds():
    first, again, other = (shuffled_labels(LABELS, 1, 1, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert first.tolist() != other.tolist()
    assert first.tolist() == [8, 6, 2, 5, 7, 4, 0, 1, 0, 0, 9, 1, 3]


def test_fixed_labels_never_change():
    for epoch in range(200):
        assert shuffled_labels(LABELS, epoch, None, seed=0) is LABELS


def test_shuffling_changes_labels_and_nothing_else(make):
    fixed, shuffled = make(shuffle_every=None), make(shuffle_every=2)
    assert fixed.images.checksum == shuffled.images.checksum
    first = values(epochs(fixed, 2))
    assert values(epochs(shuffled, 2)) == first
    assert values(shuffled.run_epoch()) != values(fixed.run_epoch())
    assert shuffled.targets_at(2).tolist() != fixed.targets_at(2).tolist()


# Training.


def test_training_lowers_the_loss_and_fits_the_labels(make):
    rows = epochs(make(shuffle_every=None), 15)
    loss = [x.value for x in rows if x.name == "loss"]
    accuracy = [x.value for x in rows if x.name == "train/accuracy"]
    assert abs(loss[0] - math.log(10)) < 1
    assert loss[-1] < 0.3 * loss[0]
    assert accuracy[-1] > 0.9


def test_a_shuffle_makes_the_loss_jump(make):
    rows = epochs(make(shuffle_every=15), 16)
    loss = [x.value for x in rows if x.name == "loss"]
    assert loss[15] > 2 * loss[14]


def test_every_epoch_has_its_metrics_at_its_end(make):
    rows = epochs(make(), 2)
    taus = ("0.0", "0.025", "0.1")
    names = {
        "loss",
        "train/accuracy",
        *(f"dormant_fraction/{tau}" for tau in taus),
        *(f"dormant_fraction/{tau}/{layer}" for tau in taus for layer in LAYERS),
        *(f"overlap/{tau}/{layer}" for tau in taus for layer in LAYERS),
        *(f"overlap_with_history/{tau}/{layer}" for tau in taus for layer in LAYERS),
    }
    for epoch, step in ((0, 12), (1, 24)):
        found = [x for x in rows if x.epoch == epoch]
        assert {x.name for x in found} == names
        assert len(found) == len(names)
        assert {x.gradient_step for x in found} == {step}


def test_a_seed_makes_it_repeatable_and_another_is_another(make):
    first, again, other = (values(epochs(make(seed=s), 2)) for s in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_restored_experiment_goes_on_exactly(make):
    settings = {"intervention": redo(period=5, tau=0.9), "shuffle_every": 1}
    straight, stopped, resumed = (make(**settings) for _ in range(3))
    expected = [x for x in epochs(straight, 3) if x.epoch == 2]
    epochs(stopped, 2)
    arrays = checkpoint.flatten(stopped.state_tree(), "x")
    template = resumed.state_tree()
    resumed.load_state_tree(checkpoint.unflatten(template, arrays, "x"))
    assert (resumed.epoch, resumed.gradient_step) == (2, 24)
    assert values(resumed.run_epoch()) == values(expected)
    trees.assert_same_bits(resumed.state_tree(), straight.state_tree())


# Interventions.


def test_redo_recycles_on_its_schedule_and_after_the_measurement(make):
    rows = epochs(make(redo(period=6, tau=0.9)), 2)
    recycled = [x for x in rows if x.name.startswith("recycled/")]
    assert {x.gradient_step for x in recycled} == {6, 12, 18, 24}
    assert {x.name for x in recycled} == {f"recycled/{layer}" for layer in LAYERS}
    assert sum(x.value for x in recycled) > 0
    at_12 = [x.name.partition("/")[0] for x in rows if x.gradient_step == 12]
    assert at_12.index("dormant_fraction") < at_12.index("recycled")
    assert [x.gradient_step for x in rows] == sorted(x.gradient_step for x in rows)


def test_a_network_without_graph_learns_as_one_that_declares_it(make):
    declared, derived = (make(redo(tau=0.9, period=6), x) for x in (Tiny, Foreign))
    assert values(epochs(derived, 2)) == values(epochs(declared, 2))
    assert derived.network_notes == ()


def test_dormancy_is_measured_once_just_before_and_once_just_after_each_recycle(make):
    rows = epochs(make(redo(period=9, tau=0.9), taus=(0.0, 0.9)), 3)
    for tau in (0.0, 0.9):
        before = [x for x in rows if x.name == f"dormant_fraction/{tau}"]
        after = [x for x in rows if x.name == f"dormant_fraction_after/{tau}"]
        # At the ends of epochs of 12 updates too: once where both fall together.
        assert [x.gradient_step for x in before] == [9, 12, 18, 24, 27, 36]
        assert [x.gradient_step for x in after] == [9, 18, 27, 36]


def test_two_arms_are_equal_until_the_first_recycle(make):
    baseline, recycling = make(none()), make(redo(period=18, tau=0.9))
    assert values(baseline.run_epoch()) == values(recycling.run_epoch())
    assert values(baseline.run_epoch()) != values(recycling.run_epoch())


@pytest.mark.parametrize(
    ("intervention", "metric"),
    [
        (prune(period=4, tau=0.5), "pruned/Dense_0"),
        (regrama(period=4, tau=0.5), "recycled/Dense_0"),
        (layer_reset(period=4), "reset_layers"),
        (shrink_and_perturb(period=4), "perturbation_norm"),
    ],
)
def test_other_interventions_go_with_it(make, intervention, metric):
    rows = make(intervention).run_epoch()
    assert [x.gradient_step for x in rows if x.name == metric] == [4, 8, 12]


def test_pruned_neurons_stay_silent(make):
    experiment = make(prune(period=4, tau=0.5, stop=5), taus=(0.0,))
    rows = epochs(experiment, 2)
    [num_pruned] = [x.value for x in rows if x.name == "pruned/Dense_0"]
    assert num_pruned > 0
    params = experiment.state_tree()["state"].params["params"]
    silent = np.all(jax.device_get(params["Dense_0"]["kernel"]) == 0, axis=0)
    assert silent.sum() == num_pruned


# Wrong settings.


@pytest.mark.parametrize(
    ("settings", "parts"),
    [
        *ranges.SHARED,
        ({"num_samples": 301}, ["num_samples", "[1, 300]", "301"]),
        ({"num_epochs": "x"}, ["num_epochs", "whole", "'x'"]),
        ({"batch_size": 201}, ["batch_size", "[1, 200]", "201"]),
        ({"batch_size": 2.5}, ["batch_size", "whole", "2.5"]),
        ({"shuffle_every": 0}, ["shuffle_every", "[1, inf]", "0"]),
        ({"tracking_batch_size": 0}, ["tracking_batch_size", "0"]),
        ({"momentum": 1.0}, ["momentum", "[0, 1)", "1.0"]),
    ],
)
def test_a_setting_out_of_its_range_is_named(make, settings, parts):
    ranges.assert_refused(make, settings, parts)


# Its study.


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
    COMMAND.load(run.gin_files, [*run.gin_bindings, images])
    experiment = COMMAND.build()
    assert experiment.seed == 0
    epochs = 100 if scale == 1 else 5
    assert experiment.num_epochs == epochs
    assert experiment.num_epochs * experiment.updates_per_epoch == run.agent_steps
    labels = [experiment.targets_at(epoch) for epoch in range(epochs)]
    differ = [(a != b).any() for a, b in itertools.pairwise(labels)]
    assert sum(differ) == (4 if arm.startswith("reshuffled") else 0)
    period = 1000 if scale == 1 else 50
    acts = [
        x for x in range(1, 2 * period + 1) if experiment.plasticity.intervenes_at(x)
    ]
    assert acts == ([period, 2 * period] if arm.endswith("_redo") else [])


def test_a_run_of_the_study_leaves_what_a_launcher_looks_for(tmp_path, fashion_folder):
    few = ("LabelShuffle.num_samples = 64", "ConvClassifier.width = 0.1")
    (run,) = (run for run in runs(0.05) if run.arm == "reshuffled_redo")
    flags = [f"--gin_bindings={x}" for x in (*run.gin_bindings, *few)]
    gin.clear_config()
    status = main(
        [
            *(f"--base_dir={tmp_path}", f"--scale={run.scale:g}"),
            *(f"--data_dir={fashion_folder}", *flags),
        ]
    )
    assert status == 0
    found = run_status.read(tmp_path)
    assert (found.state, found.scale) == (run_status.DONE, 0.05)
