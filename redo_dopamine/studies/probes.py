"""What the studies of the regression probe share.

He, "Rethinking Plasticity in Deep Reinforcement Learning", 2026 (arXiv 2603.21173). An
aged network is that of a run of `ppo_activation`, or, where neurons without a gradient
are wanted, of the deeper one of `ppo_layers`: at `regression_probe`'s inputs the former
had next to none. The paper's are networks of 20 million agent steps; those that were
run here had 300,000 and few dormant neurons, so they do not test it yet. These studies
must lie in `runs/` where the launch is started: as directories,
or links to them.
"""

from redo_dopamine.studies import experiments
from redo_dopamine.studies.study import Arm, Protocol, Setting

NUM_EPOCHS = 100
GAMES = ("HalfCheetah-v4",)
SEEDS = (0, 1, 2)
AGED: dict[str, Setting] = {"RegressionProbe.start": "@aged_network"}
TRAPPED: dict[str, Setting] = {
    **AGED,
    "aged_network.root": "'runs/ppo_layers'",
    "aged_network.arm": "'depth4'",
    "ValueNetwork.num_layers": 4,
}


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
