"""DQN with 3-step returns at four replay ratios, with and without ReDo.

Sokar et al., ICML 2023 (arXiv 2302.12902).
"""

from redo_dopamine.studies import arms, games
from redo_dopamine.studies.study import Study

STUDY = Study(
    name="replay_ratio_nstep",
    claim="Longer returns soften the loss at high replay ratios; ReDo still helps.",
    source="Sokar et al., ICML 2023 (arXiv 2302.12902): replay ratios, n = 3",
    axis="replay ratio",
    arms=arms.replay_ratio_sweep((0.25, 0.5, 1, 2), "DQN (n = 3)", "dqn_nstep"),
    games=games.DQN_GAMES,
    seeds=games.FIVE_SEEDS,
    length=10_000_000,  # frames
    paper=(
        *arms.scores("dqn_rr0.25 dqn_rr0.5 dqn_rr1 dqn_rr2", 0.655, 0.69, 0.555, 0.345),
        *arms.scores(
            "redo_rr0.25 redo_rr0.5 redo_rr1 redo_rr2", 0.69, 0.725, 0.73, 0.565
        ),
    ),
)
