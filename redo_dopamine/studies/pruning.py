"""Silencing for good whatever neuron was found dormant, at replay ratio 1.

Sokar et al., ICML 2023 (arXiv 2302.12902): the return stays inside its interval.
Threshold, period, replay ratio and length are those of ReDo: our choice.
"""

from redo_dopamine.studies import arms, games
from redo_dopamine.studies.study import Arm, Study

STUDY = Study(
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
    games=games.DQN_GAMES,
    seeds=games.FIVE_SEEDS,
    length=10_000_000,  # frames
    paper=arms.scores("dqn", (0.30, 0.255, 0.36)),
)
