"""Plasticity as a matter of the task: the loss on a second task by its distance.

He, 2026 (arXiv 2603.21173), its central claim as a curve. A network learns one task,
and then another whose targets have correlation 1 - d with those of the first; "fresh"
begins the second with new parameters.
"""

from redo_dopamine.studies import probes
from redo_dopamine.studies.study import Arm, Study

_PHASES = 2
_DISTANCES = (0, 0.25, 0.5, 0.75, 1, 1.5, 2)
_BEGINNINGS = {"aged": "@undisturbed", "fresh": "@redrawn"}


def _arm(name: str, distance: float) -> Arm:
    return probes.arm(
        f"{name}_d{distance:g}",
        f"{name}, distance {distance:g}",
        {
            "RegressionProbe.first_epochs": probes.NUM_EPOCHS,
            "RegressionProbe.distance": distance,
            "RegressionProbe.perturb": _BEGINNINGS[name],
        },
        name,
        distance,
    )


STUDY = Study(
    name="related_tasks",
    claim="An aged network learns a task near the one it knows sooner than a fresh "
    "network does, and a far one later.",
    source="He, 2026 (arXiv 2603.21173): plasticity depends on the task",
    axis="distance",
    arms=tuple(_arm(name, d) for name in _BEGINNINGS for d in _DISTANCES),
    games=probes.GAMES,
    seeds=probes.SEEDS,
    length=_PHASES * probes.NUM_EPOCHS,
    protocol=probes.protocol(_PHASES),
)
