"""Runs on robots: what reaches the agent, and how a run goes on."""

import pytest

from helpers import runs
from redo_dopamine import training

pytest.importorskip("mujoco", reason="pip install 'redo-dopamine[mujoco]'")
ROBOT = "create_control_environment.environment_id"


@pytest.mark.parametrize(
    ("gin_file", "tiny"), [("sac.gin", runs.TINY_SAC), ("ppo.gin", runs.TINY_PPO)]
)
def test_the_agents_rewards_are_not_clipped(gin_file, tiny, clean_gin, tmp_path):
    runs.configure_run(gin_file, (*tiny, f"{ROBOT} = 'Ant-v4'"))
    runner = training.build_runner(str(tmp_path))
    rewards, step = [], runner.agent.step

    def keep(reward, observation):
        rewards.append(reward)
        return step(reward, observation)

    runner.agent.step = keep
    for _ in range(30):
        runner._advance(runner._phase)
    assert max(map(abs, rewards)) > 1


def test_a_run_without_a_longest_episode_goes_on_where_physics_cannot(tmp_path):
    bindings = (
        *runs.TINY_PPO,
        f"{ROBOT} = 'Pendulum-v1'",
        "Runner.max_steps_per_episode = None",
    )
    for num_iterations in (1, 2):
        more = (f"Runner.num_iterations = {num_iterations}",)
        runs.run(tmp_path, "ppo.gin", (*bindings, *more))
    steps = [int(row["agent_step"]) for row in runs.metrics(tmp_path)]
    assert max(steps) > 100
