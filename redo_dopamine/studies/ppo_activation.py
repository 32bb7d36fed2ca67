"""PPO with ReLU and without any activation function: return and dormancy together.

He, 2026 (arXiv 2603.21173), figure 1. A network without an
activation function is a linear one, whose neurons cannot fall dormant by saturating.
"""

from redo_dopamine.studies import control
from redo_dopamine.studies.study import Study

STUDY = Study(
    name="ppo_activation",
    claim="PPO with ReLU has more dormant neurons than PPO without an activation "
    "function, and converges faster all the same.",
    source="He, 2026 (arXiv 2603.21173), figure 1",
    axis="activation function",
    arms=(
        control.ppo_arm("relu", "ReLU", {"PPONetwork.activation": "@relu"}),
        control.ppo_arm("none", "none", {"PPONetwork.activation": "@identity"}),
    ),
    games=("HalfCheetah-v4",),
    games_by_name=("HalfCheetah-v5", "Hopper-v4", "Walker2d-v4", "Ant-v4"),
    seeds=control.SEEDS,
    length=control.LENGTH,
    protocol=control.PPO,
)
