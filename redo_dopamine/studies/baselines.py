"""ReDo beside resets and weight decay, at replay ratio 1.

Sokar et al., ICML 2023 (arXiv 2302.12902). Each baseline at its best setting: resets
every 100,000 gradient steps (of 50,000 to 500,000), weight decay of 1e-5 (of 1e-6 to
1e-3). A reset is of the head and the layer before it, as in the released code; the
authors' summary says "only the penultimate layer", and which of the two their figure
has is not known.
"""

from redo_dopamine.studies import arms, games
from redo_dopamine.studies.study import Arm, Study

STUDY = Study(
    name="baselines",
    claim="ReDo keeps more than periodic resets or weight decay do.",
    source="Sokar et al., ICML 2023 (arXiv 2302.12902): baselines at replay ratio 1",
    axis="method",
    arms=(
        arms.dqn(),
        Arm(
            name="layer_reset",
            label="DQN + reset",
            gin_file="dqn_layer_reset.gin",
            replay_ratio=1,
            settings={"layer_reset.period": 100_000},
            series="DQN + reset",
        ),
        Arm(
            name="weight_decay",
            label="DQN + weight decay",
            gin_file="dqn.gin",
            replay_ratio=1,
            settings={"RecycledDQNAgent.weight_decay": 1e-5},
            series="DQN + weight decay",
        ),
        arms.redo(),
    ),
    games=games.DQN_GAMES,
    seeds=games.FIVE_SEEDS,
    length=10_000_000,  # frames
    paper=arms.scores("dqn layer_reset weight_decay redo", 0.30, 0.325, 0.415, 0.625),
)
