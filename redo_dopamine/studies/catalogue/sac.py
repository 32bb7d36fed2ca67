"""SAC with and without ReDo."""

from redo_dopamine.studies import arms
from redo_dopamine.studies.catalogue import he2026
from redo_dopamine.studies.study import Arm, Setting, Study

# SAC with ReDo, resets and weight decay on four of MuJoCo's robots.
#
# Sokar et al., ICML 2023 (arXiv 2302.12902): SAC. The reset is that of the last two
# layers at ReDo's period, and the weight decay the best of the paper's for DQN: what
# the paper has for SAC is not known.

_PERIOD = 200_000

PROTOCOL = he2026.protocol(
    agent="RecycledSACAgent",
    seed="SACAgent.seed",
    clocks={
        "Runner.num_iterations": 100,
        "Runner.training_steps": 10_000,
        "Runner.evaluation_steps": 10_000,
        "Runner.max_steps_per_episode": 1_000,
        "SACAgent.min_replay_history": 10_000,
        "SACAgent.summary_writing_frequency": 2_000,
        "RecycledSACAgent.tracking_period": 1_000,
        "ReplayBuffer.max_capacity": 1_000_000,
    },
)


def _arm(
    name: str, label: str, settings: dict[str, Setting], gin_file: str = "sac.gin"
) -> Arm:
    return Arm(
        name=name,
        label=label,
        gin_file=gin_file,
        replay_ratio=None,
        settings=settings,
        series=label,
        speed="sac",
    )


SAC_REDO = Study(
    name="sac_redo",
    claim="ReDo leaves the returns of SAC about as they are; resets lower them.",
    source="Sokar et al., ICML 2023 (arXiv 2302.12902): SAC on MuJoCo",
    axis="agent",
    arms=(
        _arm("sac", "SAC", {}),
        _arm(
            "redo",
            "SAC + ReDo",
            {"redo.tau": 0.0, "redo.period": _PERIOD},
            "sac_redo.gin",
        ),
        _arm(
            "reset",
            "SAC + reset",
            {
                "RecycledSACAgent.intervention": "@layer_reset()",
                "layer_reset.period": _PERIOD,
            },
        ),
        _arm(
            "weight_decay",
            "SAC + weight decay",
            {"RecycledSACAgent.weight_decay": 1e-5},
        ),
    ),
    games=("HalfCheetah-v4", "Hopper-v4", "Walker2d-v4", "Ant-v4"),
    seeds=arms.TEN_SEEDS,
    length=1_000_000,
    protocol=PROTOCOL,
)
