"""DQN at three widths of all layers, with and without ReDo, at replay ratio 1.

Sokar et al., ICML 2023 (arXiv 2302.12902).
"""

from redo_dopamine.studies import arms, games
from redo_dopamine.studies.study import Arm, PaperDormancy, Study

_WIDTHS = (1, 2, 4)
_PLAIN = tuple(
    Arm(
        name=f"dqn_width{width}",
        label=f"DQN, width {width}",
        gin_file="dqn.gin",
        replay_ratio=1,
        settings={"NatureNetwork.width": width},
        series="DQN",
        x=width,
        speed=f"nature_width{width}" if width > 1 else "nature",
    )
    for width in _WIDTHS
)
_REDO = tuple(
    Arm(
        name=f"redo_width{width}",
        label=f"DQN + ReDo, width {width}",
        gin_file="dqn_redo.gin",
        replay_ratio=1,
        settings={**arms.REDO, "NatureNetwork.width": width},
        series="DQN + ReDo",
        x=width,
        speed=f"nature_width{width}" if width > 1 else "nature",
    )
    for width in _WIDTHS
)

STUDY = Study(
    name="width",
    claim="Wider networks have as large a share of dormant neurons; ReDo helps all.",
    source="Sokar et al., ICML 2023 (arXiv 2302.12902): network width",
    axis="width",
    arms=(*_PLAIN, *_REDO),
    games=games.DQN_GAMES,
    seeds=games.FIVE_SEEDS,
    length=10_000_000,  # frames
    paper=(
        *arms.scores("dqn_width1 dqn_width2 dqn_width4", 0.30, 0.37, 0.33),
        *arms.scores("redo_width1 redo_width2 redo_width4", 0.62, 0.70, 0.71),
    ),
    # Over the three widths.
    paper_dormancy=(
        *(PaperDormancy(arm.name, "DemonAttack", 47, 54, tau=0.1) for arm in _PLAIN),
        *(PaperDormancy(arm.name, "DemonAttack", 11, 12, tau=0.1) for arm in _REDO),
    ),
)
