"""Dopamine's DQN with a replay ratio, dormancy tracking and interventions."""

from typing import Any

import gin

from redo_dopamine.agents import losses
from redo_dopamine.agents.learner import Loss
from redo_dopamine.agents.recycling import RecyclingAgent


@gin.configurable
class RecycledDQNAgent(RecyclingAgent):
    """DQN that tracks its dormant neurons and may recycle them.

    With `none` it makes the parameters that `JaxDQNAgent` makes from the same
    batches. Its settings are those of `RecyclingAgent`, and any of `JaxDQNAgent`.

    Args:
        num_actions: number of actions.
        bootstrap: what the next state is worth: `largest_target_value`, or
            `target_value_of_online_choice` for double DQN.
        **settings: of `RecyclingAgent`.
    """

    def __init__(
        self,
        num_actions: int,
        *,
        bootstrap: losses.Bootstrap = losses.largest_target_value,
        **settings: Any,
    ):
        if not callable(bootstrap):
            raise ValueError(
                f"bootstrap must be a function, but is {bootstrap!r}. Use "
                "@largest_target_value (DQN) or @target_value_of_online_choice (double "
                "DQN)."
            )
        self._bootstrap = bootstrap
        super().__init__(num_actions, **settings)

    def _loss(self) -> Loss:
        return losses.q_learning(
            self._apply,
            losses.elementwise_loss(self._loss_type),
            self.cumulative_gamma,
            self._bootstrap,
        )
