"""He (2026): dormant and zero-gradient neurons of PPO."""

from redo_dopamine.studies.study import AGENT_STEPS, Arm, Protocol, Setting, Study

# What the studies of agents on MuJoCo's robots share, and those of PPO.
#
# He, "Rethinking Plasticity in Deep Reinforcement Learning", 2026 (arXiv 2603.21173).
# How many seeds the paper has is not known; the length and three seeds are ours.
# Environments need the extra [mujoco].


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
DIFFERS = (
    "The paper's runs have 20 million agent steps; at full length these have 1 million."
)
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


# PPO with ReLU and without any activation function: return and dormancy together.
#
# He, 2026 (arXiv 2603.21173), figure 1. Without an activation function a network is
# linear, and its neurons cannot saturate.

PPO_ACTIVATION = Study(
    name="ppo_activation",
    claim="PPO with ReLU has more dormant neurons than PPO without an activation "
    "function, and converges faster all the same.",
    source="He, 2026 (arXiv 2603.21173), figure 1",
    axis="activation function",
    arms=(
        ppo_arm("relu", "ReLU", {"PPONetwork.activation": "@relu"}),
        ppo_arm("none", "none", {"PPONetwork.activation": "@identity"}),
    ),
    games=("HalfCheetah-v4",),
    games_by_name=("HalfCheetah-v5", "Hopper-v4", "Walker2d-v4", "Ant-v4"),
    seeds=SEEDS,
    length=LENGTH,
    differs=DIFFERS,
    protocol=PPO,
)


# PPO layer by layer: dormant and zero-gradient neurons of policy and value networks.
#
# He, 2026 (arXiv 2603.21173), appendix B and figure 6. It says besides that in layer 0
# of the value network dormancy is slightly above the zero-gradient fraction. The two
# sets are compared at τ = 0 (Theorem 1). How deep the paper's networks are is not
# known: two hidden layers, as PPO mostly has, and four.

_DEPTHS = {2: "two hidden layers", 4: "four hidden layers"}

PPO_LAYERS = Study(
    name="ppo_layers",
    claim="Dormant and zero-gradient neurons are largely the same; both fractions are "
    "highest in the last layer and grow, and a neuron without a gradient stays so.",
    source="He, 2026 (arXiv 2603.21173), appendix B, figure 6",
    axis="hidden layers",
    arms=tuple(
        ppo_arm(f"depth{depth}", label, {"PPONetwork.num_layers": depth})
        for depth, label in _DEPTHS.items()
    ),
    games=("HalfCheetah-v4",),
    games_by_name=("HalfCheetah-v5", "Hopper-v4", "Walker2d-v4", "Ant-v4"),
    seeds=SEEDS,
    length=LENGTH,
    differs=DIFFERS,
    protocol=PPO,
)
