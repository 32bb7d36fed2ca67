"""What the studies of agents on MuJoCo's robots share, and those of PPO.

He, "Rethinking Plasticity in Deep Reinforcement Learning", 2026 (arXiv 2603.21173).
The paper trains for 20 million agent steps; how many seeds it has is not known. A
million agent steps and three seeds are ours, so these studies are a twentieth of the
paper's. Environments need the extra [mujoco].
"""

from redo_dopamine.studies.lengths import AGENT_STEPS
from redo_dopamine.studies.study import Arm, Protocol, Setting


def protocol(agent: str, seed: str, clocks: dict[str, int]) -> Protocol:
    """Runs of an agent on a robot, without scores that a human has too."""
    return Protocol(
        agent=agent,
        clocks=clocks,
        target_gradient_steps=None,
        seed=seed,
        game="create_control_environment.environment_id = '{}'",
        unit=AGENT_STEPS,
        score=None,
    )


PPO = protocol(
    agent="RecycledPPOAgent",
    seed="PPOAgent.seed",
    clocks={
        "Runner.num_iterations": 50,
        "Runner.training_steps": 20_000,
        "Runner.max_steps_per_episode": 1_000,
        "create_optimizer.anneal_steps": 156_160,
        "RecycledPPOAgent.tracking_period": 640,
    },
)
LENGTH = 1_000_000
SEEDS = (0, 1, 2)


def ppo_arm(name: str, label: str, settings: dict[str, Setting]) -> Arm:
    """An arm of `ppo.gin` with these settings beyond it."""
    return Arm(
        name=name,
        label=label,
        gin_file="ppo.gin",
        replay_ratio=None,
        settings=settings,
        series=label,
        speed="ppo",
    )
