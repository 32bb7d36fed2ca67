"""Learn as Dopamine's QR-DQN does, with dormancy tracking and interventions."""

from typing import Any

import gin
from dopamine.jax.agents.quantile import quantile_agent

from redo_dopamine.agents import distributional_loss
from redo_dopamine.agents.base import PlasticAgent
from redo_dopamine.agents.batches import PrioritizedDQNAgent
from redo_dopamine.agents.settings import QUANTILE_SETTINGS, UNDONE_LOSS
from redo_dopamine.plasticity.learner import Loss


@gin.configurable
class RecycledQuantileAgent(PrioritizedDQNAgent, quantile_agent.JaxQuantileAgent):
    """QR-DQN that tracks its dormant neurons and may recycle them.

    Dabney et al., AAAI 2018. With `none` it makes the parameters that
    `JaxQuantileAgent` makes from the same batches: prioritized replay chooses them, but
    as there its weights are no part of the gradient. Its settings are those of
    `PlasticAgent` and of `JaxQuantileAgent`.

    Args:
        num_actions: number of actions.
        replay_ratio: gradient updates per agent step; times `update_period` it must
            be a whole number. None is one update per update period, as in Dopamine.
        **settings: of `PlasticAgent`, and any argument of `JaxQuantileAgent`:
            `num_atoms`, `kappa`, `replay_scheme` ("prioritized" or "uniform"), ...

    Raises:
        ValueError: a setting out of its range.
    """

    DOPAMINE_SETTINGS = QUANTILE_SETTINGS
    OWN_SETTINGS = (*PlasticAgent.OWN_SETTINGS, "replay_ratio")
    UNDONE = (*PlasticAgent.UNDONE, UNDONE_LOSS)

    def __init__(
        self,
        num_actions: int,
        *,
        replay_ratio: float | None = None,
        **settings: Any,
    ):
        # What is bound to RecycledDQNAgent does not hold here.
        self._initialize(num_actions, replay_ratio, settings)

    def _loss(self) -> Loss:
        return distributional_loss.quantile_regression(
            self._apply, self._kappa, self.cumulative_gamma
        )
