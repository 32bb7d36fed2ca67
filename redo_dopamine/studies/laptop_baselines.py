"""ReDo beside resets, weight decay and other choices of neurons, on MinAtar.

The plan, fixed before the first run, as `laptop` has it, at replay ratio 2, where a run
has 196,000 gradient steps. Resets every 50,000 of them, so that the last is well before
the end; weight decay is the best of the paper's. The fixed budgets recycle a share of
each layer that falls from 0.1 to 0 along a quarter of a cosine: the least active
neurons, or as many drawn at random.
"""

from redo_dopamine.studies import laptop
from redo_dopamine.studies.study import Arm, Study

_INTERVENTION = "RecycledDQNAgent.intervention"


def _budget(name: str, label: str, select: str) -> Arm:
    return laptop.arm(
        name,
        label,
        {
            _INTERVENTION: "@fixed_budget()",
            "fixed_budget.select": select,
            "fixed_budget.fraction": "@cosine()",
            "fixed_budget.period": 1_000,
            "fixed_budget.score_batch_size": 256,
            "cosine.value": 0.1,
            "cosine.stop": 196_000,
        },
    )


STUDY = Study(
    name="laptop_baselines",
    claim="ReDo keeps more than resets or weight decay do, and recycling the least "
    "active neurons more than recycling as many at random.",
    source=f"{laptop.PAPER}: baselines and selection; on MinAtar, at a laptop's size",
    axis="method",
    arms=(
        laptop.arm("dqn", "DQN", {}),
        laptop.arm(
            "layer_reset",
            "DQN + reset",
            {_INTERVENTION: "@layer_reset()", "layer_reset.period": 50_000},
        ),
        laptop.arm(
            "weight_decay",
            "DQN + weight decay",
            {"RecycledDQNAgent.weight_decay": 1e-5},
        ),
        laptop.arm("redo", "DQN + ReDo", laptop.with_redo({})),
        _budget("lowest", "lowest score", "@lowest_score"),
        _budget("random", "at random", "@at_random"),
    ),
    games=laptop.GAME,
    games_by_name=laptop.MORE_GAMES,
    seeds=laptop.THREE_SEEDS,
    length=laptop.LENGTH,
    protocol=laptop.PROTOCOL,
)
