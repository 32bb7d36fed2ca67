"""A regression task for value networks that PPO has trained, and for fresh ones.

He, 2026 (arXiv 2603.21173), figures 3 and 5: networks of 20 million agent steps, with
ReLU and without an activation function, have learning curves like those of fresh ones
at several learning rates. That claims equivalence: it takes a band that is fixed before
the runs, and networks as old as the paper's, and this study has neither yet. Learning
rates are ours.
"""

from redo_dopamine.studies import probes
from redo_dopamine.studies.study import Arm, Setting, Study

_RATES = (1e-4, 3e-4, 1e-3, 3e-3)
_ACTIVATIONS = {"relu": "@relu", "none": "@identity"}


def _arms(name: str, series: str, settings: dict[str, Setting]) -> tuple[Arm, ...]:
    return tuple(
        probes.arm(
            f"{name}_lr{rate:g}",
            f"{series}, learning rate {rate:g}",
            {**settings, "RegressionProbe.learning_rate": rate},
            series,
            rate,
        )
        for rate in _RATES
    )


def _pair(activation: str) -> tuple[Arm, ...]:
    settings: dict[str, Setting] = {"ValueNetwork.activation": _ACTIVATIONS[activation]}
    aged: dict[str, Setting] = {"aged_network.arm": f"'{activation}'", **probes.AGED}
    word = {"relu": "ReLU", "none": "no activation"}[activation]
    return (
        *_arms(f"aged_{activation}", f"after PPO, {word}", settings | aged),
        *_arms(f"fresh_{activation}", f"fresh, {word}", settings),
    )


STUDY = Study(
    name="regression_probe",
    claim="Value networks that PPO has trained, with ReLU or without an activation "
    "function, learn a new task as fresh ones do.",
    source="He, 2026 (arXiv 2603.21173), figures 3 and 5: regression probe",
    axis="learning rate",
    arms=(*_pair("relu"), *_pair("none")),
    games=probes.GAMES,
    seeds=probes.SEEDS,
    length=probes.NUM_EPOCHS,
    protocol=probes.protocol(),
)
