"""DQN with leaky ReLU in the place of ReLU, with and without ReDo.

Sokar et al., ICML 2023 (arXiv 2302.12902): it helps a little. The slope is flax's own;
that both replay ratios are run with both activations and with ReDo is our choice.
"""

from redo_dopamine.studies import arms, games, replay_ratio
from redo_dopamine.studies.study import Arm, Setting, Study

_RATIOS = (0.25, 1)
_LEAKY: dict[str, Setting] = {
    "NatureNetwork.activation": "@leaky_relu",
    "leaky_relu.negative_slope": 0.01,
}
_RELU = arms.replay_ratio_sweep(_RATIOS, "DQN", "dqn")


def _leaky(arm: Arm) -> Arm:
    """The same arm with the other activation."""
    series = f"{arm.series}, leaky ReLU"
    return Arm(
        name=f"leaky_{arm.name}",
        label=f"{series}, RR {arm.x:g}",
        gin_file=arm.gin_file,
        replay_ratio=arm.replay_ratio,
        settings={**arm.settings, **_LEAKY},
        series=series,
        x=arm.x,
    )


STUDY = Study(
    name="activations",
    claim="Leaky ReLU helps DQN a little.",
    source="Sokar et al., ICML 2023 (arXiv 2302.12902): activation function",
    axis="replay ratio",
    arms=(*_RELU, *(_leaky(arm) for arm in _RELU)),
    games=games.DQN_GAMES,
    seeds=games.FIVE_SEEDS,
    length=10_000_000,  # frames
    paper=arms.scores_of(_RELU, replay_ratio.STUDY.paper),
)
