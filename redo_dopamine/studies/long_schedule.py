"""The default setting far beyond its 40M frames: does the gain of ReDo last?

Sokar et al., ICML 2023 (arXiv 2302.12902) end at 40M frames, with τ = 0.025. A user of
another implementation saw returns decay after 64M frames (timoklein/redo, issue 8).
"""

from redo_dopamine.studies import games
from redo_dopamine.studies.study import Arm, PaperDormancy, Study


def _redo(tau: float) -> Arm:
    return Arm(
        name=f"redo_tau{tau:g}",
        label=f"DQN + ReDo, τ = {tau:g}",
        gin_file="dqn_redo.gin",
        replay_ratio=0.25,
        settings={"redo.tau": tau, "redo.period": 1_000},
        series=f"DQN + ReDo, τ = {tau:g}",
    )


STUDY = Study(
    name="long_schedule",
    claim="What ReDo gains at replay ratio 0.25 lasts for 200M frames.",
    source="Sokar et al., ICML 2023 (arXiv 2302.12902): default setting, longer",
    axis="method",
    arms=(
        Arm("dqn", "DQN", "dqn.gin", 0.25, {}, "DQN"),
        _redo(0.025),
        _redo(0.1),
    ),
    games=games.DQN_GAMES,
    seeds=games.FIVE_SEEDS,
    length=200_000_000,  # frames
    # 0.025 is the threshold that recycles; the one that measures is not known.
    paper_dormancy=(
        PaperDormancy("dqn", "DemonAttack", 26, 30, tau=None, at=40_000_000),
        PaperDormancy("redo_tau0.025", "DemonAttack", 1, 2, tau=None, at=40_000_000),
    ),
)
