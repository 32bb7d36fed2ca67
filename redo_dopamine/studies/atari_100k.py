"""DrQ(ε) on Atari 100K at four replay ratios, with and without ReDo, for 400K steps.

Sokar et al., ICML 2023 (arXiv 2302.12902).
"""

from redo_dopamine.studies import arms, games
from redo_dopamine.studies.study import DRQ_EPS, Study

STUDY = Study(
    name="atari_100k",
    claim="Where data is scarce, ReDo keeps most of what a high replay ratio costs.",
    source="Sokar et al., ICML 2023 (arXiv 2302.12902): replay ratios, DrQ(ε)",
    axis="replay ratio",
    arms=arms.replay_ratio_sweep(
        (1, 2, 4, 8), "DrQ(ε)", "drq_eps", prefix="drq", speed="drq_eps"
    ),
    games=games.ATARI_100K_GAMES,
    seeds=games.TEN_SEEDS,
    length=1_600_000,  # frames; 400K agent steps
    protocol=DRQ_EPS,
    paper=(
        *arms.scores(
            "drq_rr1 drq_rr2 drq_rr4 drq_rr8",
            (0.61, 0.58, 0.64),
            (0.53, 0.50, 0.56),
            (0.425, 0.40, 0.445),
            (0.345, 0.325, 0.37),
        ),
        *arms.scores(
            "redo_rr1 redo_rr2 redo_rr4 redo_rr8",
            (0.635, 0.595, 0.675),
            (0.615, 0.58, 0.65),
            (0.56, 0.53, 0.585),
            (0.515, 0.49, 0.54),
        ),
    ),
)
