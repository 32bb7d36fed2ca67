"""Learn as Dopamine's QR-DQN does, with dormancy tracking and interventions."""

import gin
from dopamine.jax.agents.quantile import quantile_agent

from redo_dopamine.agents import distributional_loss
from redo_dopamine.agents.batches import PrioritizedDQNAgent
from redo_dopamine.agents.settings import QUANTILE_SETTINGS
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
        loss_term: as in `RecycledDQNAgent`.
        **settings: of `PlasticAgent`, and any argument of `JaxQuantileAgent`:
            `num_atoms`, `kappa`, `replay_scheme` ("prioritized" or "uniform"), ...

    Raises:
        ValueError: a setting out of its range.
    """

    DOPAMINE_SETTINGS = QUANTILE_SETTINGS

    def _loss(self) -> Loss:
        return distributional_loss.quantile_regression(
            self._apply, self._kappa, self.cumulative_gamma
        )
