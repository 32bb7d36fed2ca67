"""What the studies of PPO on MuJoCo's robots share.

He, "Rethinking Plasticity in Deep Reinforcement Learning", 2026 (arXiv 2603.21173).
The paper's length and seeds are not known: a million agent steps and three seeds are
ours. Environments need the extra [mujoco].
"""

from redo_dopamine.studies.lengths import AGENT_STEPS
from redo_dopamine.studies.study import Arm, Protocol, Setting

PPO = Protocol(
    agent="RecycledPPOAgent",
    clocks={
        "Runner.num_iterations": 50,
        "Runner.training_steps": 20_000,
        "Runner.max_steps_per_episode": 1_000,
        "create_optimizer.anneal_steps": 156_160,
        "RecycledPPOAgent.tracking_period": 640,
    },
    target_gradient_steps=None,
    seed="PPOAgent.seed",
    game="create_control_environment.environment_id = '{}'",
    unit=AGENT_STEPS,
    scored=False,
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
