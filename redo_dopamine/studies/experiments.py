"""What studies share where no agent acts: runs of epochs, and arms of them."""

from collections.abc import Mapping

from redo_dopamine.studies.lengths import EPOCHS, whole_phases
from redo_dopamine.studies.study import Arm, Protocol, Setting


def protocol(
    experiment: str,
    module: str,
    data: str,
    num_epochs: int,
    iteration_steps: int,
    phases: int = 1,
) -> Protocol:
    """Runs of an experiment of `redo_dopamine.supervised`.

    Args:
        experiment: its gin name.
        module: what executes it, of that package.
        data: gin binding of the data, with braces in the place of their name.
        num_epochs: the experiment's own default.
        iteration_steps: gradient updates of an epoch.
        phases: equal parts of a run, none of which is lost where it is shortened.
    """
    length = f"{experiment}.num_epochs"
    return Protocol(
        agent=experiment,
        clocks={length: num_epochs},
        target_gradient_steps=None,
        module=f"redo_dopamine.supervised.{module}",
        seed=f"{experiment}.seed",
        game=data,
        num_iterations=length,
        iteration_steps=iteration_steps,
        unit=EPOCHS,
        shorten=whole_phases(phases),
        score=None,
    )


def arm(
    name: str,
    label: str,
    settings: Mapping[str, Setting],
    series: str | None = None,
    x: float | None = None,
    speed: str = "nature",
) -> Arm:
    """An arm where no agent acts: a module's defaults, and these settings.

    Args:
        name: see `Arm`.
        label: see `Arm`.
        settings: see `Arm`.
        series: see `Arm`; None for one of its own.
        x: see `Arm`.
        speed: see `Arm`.
    """
    return Arm(
        name=name,
        label=label,
        gin_file=None,
        replay_ratio=None,
        settings=settings,
        series=series or label,
        x=x,
        speed=speed,
    )
