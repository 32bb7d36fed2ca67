"""Distillation: what a student begins with, what it learns, what is refused."""

import csv
import json
from collections import namedtuple

import flax.linen as nn
import gin
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helpers import ranges, trees
from redo_dopamine import errors
from redo_dopamine.core.graph import Edge, NetworkGraph
from redo_dopamine.core.interventions import redo
from redo_dopamine.errors import UserError
from redo_dopamine.networks.capture import record
from redo_dopamine.networks.layers import kernel, neurons
from redo_dopamine.networks.nature import NatureNetwork
from redo_dopamine.rundir import checkpoint
from redo_dopamine.studies import STUDIES, plan
from redo_dopamine.supervised import distillation
from redo_dopamine.supervised.distillation import (
    COMMAND,
    Distillation,
    fresh_student,
    main,
    pretrained_student,
    squared_error,
)

STUDY = STUDIES["distillation"]
NARROW = "NatureNetwork.width = 0.05"
Output = namedtuple("Output", ["q_values"])
STATES = np.random.default_rng(0).integers(0, 256, (60, 4, 4, 2), np.uint8)


class Tiny(nn.Module):
    """A hidden layer, Q-values out."""

    num_actions: int
    num_neurons: int = 16

    @nn.compact
    def __call__(self, x):
        x = x.astype(jnp.float32).reshape(-1) / 255
        x = record(self, "Dense_0", nn.relu(nn.Dense(self.num_neurons)(x)))
        return Output(nn.Dense(self.num_actions)(x))

    def graph(self, observation_shape):
        del observation_shape
        return NetworkGraph((neurons("Dense_0", Edge(kernel("Dense_1"))),))


def params_of(seed):
    return Tiny(3).init(jax.random.PRNGKey(seed), STATES[0])


def values_of(params):
    return np.asarray(jax.vmap(lambda x: Tiny(3).apply(params, x).q_values)(STATES))


TEACHER, STUDENT = params_of(100), params_of(200)


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    """A teacher's Q-values, and a student that was trained on something else."""
    path = tmp_path_factory.mktemp("lesson") / "Pong.npz"
    distillation.write_teacher_data(path, STATES, values_of(TEACHER), STUDENT)
    return path


@pytest.fixture
def make(lesson):
    """A tiny experiment: 6 updates of 10 states an epoch."""

    def build(start=fresh_student, intervention=None, path=lesson, **settings):
        settings = {"num_epochs": 4, "batch_size": 10} | settings
        return Distillation(str(path), Tiny, start, intervention, **settings)

    return build


def values(rows, *names):
    return [
        (x.epoch, x.gradient_step, x.name, str(x.value))
        for x in rows
        if not names or x.name in names
    ]


def params(experiment):
    return experiment.state_tree()["state"].params


def test_a_squared_error_by_hand():
    q_values = np.array([[0.0, 0.0], [2.0, 4.0]])  # Variances 1 and 4.
    outputs = Output(jnp.array([[1.0, 2.0], [3.0, 4.0]]))
    found = squared_error(q_values)(outputs, jnp.array([[1.0, 0.0], [3.0, 2.0]]))
    assert found["loss"] == pytest.approx(2.0)  # (0 + 4 + 0 + 4) / 4
    assert found["relative_loss"] == pytest.approx(0.8)


def test_the_loss_of_a_copy_of_the_teacher_is_zero(make, tmp_path):
    path = tmp_path / "copy.npz"
    distillation.write_teacher_data(path, STATES, values_of(TEACHER), TEACHER)
    rows = make(pretrained_student, path=path, num_epochs=1).run_epoch()
    [loss] = [x.value for x in rows if x.name == "relative_loss"]
    # Nothing but the rounding of two programs that compute the same.
    assert 0 <= loss < 1e-10
    exact = squared_error(values_of(TEACHER))
    assert exact(Output(values_of(TEACHER)), values_of(TEACHER))["loss"] == 0


def test_a_student_begins_with_what_its_start_says(make):
    trees.assert_same_bits(params(make(pretrained_student)), STUDENT)
    drawn = params(make(fresh_student, seed=1))
    trees.assert_same_bits(drawn, params_of(1))
    assert not trees.same_bits(drawn, params(make(fresh_student, seed=2)))


def test_a_student_learns_and_the_targets_stay(make):
    experiment = make(learning_rate=1e-2, num_epochs=20)
    assert experiment.targets_at(0) is experiment.targets_at(19)
    rows = [row for _ in range(20) for row in experiment.run_epoch()]
    losses = [x.value for x in rows if x.name == "relative_loss"]
    assert losses[-1] < 0.2 * losses[0]


def test_it_measures_dormancy_every_epoch(make):
    rows = make().run_epoch()
    found = {x.name for x in rows}
    taus = ("0.0", "0.025", "0.1")
    assert {f"dormant_fraction/{tau}/Dense_0" for tau in taus} <= found
    assert {x.gradient_step for x in rows} == {6}


def test_a_seed_makes_it_repeatable_and_arms_share_the_order(make):
    first, again, other = (values(make(seed=s).run_epoch()) for s in (1, 1, 2))
    assert first == again
    assert first != other


def test_redo_goes_with_it(make):
    intervention = redo(period=3, tau=0.9, score_batch_size=8)
    rows = make(pretrained_student, intervention).run_epoch()
    assert [x.gradient_step for x in rows if x.name == "recycled/Dense_0"] == [3, 6]


@pytest.mark.parametrize("start", [fresh_student, pretrained_student])
def test_a_restored_experiment_goes_on_exactly(make, start):
    straight, stopped, resumed = (make(start) for _ in range(3))
    straight.run_epoch()
    expected = straight.run_epoch()
    stopped.run_epoch()
    arrays = checkpoint.flatten(stopped.state_tree(), "x")
    resumed.load_state_tree(
        checkpoint.unflatten(resumed.state_tree(), arrays, "x"),
    )
    assert values(resumed.run_epoch()) == values(expected)
    trees.assert_same_bits(params(resumed), params(straight))


def test_two_experiments_may_begin_with_the_same_student(make):
    """An update donates its parameters: not those of the lesson."""
    first, second = make(pretrained_student), make(pretrained_student)
    first.run_epoch()
    trees.assert_same_bits(params(second), STUDENT)


# Refused.


def test_a_student_of_another_network_is_refused(make, tmp_path):
    path = tmp_path / "other.npz"
    wide = Tiny(3, num_neurons=17).init(jax.random.PRNGKey(0), STATES[0])
    distillation.write_teacher_data(path, STATES, values_of(TEACHER), wide)
    with pytest.raises(UserError, match=r"Distillation\.network .*\[32, 17\] there"):
        make(pretrained_student, path=path)
    assert make(fresh_student, path=path).epoch == 0


def test_a_lesson_that_is_missing_or_damaged_is_named(lesson, tmp_path):
    with pytest.raises(UserError, match=r"nowhere\.npz is none.*data teacher"):
        distillation.read_teacher_data(tmp_path / "nowhere.npz")
    content = lesson.read_bytes()
    for name, kept in (("short", content[:-400]), ("empty", b""), ("text", b"x" * 99)):
        (tmp_path / name).write_bytes(kept)
        with pytest.raises(UserError, match=f"whole, but .*{name}"):
            distillation.read_teacher_data(tmp_path / name)
    checkpoint.write_file(tmp_path / "another", {"x": np.zeros(3)}, {})
    with pytest.raises(UserError, match=r"another cannot be used: 'states'"):
        distillation.read_teacher_data(tmp_path / "another")


def test_a_lesson_comes_back_as_it_was_written(lesson):
    found = distillation.read_teacher_data(lesson)
    np.testing.assert_array_equal(found.states, STATES)
    np.testing.assert_array_equal(found.q_values, values_of(TEACHER))
    assert found.num_actions == 3
    trees.assert_same_bits(found.student_like(TEACHER), STUDENT)


def test_another_lesson_has_another_checksum(lesson, tmp_path):
    changed = STATES.copy()
    changed[3, 2, 1, 0] ^= 1
    distillation.write_teacher_data(
        tmp_path / "x.npz", changed, values_of(TEACHER), STUDENT
    )
    assert (
        distillation.read_teacher_data(lesson).checksum
        != distillation.read_teacher_data(tmp_path / "x.npz").checksum
    )


@pytest.mark.parametrize(
    ("settings", "parts"),
    [
        *ranges.SHARED,
        ({"batch_size": 61}, ["batch_size", "[1, 60]", "61"]),
        ({"eps": -1.0}, ["eps", "> 0", "-1.0"]),
    ],
)
def test_a_setting_out_of_its_range_is_named(make, settings, parts):
    ranges.assert_refused(make, settings, parts)


# Its command and its study.


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
    distillation.write_teacher_data(path, states, rng.normal(size=(48, 6)), student)
    return tmp_path


def run_of(arm, scale):
    runs = plan.runs(plan.select(STUDY.name, seeds="1", scale=scale), "base")
    return next(run for run in runs if run.arm == arm)


@pytest.mark.parametrize("scale", [1, 0.05])
@pytest.mark.parametrize("arm", [arm.name for arm in STUDY.arms])
def test_an_arm_is_an_experiment(arm, scale, here):
    run = run_of(arm, scale)
    COMMAND.load(run.gin_files, [*run.gin_bindings, NARROW])
    experiment = COMMAND.build()
    assert experiment.num_epochs == (160 if scale == 1 else 8)
    assert run.agent_steps == experiment.num_epochs * 312
    period = 1000 if scale == 1 else 50
    acts = [
        x for x in range(1, 2 * period + 1) if experiment.plasticity.intervenes_at(x)
    ]
    assert acts == ([period, 2 * period] if arm.endswith("_redo") else [])


def test_a_run_of_the_study_leaves_its_files(here, capsys):
    run = run_of("pretrained", 0.01)
    flags = [f"--gin_bindings={x}" for x in (*run.gin_bindings, NARROW)]
    command = ["--base_dir=run", "--scale=0.01", *flags]
    assert main(command) == errors.COMPLETE
    info = json.loads((here / "run" / "run.json").read_text())
    assert (info["agent"], info["game"]) == ("Distillation", "DemonAttack")
    with (here / "run" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    steps = {row["gradient_step"] for row in rows if row["name"] == "loss"}
    assert steps == {"1", "2"}  # Two epochs of one batch of 32.
    gin.clear_config()
    assert main(command) == errors.COMPLETE
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
    assert main(["--base_dir=run", *flags]) == errors.USER_ERROR
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert part in message
    assert not (tmp_path / "run" / "metrics.csv").exists()
