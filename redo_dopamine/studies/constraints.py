"""Constraints on the weights while one task, then an unrelated one is learned.

He, 2026 (arXiv 2603.21173): constraints limit how deep parameters get entrenched, and
so mitigate the loss of plasticity. Here weight clipping, L2, L2 to the initial weights,
and a bound on spectral norms: dormancy, and how well the second task is learned. Which
constraints, their strengths and the tasks are ours.
"""

from redo_dopamine.studies import probes
from redo_dopamine.studies.study import Arm, Setting, Study

_PHASES = 2
_KINDS: dict[str, tuple[str, dict[str, Setting]]] = {
    "none": ("no constraint", {}),
    "clipping": (
        "weight clipping",
        {
            "RegressionProbe.intervention": "@weight_clipping()",
            "weight_clipping.limit": 0.5,
        },
    ),
    "l2": (
        "L2",
        {
            "RegressionProbe.before_optimizer": "[@coupled_weight_decay()]",
            "coupled_weight_decay.strength": 1e-3,
        },
    ),
    "l2_to_init": (
        "L2 to initial",
        {
            "RegressionProbe.before_optimizer": "[@l2_to_init()]",
            "l2_to_init.strength": 1e-3,
        },
    ),
    "spectral_norm": (
        "spectral norm",
        {
            "RegressionProbe.intervention": "@spectral_norm()",
            "spectral_norm.limit": 2.0,
        },
    ),
}


def _arm(name: str) -> Arm:
    label, settings = _KINDS[name]
    second_task: dict[str, Setting] = {
        "RegressionProbe.first_epochs": probes.NUM_EPOCHS,
        "RegressionProbe.distance": 1.0,
    }
    return probes.arm(name, label, second_task | settings)


STUDY = Study(
    name="constraints",
    claim="Constraints on the weights mitigate the loss of plasticity.",
    source="He, 2026 (arXiv 2603.21173): constraints on the weights",
    axis="constraint",
    arms=tuple(map(_arm, _KINDS)),
    games=probes.GAMES,
    seeds=probes.SEEDS,
    length=_PHASES * probes.NUM_EPOCHS,
    protocol=probes.protocol(_PHASES),
)
