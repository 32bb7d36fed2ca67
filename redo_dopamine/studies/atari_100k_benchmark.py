"""DrQ(ε) on Atari 100K as the benchmark asks: 100K agent steps, replay ratio 1.

The paper's own study of these games, `atari_100k`, trains four times as long.
"""

from redo_dopamine.studies import arms, games
from redo_dopamine.studies.study import DRQ_EPS, Study

STUDY = Study(
    name="atari_100k_benchmark",
    claim="After the benchmark's own 100K agent steps ReDo has cost DrQ(ε) no score.",
    source="This project's own question, by the protocol of Kaiser et al., 2020",
    axis="replay ratio",
    arms=arms.replay_ratio_sweep(
        (1,), "DrQ(ε)", "drq_eps", prefix="drq", speed="drq_eps"
    ),
    games=games.ATARI_100K_GAMES,
    seeds=games.TEN_SEEDS,
    length=400_000,  # frames; 100K agent steps
    protocol=DRQ_EPS,
)
