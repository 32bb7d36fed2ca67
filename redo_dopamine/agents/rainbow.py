"""Learn as Dopamine's Rainbow does: C51, n steps, and prioritized replay."""

from typing import Any

import gin
import jax
from dopamine.jax.agents.rainbow import rainbow_agent

from redo_dopamine.agents import distributional_loss
from redo_dopamine.agents.batches import PrioritizedDQNAgent
from redo_dopamine.agents.settings import RAINBOW_SETTINGS
from redo_dopamine.core.graph import Params
from redo_dopamine.plasticity.learner import Loss


@gin.configurable
class RecycledRainbowAgent(PrioritizedDQNAgent, rainbow_agent.JaxRainbowAgent):
    """C51, or the Rainbow of Dopamine's paper, that tracks and may recycle neurons.

    Bellemare et al., ICML 2017; Castro et al., 2018. With `none` it makes the
    parameters that `JaxRainbowAgent` makes from the same batches. Its settings are
    those of `PlasticAgent` and of `JaxRainbowAgent`.

    Args:
        num_actions: number of actions.
        replay_ratio: gradient updates per agent step; times `update_period` it must
            be a whole number. None is one update per update period, as in Dopamine.
        loss_term: as in `RecycledDQNAgent`.
        **settings: of `PlasticAgent`, and any argument of `JaxRainbowAgent`:
            `num_atoms`, `vmax`, `replay_scheme` ("prioritized" or "uniform"), ...

    Raises:
        ValueError: a setting out of its range.
    """

    DOPAMINE_SETTINGS = RAINBOW_SETTINGS

    def _apply(self, params: Params, state: jax.Array, **settings: Any) -> Any:
        return self.network_def.apply(params, state, self._support, **settings)

    def _draw_params(self, key: jax.Array, state: Any) -> Params:
        return self.network_def.init(key, x=state, support=self._support)

    def _loss(self) -> Loss:
        return distributional_loss.categorical(
            self._apply, self._support, self.cumulative_gamma
        )
