"""Which neurons to recycle, at an equal budget.

Sokar et al., ICML 2023 (arXiv 2302.12902): every 1,000 gradient steps a share of each
layer is recycled that falls from 0.1 to 0 along a quarter of a cosine. Replay ratio,
length and games are those of the paper's other comparisons: our choice.
"""

from redo_dopamine.studies import games
from redo_dopamine.studies.study import Arm, Study


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


STUDY = Study(
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
    games=games.DQN_GAMES,
    seeds=games.FIVE_SEEDS,
    length=10_000_000,  # frames
)
