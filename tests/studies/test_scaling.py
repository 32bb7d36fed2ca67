"""Scaled lengths by literals."""

import pytest

from redo_dopamine.studies import STUDIES
from redo_dopamine.studies.scaling import (
    FLOORS,
    arm_bindings,
    arm_settings,
    equal_arms,
    run_length,
)
from redo_dopamine.studies.study import Length

REPLAY_RATIO = STUDIES["replay_ratio"]


@pytest.mark.parametrize(
    ("study", "scale", "length"),
    [
        ("replay_ratio", 1, Length(10, 250_000)),
        ("replay_ratio", 0.5, Length(10, 125_000)),
        ("replay_ratio", 0.01, Length(10, 2_500)),
        ("replay_ratio", 0.0005, Length(2, 625)),
        ("replay_ratio", 1e-6, Length(1, 200)),
        ("atari_100k", 1, Length(40, 10_000)),
        ("atari_100k", 0.01, Length(8, 500)),
        ("atari_100k", 0.0005, Length(1, 200)),
        ("atari_100k_benchmark", 1, Length(10, 10_000)),
        ("long_schedule", 1, Length(200, 250_000)),
        ("long_schedule", 0.0005, Length(10, 2_500)),
        ("label_shuffle", 1, Length(100, 156)),
        ("label_shuffle", 0.12, Length(10, 156)),
        ("label_shuffle", 0.05, Length(5, 156)),
        ("label_shuffle", 1e-6, Length(5, 156)),
    ],
)
def test_length(study, scale, length):
    assert run_length(STUDIES[study], scale) == length


def test_a_hundredth_of_dqn():
    settings = arm_settings(REPLAY_RATIO, REPLAY_RATIO.arm("redo_rr1"), 0.01)
    assert settings == {
        "RecycledDQNAgent.replay_ratio": 1,
        "redo.tau": 0.1,
        "redo.period": 10,
        "Runner.num_iterations": 10,
        "Runner.training_steps": 2_500,
        "Runner.max_steps_per_episode": 1_000,
        "JaxDQNAgent.min_replay_history": 200,
        "JaxDQNAgent.epsilon_decay_period": 2_500,
        "JaxDQNAgent.summary_writing_frequency": 20,
        "JaxDQNAgent.target_update_period": 16,
        "RecycledDQNAgent.tracking_period": 10,
        "ReplayBuffer.max_capacity": 10_000,
    }


def test_a_tenth_of_drq():
    study = STUDIES["atari_100k"]
    assert arm_settings(study, study.arm("drq_rr4"), 0.1) == {
        "RecycledDrQEpsAgent.replay_ratio": 4,
        "Runner.num_iterations": 10,
        "Runner.training_steps": 4_000,
        "Runner.max_steps_per_episode": 2_700,
        "Atari100kRunner.num_eval_episodes": 10,
        "JaxDQNAgent.min_replay_history": 160,
        "JaxDQNAgent.epsilon_decay_period": 500,
        "JaxDQNAgent.summary_writing_frequency": 50,
        "RecycledDrQEpsAgent.tracking_period": 100,
        "ReplayBuffer.max_capacity": 100_000,
    }


def test_the_other_periods_scale_too():
    baselines, selection = STUDIES["baselines"], STUDIES["selection"]
    reset = arm_settings(baselines, baselines.arm("layer_reset"), 0.0005)
    assert reset["layer_reset.period"] == 50
    lowest = arm_settings(selection, selection.arm("lowest"), 0.0005)
    assert lowest["cosine.stop"] == 1_250
    assert lowest["cosine.value"] == 0.1
    assert lowest["fixed_budget.select"] == "@lowest_score"


@pytest.mark.parametrize("scale", [1, 0.5, 0.37, 0.12, 0.05, 1e-6])
def test_a_shortened_label_shuffle_has_all_four_reshuffles(scale):
    study = STUDIES["label_shuffle"]
    every = arm_settings(study, study.arm("reshuffled"), scale)[
        "LabelShuffle.shuffle_every"
    ]
    assert run_length(study, scale).num_iterations == 5 * every


@pytest.mark.parametrize("scale", [1, 0.3, 0.05, 0.004, 0.0005])
def test_the_target_period_is_as_many_gradient_steps_in_every_arm(scale):
    name = "JaxDQNAgent.target_update_period"
    steps = set()
    for arm in REPLAY_RATIO.arms:
        period = arm_settings(REPLAY_RATIO, arm, scale).get(name, 8_000)
        assert period % 4 == 0
        steps.add(period * arm.replay_ratio)
    assert steps == {{1: 2000, 0.3: 600, 0.05: 96, 0.004: 16, 0.0005: 16}[scale]}


@pytest.mark.parametrize("study", STUDIES.values(), ids=lambda x: x.name)
def test_the_least_scale_is_on_the_floors(study):
    for arm in study.arms:
        settings = arm_settings(study, arm, 1e-9)
        for name in settings.keys() & FLOORS.keys():
            if settings[name] != "None":  # Nothing that could be shorter.
                assert settings[name] == FLOORS[name], name


@pytest.mark.parametrize("study", STUDIES.values(), ids=lambda x: x.name)
def test_nothing_is_scaled_beyond_its_own_length(study):
    for arm in study.arms:
        full, half = arm_settings(study, arm), arm_settings(study, arm, 0.5)
        base = {**study.protocol.clocks, **full}
        for name in half.keys() & FLOORS.keys():
            if half[name] == "None":
                continue
            assert half[name] <= base[name]


def test_scaled_bindings_say_so():
    arm = REPLAY_RATIO.arm("dqn_rr1")
    note = "# Scaled: 0.01 of the study's length."
    assert arm_bindings(REPLAY_RATIO, arm, 0.01)[0] == note
    assert not any("#" in x for x in arm_bindings(REPLAY_RATIO, arm))


def test_arms_are_told_apart_at_full_length():
    assert all(equal_arms(study, 1) == [] for study in STUDIES.values())
