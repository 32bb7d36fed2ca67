"""Noise on zero-gradient neurons when the task changes, on others, and on none.

He, 2026 (arXiv 2603.21173), section 1: to perturb parameters at zero gradient does not
degrade performance and may even improve it. The paper says nothing of noise elsewhere:
that arm is a control of ours. The value network is that of PPO with four hidden layers;
the task changes to the regression of `regression_probe`.
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
    claim="Noise on the weights of zero-gradient neurons does no harm when the task "
    "changes, and may help.",
    source="He, 2026 (arXiv 2603.21173), section 1: parameters at zero gradient",
    axis="noise",
    arms=tuple(map(_arm, _NOISE)),
    games=probes.GAMES,
    seeds=probes.SEEDS,
    length=probes.NUM_EPOCHS,
    protocol=probes.protocol(),
)
