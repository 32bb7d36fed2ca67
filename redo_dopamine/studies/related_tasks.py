"""Plasticity as a matter of the task: the loss on a second task by its distance.

He, 2026 (arXiv 2603.21173), section 3.2: an aged, highly dormant network struggles with
tasks similar to the one it was trained on; on a significantly different one it performs
like one that was just drawn. Here a network learns one task, and then another whose
targets have correlation 1 - d with those of the first; "fresh" begins the second with
new parameters. Distances beyond 1 are outside the claim: 2 is the negative of the first
task, as related to it as can be. Distances and tasks are ours.
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
    claim="An aged, highly dormant network learns tasks near the one it knows worse "
    "than a fresh one, and an unrelated task as well.",
    source="He, 2026 (arXiv 2603.21173), section 3.2: similar and different tasks",
    axis="distance",
    arms=tuple(_arm(name, d) for name in _BEGINNINGS for d in _DISTANCES),
    games=probes.GAMES,
    seeds=probes.SEEDS,
    length=_PHASES * probes.NUM_EPOCHS,
    protocol=probes.protocol(_PHASES),
)
