"""Sokar et al. (2023): baselines, which neurons, threshold and period, pruning,
activations, SAC.
"""

from redo_dopamine.studies import arms
from redo_dopamine.studies.catalogue import he2026, sokar2023_replay_ratio
from redo_dopamine.studies.study import Arm, Setting, Study

# ReDo beside resets and weight decay, at replay ratio 1.
#
# Sokar et al., ICML 2023 (arXiv 2302.12902). Each baseline at its best setting: resets
# every 100,000 gradient steps (of 50,000 to 500,000), weight decay of 1e-5 (of 1e-6 to
# 1e-3). A reset is of the head and the layer before it, as in the released code; the
# authors' summary says "only the penultimate layer", and which of the two their figure
# has is not known.

BASELINES = Study(
    name="baselines",
    claim="ReDo keeps more than periodic resets or weight decay do.",
    source="Sokar et al., ICML 2023 (arXiv 2302.12902): baselines at replay ratio 1",
    axis="method",
    arms=(
        arms.dqn(),
        Arm(
            name="layer_reset",
            label="DQN + reset",
            gin_file="dqn_layer_reset.gin",
            replay_ratio=1,
            settings={"layer_reset.period": 100_000},
            series="DQN + reset",
        ),
        Arm(
            name="weight_decay",
            label="DQN + weight decay",
            gin_file="dqn.gin",
            replay_ratio=1,
            settings={"RecycledDQNAgent.weight_decay": 1e-5},
            series="DQN + weight decay",
        ),
        arms.redo(),
    ),
    games=arms.DQN_GAMES,
    seeds=arms.FIVE_SEEDS,
    length=10_000_000,  # frames
    paper=arms.scores("dqn layer_reset weight_decay redo", 0.30, 0.325, 0.415, 0.625),
)


# Which neurons to recycle, at an equal budget.
#
# Sokar et al., ICML 2023 (arXiv 2302.12902): every 1,000 gradient steps a share of each
# layer is recycled that falls from 0.1 to 0 along a quarter of a cosine. Replay ratio,
# length and games are those of the paper's other comparisons: our choice.


def _arm(name: str, label: str, select: str) -> Arm:
    return Arm(
        name=name,
        label=label,
        gin_file="dqn_fixed_budget.gin",
        replay_ratio=1,
        settings={
            "fixed_budget.select": select,
            "fixed_budget.period": 1_000,
            "cosine.value": 0.1,
            "cosine.stop": 2_500_000,  # the run's length in gradient steps
        },
        series=label,
    )


SELECTION = Study(
    name="selection",
    claim="Recycling the least active neurons trains; random or active ones, it fails.",
    source="Sokar et al., ICML 2023 (arXiv 2302.12902): recycling strategies",
    axis="neurons recycled",
    arms=(
        _arm("lowest", "lowest score", "@lowest_score"),
        _arm("random", "at random", "@at_random"),
        _arm("highest", "highest score", "@highest_score"),
        _arm("utility", "lowest utility", "@lowest_utility"),
    ),
    games=arms.DQN_GAMES,
    seeds=arms.FIVE_SEEDS,
    length=10_000_000,  # frames
)


# The grid that ReDo's threshold and period were chosen from.
#
# Sokar et al., ICML 2023 (arXiv 2302.12902). Replay ratio, length and games are those
# of the paper's other comparisons: our choice.

THRESHOLD_AND_PERIOD = Study(
    name="threshold_and_period",
    claim="A threshold of 0.1 every 1,000 gradient steps is the best of the grid.",
    source="Sokar et al., ICML 2023 (arXiv 2302.12902): search for hyperparameters",
    axis="threshold τ",
    arms=tuple(
        Arm(
            name=f"tau{tau:g}_period{period}",
            label=f"τ = {tau:g}, every {period:,}",
            gin_file="dqn_redo.gin",
            replay_ratio=1,
            settings={"redo.tau": tau, "redo.period": period},
            series=f"every {period:,} gradient steps",
            x=tau,
        )
        for period in (1_000, 10_000, 100_000)
        for tau in (0.0, 0.01, 0.1)
    ),
    games=arms.DQN_GAMES,
    seeds=arms.FIVE_SEEDS,
    length=10_000_000,  # frames
)


# Silencing for good whatever neuron was found dormant, at replay ratio 1.
#
# Sokar et al., ICML 2023 (arXiv 2302.12902): the return stays inside its interval.
# Threshold, period, replay ratio and length are those of ReDo: our choice.

PRUNING = Study(
    name="pruning",
    claim="Dormant neurons can be pruned while training at no cost.",
    source="Sokar et al., ICML 2023 (arXiv 2302.12902): pruning dormant neurons",
    axis="method",
    arms=(
        arms.dqn(),
        Arm(
            name="prune",
            label="DQN + pruning",
            gin_file="dqn_prune.gin",
            replay_ratio=1,
            settings={"prune.tau": 0.1, "prune.period": 1_000},
            series="DQN + pruning",
        ),
    ),
    games=arms.DQN_GAMES,
    seeds=arms.FIVE_SEEDS,
    length=10_000_000,  # frames
    paper=arms.scores("dqn", (0.30, 0.255, 0.36)),
)


# DQN with leaky ReLU in the place of ReLU, with and without ReDo.
#
# Sokar et al., ICML 2023 (arXiv 2302.12902): it helps a little. The slope is flax's
# own; that both replay ratios are run with both activations and with ReDo is our
# choice.

_RATIOS = (0.25, 1)
_LEAKY: dict[str, Setting] = {
    "NatureNetwork.activation": "@leaky_relu",
    "leaky_relu.negative_slope": 0.01,
}
_RELU = arms.replay_ratio_sweep(_RATIOS, "DQN", "dqn")


def _leaky(arm: Arm) -> Arm:
    """The same arm with the other activation."""
    series = f"{arm.series}, leaky ReLU"
    return Arm(
        name=f"leaky_{arm.name}",
        label=f"{series}, RR {arm.x:g}",
        gin_file=arm.gin_file,
        replay_ratio=arm.replay_ratio,
        settings={**arm.settings, **_LEAKY},
        series=series,
        x=arm.x,
    )


ACTIVATIONS = Study(
    name="activations",
    claim="Leaky ReLU helps DQN a little.",
    source="Sokar et al., ICML 2023 (arXiv 2302.12902): activation function",
    axis="replay ratio",
    arms=(*_RELU, *(_leaky(arm) for arm in _RELU)),
    games=arms.DQN_GAMES,
    seeds=arms.FIVE_SEEDS,
    length=10_000_000,  # frames
    paper=arms.scores_of(_RELU, sokar2023_replay_ratio.REPLAY_RATIO.paper),
)


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


def _sac_arm(
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
        _sac_arm("sac", "SAC", {}),
        _sac_arm(
            "redo",
            "SAC + ReDo",
            {"redo.tau": 0.0, "redo.period": _PERIOD},
            "sac_redo.gin",
        ),
        _sac_arm(
            "reset",
            "SAC + reset",
            {
                "RecycledSACAgent.intervention": "@layer_reset()",
                "layer_reset.period": _PERIOD,
            },
        ),
        _sac_arm(
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
