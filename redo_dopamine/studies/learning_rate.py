"""Is it the learning rate? DQN with one that falls as the replay ratio rises.

A control for Sokar et al., ICML 2023 (arXiv 2302.12902): more updates at a smaller
rate move parameters about as far. That the rate is divided by the number of updates,
and at which replay ratios, is our choice; at 0.25 there is nothing to divide by.
"""

from redo_dopamine.studies import arms, games, replay_ratio
from redo_dopamine.studies.study import Arm, Study

_DEFAULT_RATIO, _DEFAULT_RATE = 0.25, 6.25e-5
_RATIOS = (0.25, 0.5, 1, 2)
_SWEEP = arms.replay_ratio_sweep(_RATIOS, "DQN", "dqn")
_SERIES = "DQN, learning rate / RR"
_SCALED = tuple(
    Arm(
        name=f"scaled_rr{ratio:g}",
        label=f"DQN, learning rate {rate:.4g}, RR {ratio:g}",
        gin_file="dqn.gin",
        replay_ratio=ratio,
        settings={"create_optimizer.learning_rate": rate},
        series=_SERIES,
        x=ratio,
    )
    for ratio in _RATIOS
    if (rate := _DEFAULT_RATE * _DEFAULT_RATIO / ratio) != _DEFAULT_RATE
)

STUDY = Study(
    name="learning_rate",
    claim="Does ReDo at the full learning rate do what a rate that falls with the "
    "replay ratio does not?",
    source="a control for Sokar et al., ICML 2023 (arXiv 2302.12902)",
    axis="replay ratio",
    arms=(*_SWEEP, *_SCALED),
    games=games.DQN_GAMES,
    seeds=games.FIVE_SEEDS,
    length=10_000_000,  # frames
    paper=arms.scores_of(_SWEEP, replay_ratio.STUDY.paper),
)
