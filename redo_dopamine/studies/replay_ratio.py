"""DQN at four replay ratios, with and without ReDo.

Sokar et al., "The Dormant Neuron Phenomenon in Deep Reinforcement Learning", ICML 2023
(arXiv 2302.12902). The target network is synchronised every 2,000 gradient steps.
"""

from redo_dopamine.studies import arms, games
from redo_dopamine.studies.study import PaperDormancy, Study

STUDY = Study(
    name="replay_ratio",
    claim="DQN loses by more gradient updates per step; with ReDo it gains.",
    source="Sokar et al., ICML 2023 (arXiv 2302.12902): replay ratios, default network",
    axis="replay ratio",
    arms=arms.replay_ratio_sweep((0.25, 0.5, 1, 2), "DQN", "dqn"),
    games=games.DQN_GAMES,
    seeds=games.FIVE_SEEDS,
    length=10_000_000,  # frames
    paper=(
        *arms.scores(
            "dqn_rr0.25 dqn_rr0.5 dqn_rr1 dqn_rr2",
            (0.41, 0.36, 0.46),
            (0.475, 0.42, 0.53),
            (0.30, 0.255, 0.36),
            (0.09, 0.075, 0.11),
        ),
        *arms.scores(
            "redo_rr0.25 redo_rr0.5 redo_rr1 redo_rr2",
            (0.40, 0.37, 0.44),
            (0.57, 0.54, 0.61),
            (0.625, 0.585, 0.665),
            (0.54, 0.49, 0.58),
        ),
    ),
    # In runs that went on to 40M frames. Their τ is not known; 0.1 it cannot be, since
    # `width` has 47 to 54% at replay ratio 1 after 10M frames, where 0.1 is stated.
    paper_dormancy=tuple(
        PaperDormancy(arm, "DemonAttack", percent, percent, tau=None, at=40_000_000)
        for arm, percent in (
            ("dqn_rr0.25", 9),
            ("dqn_rr0.5", 23),
            ("dqn_rr1", 38),
            ("dqn_rr2", 48),
        )
    ),
)
