"""A target network that is a moving average of the online network, and may act."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from redo_dopamine.agents import settings
from redo_dopamine.agents.dqn import RecycledDQNAgent
from redo_dopamine.core.checks import SettingError, call, is_number, shown
from redo_dopamine.core.graph import Params
from redo_dopamine.core.interventions import (
    Intervention,
    InterventionFactory,
    observe_nothing,
)
from redo_dopamine.core.jit import compiled
from redo_dopamine.plasticity import layers
from redo_dopamine.plasticity.learner import Loss, make_polyak_update
from redo_dopamine.plasticity.plasticity import Plasticity

_TARGET = 7  # A random stream, apart from the others.

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

    Without a rate it is copied every `target_update_period`, as in DQN. What resets
    the online network may reset it too, by numbers of its own.
    """

    _target_rate: float | None = None
    _acts_with: ActsWith = staticmethod(online_network)
    _make_target_intervention: InterventionFactory | None = None
    _target_intervention: Intervention | None = None

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
        if self._make_target_intervention is not None:
            settings.check_intervention(self._make_target_intervention)
        super()._build()

    def _rehearse_acting(self) -> None:
        of = "(params, target_params) that gives parameters like them"
        networks = self.online_params, self.target_network_params
        found = call("acts_with", self._acts_with, *networks, of=of)
        if _shapes(found) != _shapes(self.online_params):
            raise SettingError(
                f"acts_with must be a function of {of}, but {shown(self._acts_with)} "
                "gives something else. Use @online_network or @target_network."
            )
        super()._rehearse_acting()

    def _make_plasticity(
        self,
        network: layers.TrackedNetwork,
        loss: Loss,
        params: Params,
        optimizer: optax.GradientTransformation,
    ) -> Plasticity:
        factory = self._make_target_intervention
        if factory is not None:
            known = layers.known_layers(network, params)
            of_target = known.bound(factory, network.draw_params, optax.identity())
            if of_target.observe is not observe_nothing or of_target.init(params):
                raise SettingError(
                    "target_intervention must be one that looks at no batch and "
                    "remembers nothing. Use @shrink_and_perturb() or @layer_reset()."
                )
            self._target_intervention = of_target
            self._change_target = compiled(
                lambda key, target_params, step: of_target.apply(
                    key, target_params, optax.EmptyState(), (), {}, step
                )[0],
                donate_argnums=1,
            )
        return super()._make_plasticity(network, loss, params, optimizer)

    def _gradient_update(self) -> jax.Array:
        loss = super()._gradient_update()
        if self._target_rate is not None:
            self.target_network_params = self._average(
                self.target_network_params, self.online_params
            )
        of_target, step = self._target_intervention, self.gradient_step
        if of_target is not None and of_target.schedule(step):
            stream = jax.random.fold_in(jax.random.PRNGKey(self._seed), _TARGET)
            self.target_network_params = self._change_target(
                jax.random.fold_in(stream, step),
                self.target_network_params,
                jnp.int32(step),
            )
        return loss

    def is_target_update_step(self, training_step: int) -> bool:
        """Whether the target network is made a copy at that train step."""
        return self._target_rate is None and super().is_target_update_step(
            training_step
        )


def _shapes(tree: Any) -> Any:
    return jax.tree.map(lambda leaf: getattr(leaf, "shape", None), tree)
