"""What the studies of the regression probe share.

He, "Rethinking Plasticity in Deep Reinforcement Learning", 2026 (arXiv 2603.21173). An
aged network is that of a run of `ppo_activation`, which must lie in
`runs/ppo_activation/` where the launch is started: a directory, or a link to one.
"""

from redo_dopamine.studies import experiments
from redo_dopamine.studies.study import Arm, Protocol, Setting

NUM_EPOCHS = 100
GAMES = ("HalfCheetah-v4",)
SEEDS = (0, 1, 2)
AGED: dict[str, Setting] = {"RegressionProbe.start": "@aged_network"}


def protocol(phases: int = 1) -> Protocol:
    """Runs in phases that have a task each."""
    return experiments.protocol(
        "RegressionProbe",
        module="regression_probe",
        data="RegressionProbe.environment_id = '{}'",
        num_epochs=NUM_EPOCHS,
        iteration_steps=20,  # 1,000 samples in batches of 50
        phases=phases,
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
    return experiments.arm(name, label, settings, series, x, speed="probe")
