"""How fast agents train: measured figures, for estimates of a study's hours.

`nature` is measured by `python -m redo_dopamine.train` on two cores of a server, with
no accelerator, one run at a time, as `train/steps_per_second` in `metrics.csv`;
`classifier` is the processor time of runs of `label_shuffle` on the same machine, `ppo`
and `sac` the means of runs of `ppo_activation` and `sac_redo`, and `minatar` that of
`laptop_replay_ratio`'s seed 101, two at a time; the other rows are estimates from their
multiplications and additions:

    python -m redo_dopamine.train --base_dir=DIR --gin_files=demo.gin
      --gin_bindings="RecycledDQNAgent.replay_ratio = RR"

at replay ratios 0.25 and 2, from which the two parts of a step follow. Another machine
has another speed: give `--steps_per_second`.
"""

import dataclasses
from collections.abc import Mapping

from redo_dopamine.studies.scaling import run_length
from redo_dopamine.studies.study import Arm, Study


@dataclasses.dataclass(frozen=True)
class Speed:
    """What one agent step costs, in seconds.

    Attributes:
        acting: the environment and the choice of an action.
        update: one gradient update, with its share of tracking.
    """

    acting: float
    update: float

    def steps_per_second(self, replay_ratio: float) -> float:
        """Agent steps per second at a replay ratio; updates per second at 1."""
        return 1 / (self.acting + replay_ratio * self.update)


START_SECONDS = 20.0  # Imports and compilation.
SPEEDS: Mapping[str, Speed] = {
    "nature": Speed(acting=0.0018, update=0.026),
    "nature_width0.25": Speed(acting=0.0012, update=0.005),
    "nature_width2": Speed(acting=0.0025, update=0.075),
    "nature_width4": Speed(acting=0.005, update=0.25),
    "impala": Speed(acting=0.005, update=0.22),
    "drq_eps": Speed(acting=0.0018, update=0.045),
    "classifier": Speed(acting=0.0, update=0.015),
    "minatar": Speed(acting=0.0002, update=0.0011),
    "minatar_width2": Speed(acting=0.0002, update=0.003),
    "minatar_width4": Speed(acting=0.0003, update=0.01),
    "probe": Speed(acting=0.0, update=0.0015),
    "sac": Speed(acting=0.0005, update=0.015),
    # An agent step, with its share of a rollout's updates.
    "ppo": Speed(acting=0.0006, update=0.0),
}


def run_seconds(
    study: Study, arm: Arm, scale: float = 1.0, steps_per_second: float | None = None
) -> float:
    """Seconds that a run of an arm takes, one run at a time.

    Args:
        study: that the arm belongs to.
        arm: one of its arms.
        scale: what part of the study's length to run.
        steps_per_second: agent steps per second at any arm; None for `SPEEDS`.
    """
    if steps_per_second is None:
        # Where no agent acts, a step is an update.
        ratio = 1 if arm.replay_ratio is None else arm.replay_ratio
        steps_per_second = SPEEDS[arm.speed].steps_per_second(ratio)
    return START_SECONDS + run_length(study, scale).agent_steps / steps_per_second
