"""A target network that is a moving average of the online network, and may act."""

from collections.abc import Callable

import jax

from redo_dopamine.agents.dqn import RecycledDQNAgent
from redo_dopamine.core.checks import SettingError, is_number
from redo_dopamine.core.graph import Params
from redo_dopamine.plasticity.learner import make_polyak_update

# Of the parameters of the online network and of the target network, one of them.
ActsWith = Callable[[Params, Params], Params]


def online_network(params: Params, target_params: Params) -> Params:
    """The online network chooses actions, as in DQN."""
    del target_params
    return params


def target_network(params: Params, target_params: Params) -> Params:
    """The target network chooses actions, as in BBF (Schwarzer et al., ICML 2023)."""
    del params
    return target_params


class AveragedTargetAgent(RecycledDQNAgent):
    """Average the online network into the target network after every update.

    Without a rate it is copied every `target_update_period`, as in DQN.
    """

    _target_rate: float | None = None
    _acts_with: ActsWith = staticmethod(online_network)

    @property
    def _acting_params(self) -> Params:
        return self._acts_with(self.online_params, self.target_network_params)

    def _build(self) -> None:
        rate = self._target_rate
        if rate is not None:
            if not (is_number(rate) and 0 < rate <= 1):
                raise SettingError(
                    f"target_rate must be in (0, 1], or None, but is {rate}. BBF has "
                    "0.005; None copies the network every target_update_period."
                )
            self._average = make_polyak_update(rate)
        if not callable(self._acts_with):
            raise SettingError(
                f"acts_with must be a function, but is {self._acts_with!r}. Use "
                "@online_network or @target_network."
            )
        super()._build()

    def _gradient_update(self) -> jax.Array:
        loss = super()._gradient_update()
        if self._target_rate is not None:
            self.target_network_params = self._average(
                self.target_network_params, self.online_params
            )
        return loss

    def is_target_update_step(self, training_step: int) -> bool:
        """Whether the target network is made a copy at that train step."""
        return self._target_rate is None and super().is_target_update_step(
            training_step
        )
