"""The studies are the paper's, and every arm is a configuration that can be read."""

import subprocess
import sys

import gin
import jax
import jax.numpy as jnp
import pytest

from helpers import runs as tiny_runs
from redo_dopamine.config import load
from redo_dopamine.core import graph
from redo_dopamine.rundir import operative
from redo_dopamine.runners import atari_100k
from redo_dopamine.studies import STUDIES, arms, plan
from redo_dopamine.studies.catalogue import he2026, minatar, sokar2023_ablations
from redo_dopamine.studies.scaling import FLOORS, arm_bindings
from redo_dopamine.studies.study import DQN, DRQ_EPS

ARMS = [(study, arm) for study in STUDIES.values() for arm in study.arms]
OF_AGENTS = [
    (study, arm)
    for study, arm in ARMS
    if study.protocol.module == "redo_dopamine.train"
]
SIZES = {
    name: (num_runs, agent_steps)
    for name, num_runs, agent_steps in [
        ("replay_ratio", 8 * 17 * 5, 2_500_000),
        ("replay_ratio_nstep", 8 * 17 * 5, 2_500_000),
        ("replay_ratio_impala", 8 * 17 * 5, 2_500_000),
        ("atari_100k", 8 * 26 * 10, 400_000),
        ("atari_100k_benchmark", 3 * 26 * 10, 100_000),
        ("width", 6 * 17 * 5, 2_500_000),
        ("baselines", 4 * 17 * 5, 2_500_000),
        ("selection", 4 * 17 * 5, 2_500_000),
        ("threshold_and_period", 9 * 17 * 5, 2_500_000),
        ("long_schedule", 3 * 17 * 5, 50_000_000),
        ("pruning", 2 * 17 * 5, 2_500_000),
        ("activations", 8 * 17 * 5, 2_500_000),
        ("learning_rate", 11 * 17 * 5, 2_500_000),
        ("label_shuffle", 4 * 1 * 3, 100 * 156),
        ("offline", 2 * 2 * 5, 2_500_000),
        ("distillation", 4 * 1 * 3, 160 * 312),
        ("ppo_activation", 2 * 1 * 3, 1_000_000),
        ("ppo_layers", 2 * 1 * 3, 1_000_000),
        ("regression_probe", 16 * 1 * 3, 100 * 20),
        ("related_tasks", 14 * 1 * 3, 200 * 20),
        ("perturb", 3 * 1 * 3, 100 * 20),
        ("constraints", 5 * 1 * 3, 200 * 20),
        ("gradient_free", 6 * 1 * 3, 1_000 * 20),
        ("ppo_long", 3 * 1 * 3, 20_000_000),
        ("regression_probe_long", 24 * 1 * 3, 100 * 20),
        ("perturb_long", 3 * 1 * 3, 100 * 20),
        ("gradient_free_long", 6 * 1 * 3, 1_000 * 20),
        ("sac_redo", 4 * 4 * 10, 1_000_000),
        ("laptop_replay_ratio", 8 * 1 * 6, 100_000),
        ("laptop_games", 6 * 2 * 3, 100_000),
        ("laptop_width", 6 * 1 * 3, 100_000),
        ("laptop_baselines", 6 * 1 * 3, 100_000),
        ("laptop_threshold", 6 * 1 * 3, 100_000),
        ("laptop_pruning", 2 * 1 * 6, 100_000),
        ("laptop_learning_rate", 4 * 1 * 3, 100_000),
        ("laptop_redo_gain", 10 * 1 * 12, 100_000),
        ("small_atari", 3 * 1 * 5, 1_250_000),
    ]
}


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_has_the_papers_size(name):
    num_runs, agent_steps = SIZES[name]
    runs = plan.runs(plan.select(name), "base")
    assert len(runs) == num_runs
    assert {run.agent_steps for run in runs} == {agent_steps}
    assert len({run.directory for run in runs}) == num_runs


@pytest.mark.parametrize("study", STUDIES.values(), ids=lambda x: x.name)
def test_a_study_is_consistent(study):
    names = [arm.name for arm in study.arms]
    assert len(set(names)) == len(names)
    told = (*study.paper, *study.paper_dormancy, *study.paper_curve)
    assert {x.arm for x in told} <= set(names)
    told = (*study.paper_dormancy, *study.paper_curve)
    assert {x.game for x in told if x.game} <= set(study.all_games)
    for point in study.paper_curve:
        assert 1 <= point.first <= point.last <= study.length
    points = [(arm.series, arm.x) for arm in study.arms]
    assert len(set(points)) == len(points)
    assert len({arm.x is None for arm in study.arms}) == 1
    assert {arm.speed for arm in study.arms} <= set(plan.SPEEDS)
    for score in study.paper:
        assert score.low is None or score.low < score.iqm < score.high


def test_the_papers_dormant_fractions_say_their_threshold_or_that_it_is_not_known():
    found = {
        study.name: {x.tau for x in (*study.paper_dormancy, *study.paper_curve)}
        for study in STUDIES.values()
    }
    assert {name: taus for name, taus in found.items() if taus} == {
        "replay_ratio": {None},
        "width": {0.1},
        "long_schedule": {None},
        "label_shuffle": {None},
        "offline": {None},
        "distillation": {None},
    }


def test_the_games_are_those_of_the_benchmark():
    assert arms.ATARI_100K_GAMES == atari_100k.GAMES
    assert len(set(arms.DQN_GAMES)) == 17


@pytest.mark.parametrize(
    ("protocol", "gin_file"),
    [
        (DQN, "dqn.gin"),
        (DRQ_EPS, "drq_eps.gin"),
        (he2026.PPO, "ppo.gin"),
        (sokar2023_ablations.PROTOCOL, "sac.gin"),
        (minatar.PROTOCOL, "minatar_dqn.gin"),
    ],
)
def test_a_protocol_is_what_the_gin_file_says(protocol, gin_file, clean_gin):
    tiny_runs.configure_run(gin_file, ())
    in_file = {name: gin.query_parameter(name) for name in protocol.clocks}
    assert in_file == protocol.clocks
    every_clock = {
        name
        for name in bound_settings()
        if name.endswith(("period", "_steps", "history", "capacity", "frequency"))
    }
    # Those count agent steps per update, no-ops and nothing: not lengths.
    kept = {"update_period", "evaluation_steps"}
    if protocol.target_gradient_steps is None:
        kept.add("target_update_period")
    plain = {name.rpartition(".")[2] for name in protocol.clocks}
    assert {name.rpartition(".")[2] for name in every_clock} - kept <= plain


def bound_settings():
    bound = operative.parse_settings(gin.config_str(max_line_length=10**6))
    return {name.rpartition("/")[2]: value for name, value in bound.items()}


@pytest.mark.parametrize("scale", [1.0, 0.0005])
@pytest.mark.parametrize(
    ("study", "arm"), OF_AGENTS, ids=[f"{s.name}-{a.name}" for s, a in OF_AGENTS]
)
def test_an_arm_is_a_configuration(study, arm, scale, clean_gin):
    runs = plan.select(study.name, arms=arm.name, seeds="1", scale=scale)
    run = plan.runs(runs, "base")[0]
    tiny_runs.configure_run(run.gin_files[0], run.gin_bindings)
    agent = study.protocol.agent
    if arm.replay_ratio is not None:
        assert gin.query_parameter(f"{agent}.replay_ratio") == arm.replay_ratio
    assert gin.query_parameter(study.protocol.seed) == study.seeds[0]
    assert load.task() == study.games[0]
    iterations = gin.query_parameter("Runner.num_iterations")
    steps = iterations * gin.query_parameter("Runner.training_steps")
    assert steps == run.agent_steps
    for name, value in arm.settings.items():
        if not isinstance(value, str) and name not in FLOORS:
            assert gin.query_parameter(name) == value
    intervention = bound_settings()[f"{agent}.intervention"].strip("@()")
    if intervention != "none":
        # Named by the arm, or a scaled launch would leave it as it is.
        assert f"{intervention}.period" in set(arm.settings) & set(FLOORS)
    if study.protocol is DQN:
        target_period = gin.query_parameter("JaxDQNAgent.target_update_period")
        assert target_period % gin.query_parameter("JaxDQNAgent.update_period") == 0
        assert target_period * arm.replay_ratio == (2000 if scale == 1 else 16)


@pytest.mark.parametrize(
    "arm",
    STUDIES["activations"].arms,
    ids=[a.name for a in STUDIES["activations"].arms],
)
def test_an_arm_has_the_activation_that_it_is_named_after(arm, clean_gin):
    run = plan.runs(plan.select("activations", arms=arm.name, seeds="1"), "base")[0]
    tiny_runs.configure_run(run.gin_files[0], run.gin_bindings)
    network = gin.get_configurable("NatureNetwork")(num_actions=4)
    slope = 0.01 if arm.name.startswith("leaky_") else 0.0
    assert network.activation(jnp.array([-2.0, 3.0])).tolist() == pytest.approx(
        [-2 * slope, 3.0]
    )
    frames = jnp.zeros((84, 84, 4), jnp.uint8)
    params = jax.eval_shape(network.init, jax.random.PRNGKey(0), frames)
    graph.validate(network.graph((84, 84)), params)


def test_learning_rates_times_replay_ratios_are_the_defaults(clean_gin):
    study = STUDIES["learning_rate"]
    rates = {}
    for arm in study.arms:
        run = plan.runs(plan.select(study.name, arms=arm.name, seeds="1"), "base")[0]
        tiny_runs.configure_run(run.gin_files[0], run.gin_bindings)
        rates[arm.name] = gin.query_parameter("create_optimizer.learning_rate")
    assert rates == {
        **{f"{kind}_rr{x}": 6.25e-5 for kind in ("dqn", "redo") for x in (0.25, 1, 2)},
        **{f"{kind}_rr0.5": 6.25e-5 for kind in ("dqn", "redo")},
        "scaled_rr0.5": 3.125e-5,
        "scaled_rr1": 1.5625e-5,
        "scaled_rr2": 0.78125e-5,
    }


def test_studies_that_share_arms_share_the_papers_scores():
    def of(name):
        return {x.arm: (x.iqm, x.low, x.high) for x in STUDIES[name].paper}

    assert of("learning_rate") == of("replay_ratio")
    few = {"dqn_rr0.25", "dqn_rr1", "redo_rr0.25", "redo_rr1"}
    assert of("activations") == {
        k: x for k, x in of("replay_ratio").items() if k in few
    }
    assert of("pruning")["dqn"] == of("replay_ratio")["dqn_rr1"]


def test_bindings_of_one_arm_at_full_length():
    study = STUDIES["replay_ratio"]
    assert arm_bindings(study, study.arm("redo_rr0.5")) == (
        "RecycledDQNAgent.replay_ratio = 0.5",
        "redo.tau = 0.1",
        "redo.period = 1000",
        "Runner.num_iterations = 10",
        "JaxDQNAgent.target_update_period = 4000",
    )


def test_importing_the_studies_imports_no_agent():
    script = (
        "import sys, redo_dopamine.studies.__main__\n"
        "print({'jax', 'numpy', 'tensorflow', 'gin', 'dopamine'} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert result.stdout == "set()\n"
