"""PPO layer by layer: dormant and zero-gradient neurons of policy and value networks.

He, 2026 (arXiv 2603.21173), appendix B and figure 6. It says besides that in layer 0 of
the value network dormancy is slightly above the zero-gradient fraction. The two sets
are compared at τ = 0 (Theorem 1). How deep the paper's networks are is not known: two
hidden layers, as PPO mostly has, and four.
"""

from redo_dopamine.studies import control
from redo_dopamine.studies.study import Study

_DEPTHS = {2: "two hidden layers", 4: "four hidden layers"}

STUDY = Study(
    name="ppo_layers",
    claim="Dormant and zero-gradient neurons are largely the same ones, most of them "
    "in the last layer; both grow, and a neuron without a gradient stays so.",
    source="He, 2026 (arXiv 2603.21173), appendix B, figure 6",
    axis="hidden layers",
    arms=tuple(
        control.ppo_arm(f"depth{depth}", label, {"PPONetwork.num_layers": depth})
        for depth, label in _DEPTHS.items()
    ),
    games=("HalfCheetah-v4",),
    games_by_name=("HalfCheetah-v5", "Hopper-v4", "Walker2d-v4", "Ant-v4"),
    seeds=control.SEEDS,
    length=control.LENGTH,
    protocol=control.PPO,
)
