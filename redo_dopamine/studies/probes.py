"""What the studies of the regression probe share.

He, "Rethinking Plasticity in Deep Reinforcement Learning", 2026 (arXiv 2603.21173). An
aged network is that of a run of `ppo_activation`, which must lie in
`runs/ppo_activation/` where the launch is started: a directory, or a link to one.
"""

from redo_dopamine.studies import arms
from redo_dopamine.studies.lengths import EPOCHS, whole_phases
from redo_dopamine.studies.study import Arm, Protocol, Setting

NUM_EPOCHS = 100
GAMES = ("HalfCheetah-v4",)
SEEDS = (0, 1, 2)
AGED: dict[str, Setting] = {"RegressionProbe.start": "@aged_network"}


def protocol(phases: int = 1) -> Protocol:
    """Runs in phases that have a task each."""
    return Protocol(
        agent="RegressionProbe",
        clocks={"RegressionProbe.num_epochs": NUM_EPOCHS},
        target_gradient_steps=None,
        module="redo_dopamine.supervised.regression_probe",
        seed="RegressionProbe.seed",
        game="RegressionProbe.environment_id = '{}'",
        num_iterations="RegressionProbe.num_epochs",
        iteration_steps=20,  # 1,000 samples in batches of 50
        unit=EPOCHS,
        shorten=whole_phases(phases),
        scored=False,
    )


def arm(
    name: str,
    label: str,
    settings: dict[str, Setting],
    series: str | None = None,
    x: float | None = None,
) -> Arm:
    """An arm with these settings; a network has ReLU unless they say otherwise."""
    settings = {"ValueNetwork.activation": "@relu", **settings}
    return arms.of_experiment(name, label, settings, series, x, speed="probe")
