"""Train on fixed data, without a game, and evaluate in one if asked to.

`Runner.training_steps` are train steps here.
"""

from typing import Any

import gin
import numpy as np

from redo_dopamine.agents.offline_dqn import OfflineDQNAgent
from redo_dopamine.environments import atari
from redo_dopamine.runners.progress import Progress
from redo_dopamine.runners.resume import ResumeOptions, TrainPhase
from redo_dopamine.runners.runner import PlasticityRunner

_EVALUATION = 7  # A random stream, apart from the others.


@gin.configurable(module="redo_dopamine", allowlist=["agent"])
class OfflineRunner(PlasticityRunner):
    """Trains on a data set; an environment is there for its actions and evaluation.

    An iteration is `Runner.training_steps` train steps, none of which steps the
    environment; at replay ratio 1 each is one gradient update, and `agent_step` in
    `metrics.csv` counts them. After it come `Runner.evaluation_steps` agent steps of
    the game, if there are any; each evaluation has a seed of its own.

    Args:
        base_dir: where everything is written.
        agent: class of the agent, with a `train_step`.
        options: as in `PlasticityRunner`.
    """

    def __init__(
        self,
        base_dir: str,
        agent: Any = OfflineDQNAgent,
        options: ResumeOptions = ResumeOptions(),  # noqa: B008  It cannot change.
    ):
        super().__init__(base_dir, agent, options=options)
        self._progress = Progress("train steps")

    def _advance(self, phase: TrainPhase) -> None:
        self._agent.train_step()
        phase.num_steps += 1
        self._progress.advance(self._agent.dormant_fraction)

    def _phase_metrics(self, phase: TrainPhase) -> dict[str, float]:
        return {"train/steps_per_second": phase.steps_per_second}

    def _run_eval_phase(self, statistics: Any) -> tuple[int, float]:
        stream = [self._agent.seed, _EVALUATION, self._iteration]
        atari.seed_environment(self._environment, np.random.default_rng(stream))
        return super()._run_eval_phase(statistics)
