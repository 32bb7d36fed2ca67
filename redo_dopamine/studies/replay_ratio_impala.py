"""DQN with the IMPALA network at four replay ratios, with and without ReDo.

Sokar et al., ICML 2023 (arXiv 2302.12902).
"""

from redo_dopamine.studies import arms, games
from redo_dopamine.studies.study import Study

STUDY = Study(
    name="replay_ratio_impala",
    claim="A residual network loses by a high replay ratio too; ReDo helps it.",
    source="Sokar et al., ICML 2023 (arXiv 2302.12902): replay ratios, IMPALA network",
    axis="replay ratio",
    arms=arms.replay_ratio_sweep(
        (0.25, 0.5, 1, 2), "DQN (IMPALA)", "dqn_impala", speed="impala"
    ),
    games=games.DQN_GAMES,
    seeds=games.FIVE_SEEDS,
    length=10_000_000,  # frames
    paper=(
        *arms.scores("dqn_rr0.25 dqn_rr0.5 dqn_rr1 dqn_rr2", 0.79, 0.78, 0.51, 0.22),
        *arms.scores(
            "redo_rr0.25 redo_rr0.5 redo_rr1 redo_rr2", 0.83, 1.00, 0.84, 0.53
        ),
    ),
)
