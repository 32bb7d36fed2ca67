"""The studies are the paper's, and every arm is a configuration that can be read."""

import subprocess
import sys

import gin
import pytest

from helpers import runs as tiny_runs
from redo_dopamine import atari_100k, config_diff
from redo_dopamine.studies import STUDIES, games, plan, speed
from redo_dopamine.studies.scaling import FLOORS, arm_bindings
from redo_dopamine.studies.study import DQN, DRQ_EPS

ARMS = [(study, arm) for study in STUDIES.values() for arm in study.arms]


@pytest.mark.parametrize(
    ("name", "num_runs", "agent_steps"),
    [
        ("replay_ratio", 8 * 17 * 5, 2_500_000),
        ("replay_ratio_nstep", 8 * 17 * 5, 2_500_000),
        ("replay_ratio_impala", 8 * 17 * 5, 2_500_000),
        ("atari_100k", 8 * 26 * 10, 400_000),
        ("width", 6 * 17 * 5, 2_500_000),
        ("baselines", 4 * 17 * 5, 2_500_000),
        ("selection", 4 * 17 * 5, 2_500_000),
        ("threshold_and_period", 9 * 17 * 5, 2_500_000),
        ("long_schedule", 3 * 17 * 5, 50_000_000),
        ("pruning", 2 * 17 * 5, 2_500_000),
    ],
)
def test_a_study_has_the_papers_size(name, num_runs, agent_steps):
    runs = plan.runs(plan.select(name), "base")
    assert len(runs) == num_runs
    assert {run.agent_steps for run in runs} == {agent_steps}
    assert len({run.directory for run in runs}) == num_runs


def test_all_studies_are_sized_above():
    assert len(STUDIES) == 10


@pytest.mark.parametrize("study", STUDIES.values(), ids=lambda x: x.name)
def test_a_study_is_consistent(study):
    names = [arm.name for arm in study.arms]
    assert len(set(names)) == len(names)
    assert {x.arm for x in (*study.paper, *study.paper_dormancy)} <= set(names)
    assert {x.game for x in study.paper_dormancy} <= set(study.games)
    points = [(arm.series, arm.x) for arm in study.arms]
    assert len(set(points)) == len(points)
    assert len({arm.x is None for arm in study.arms}) == 1
    assert {arm.speed for arm in study.arms} <= set(speed.SPEEDS)
    for score in study.paper:
        assert score.low is None or score.low < score.iqm < score.high


def test_the_games_are_those_of_the_benchmark():
    assert games.ATARI_100K_GAMES == atari_100k.GAMES
    assert len(set(games.DQN_GAMES)) == 17


@pytest.mark.parametrize(
    ("protocol", "gin_file"), [(DQN, "dqn.gin"), (DRQ_EPS, "drq_eps.gin")]
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
    bound = config_diff.parse_settings(gin.config_str(max_line_length=10**6))
    return {name.rpartition("/")[2]: value for name, value in bound.items()}


@pytest.mark.parametrize("scale", [1.0, 0.0005])
@pytest.mark.parametrize(
    ("study", "arm"), ARMS, ids=[f"{s.name}-{a.name}" for s, a in ARMS]
)
def test_an_arm_is_a_configuration(study, arm, scale, clean_gin):
    runs = plan.select(study.name, arms=arm.name, seeds="1", scale=scale)
    run = plan.runs(runs, "base")[0]
    tiny_runs.configure_run(run.gin_files[0], run.gin_bindings)
    agent = study.protocol.agent
    assert gin.query_parameter(f"{agent}.replay_ratio") == arm.replay_ratio
    assert gin.query_parameter("JaxDQNAgent.seed") == 0
    game = gin.query_parameter("create_atari_environment.game_name")
    assert game == study.games[0]
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
