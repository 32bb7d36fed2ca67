"""Noise on zero-gradient neurons when the task changes, on others, and on none.

He, 2026 (arXiv 2603.21173): if neurons without a gradient are what is trapped, noise on
them should help, and the same noise elsewhere should not. The value network is that of
PPO with four hidden layers; the task changes to the regression of `regression_probe`.
"""

from redo_dopamine.studies import probes
from redo_dopamine.studies.study import Arm, Study

_NOISE = {
    "none": ("no noise", "@undisturbed"),
    "zero_gradient": ("noise on zero-gradient neurons", "@disturb_zero_gradient"),
    "random": ("noise on as many at random", "@disturb_at_random"),
}


def _arm(name: str) -> Arm:
    label, function = _NOISE[name]
    settings = {**probes.TRAPPED, "RegressionProbe.perturb": function}
    return probes.arm(name, label, settings)


STUDY = Study(
    name="perturb",
    claim="Noise on the weights of zero-gradient neurons lets a network learn a new "
    "task; the same noise on neurons drawn at random does not.",
    source="He, 2026 (arXiv 2603.21173): perturbation of zero-gradient neurons",
    axis="noise",
    arms=tuple(map(_arm, _NOISE)),
    games=probes.GAMES,
    seeds=probes.SEEDS,
    length=probes.NUM_EPOCHS,
    protocol=probes.protocol(),
)
