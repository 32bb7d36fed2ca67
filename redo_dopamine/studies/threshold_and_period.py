"""The grid that ReDo's threshold and period were chosen from.

Sokar et al., ICML 2023 (arXiv 2302.12902). Replay ratio, length and games are those of
the paper's other comparisons: our choice.
"""

from redo_dopamine.studies import games
from redo_dopamine.studies.study import Arm, Study

STUDY = Study(
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
    games=games.DQN_GAMES,
    seeds=games.FIVE_SEEDS,
    length=10_000_000,  # frames
)
