"""Dopamine's DQN with a replay ratio, dormancy tracking and interventions."""

import gin

from redo_dopamine.agents import losses
from redo_dopamine.agents.learner import Loss
from redo_dopamine.agents.recycling import RecyclingAgent


@gin.configurable
class RecycledDQNAgent(RecyclingAgent):
    """DQN that tracks its dormant neurons and may recycle them.

    With `none` it makes the parameters that `JaxDQNAgent` makes from the same
    batches. Its settings are those of `RecyclingAgent`, and any of `JaxDQNAgent`.
    """

    def _loss(self) -> Loss:
        return losses.q_learning(
            self._apply,
            losses.elementwise_loss(self._loss_type),
            self.cumulative_gamma,
        )
