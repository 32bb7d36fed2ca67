"""A learning rate ten times as large, where recycling was seen to do nothing.

The plan, fixed before the first run, as `laptop` has it, at replay ratio 2. Beside
weights that have grown, a newly drawn neuron may be dormant again at once; if so, one
that is drawn as large as the live neurons are (`live_norm`) should not be. The last arm
was added when the others had been seen, to tell how much of it is the length of a new
neuron's first steps.
"""

from redo_dopamine.studies import laptop
from redo_dopamine.studies.study import Study

_LARGE = {"create_optimizer.learning_rate": 1e-3}

STUDY = Study(
    name="laptop_learning_rate",
    claim="At a learning rate of 1e-3 recycled neurons are dormant again at once, and "
    "are not where they are drawn as large as the live ones.",
    source="This project's own question, on MinAtar, at a laptop's size",
    axis="method",
    arms=(
        laptop.arm("dqn", "DQN", _LARGE),
        laptop.arm("redo", "DQN + ReDo", laptop.with_redo(_LARGE)),
        laptop.arm(
            "redo_live_norm",
            "DQN + ReDo, at live neurons' norm",
            laptop.with_redo({**_LARGE, "redo.incoming": "@live_norm"}),
        ),
        laptop.arm(
            "redo_own_bias",
            "DQN + ReDo, own bias correction",
            laptop.with_redo(
                {
                    **_LARGE,
                    "RecycledDQNAgent.after_optimizer": "[@own_bias_correction()]",
                }
            ),
        ),
    ),
    games=laptop.GAME,
    games_by_name=laptop.MORE_GAMES,
    seeds=laptop.THREE_SEEDS,
    length=laptop.LENGTH,
    protocol=laptop.PROTOCOL,
)
