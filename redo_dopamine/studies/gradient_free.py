"""A trapped layer at a new task: evolution strategies against Adam.

He, 2026 (arXiv 2603.21173): optimization without gradients reduces the loss of
plasticity. How it is tested is ours: where the gradient of a layer's neurons has
vanished, a search that needs none should still find better weights. The value network
is that of PPO with four hidden layers, the task the regression of `regression_probe`,
and only the layer with the most zero-gradient neurons is trained. An epoch is 1,000
evaluations of the network for both: 20 updates of Adam, one generation of evolution
strategies.
"""

from redo_dopamine.studies import probes
from redo_dopamine.studies.study import Arm, Study

_RATES = (1e-3, 3e-3, 1e-2)
_SEARCHES = {
    "adam": ("Adam", "@adam_on_trapped_layer"),
    "evolution": ("evolution strategies", "@evolution_on_trapped_layer"),
}


def _arm(name: str, rate: float) -> Arm:
    label, search = _SEARCHES[name]
    return probes.arm(
        f"{name}_lr{rate:g}",
        f"{label}, learning rate {rate:g}",
        {
            **probes.TRAPPED,
            "RegressionProbe.search": search,
            "RegressionProbe.learning_rate": rate,
        },
        label,
        rate,
    )


STUDY = Study(
    name="gradient_free",
    claim="Optimization without gradients reduces the loss of plasticity: a layer "
    "whose gradient has vanished learns a new task better by it than by Adam.",
    source="He, 2026 (arXiv 2603.21173): gradient-free optimization",
    axis="learning rate",
    arms=tuple(_arm(name, rate) for name in _SEARCHES for rate in _RATES),
    games=probes.GAMES,
    seeds=probes.SEEDS,
    length=10 * probes.NUM_EPOCHS,
    protocol=probes.protocol(),
)
