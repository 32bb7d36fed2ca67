"""Learn as Dopamine's full Rainbow does, with dormancy tracking and interventions."""

from typing import Any

import gin
import jax
from dopamine.jax.agents.full_rainbow import full_rainbow_agent

from redo_dopamine.agents import distributional_loss, dqn_loss
from redo_dopamine.agents.annealing import AnnealedDQNAgent, GammaFn, HorizonFn
from redo_dopamine.agents.augmentation import Augment
from redo_dopamine.agents.averaged_target import (
    ActsWith,
    AveragedTargetAgent,
    online_network,
)
from redo_dopamine.agents.base import PlasticAgent
from redo_dopamine.agents.batches import KeyedDQNAgent, PrioritizedDQNAgent
from redo_dopamine.agents.settings import FULL_RAINBOW_SETTINGS, Undone
from redo_dopamine.core.checks import call
from redo_dopamine.core.graph import Params
from redo_dopamine.core.interventions import InterventionFactory
from redo_dopamine.core.jit import unrolled
from redo_dopamine.plasticity.learner import Batch, Loss

# By the name of a batch's states, that of what their augmentation is drawn from.
AUGMENT_KEYS = {"state": "augment_key", "next_state": "next_augment_key"}


@gin.configurable
class RecycledFullRainbowAgent(
    AnnealedDQNAgent,
    AveragedTargetAgent,
    KeyedDQNAgent,
    PrioritizedDQNAgent,
    full_rainbow_agent.JaxFullRainbowAgent,
):
    """Rainbow with noisy, dueling and double networks that may recycle neurons.

    Hessel et al., AAAI 2018; DER (van Hasselt et al., NeurIPS 2019) is a setting of
    it, der.gin, and so is BBF's recipe without its self-predictive loss (Schwarzer et
    al., ICML 2023), bbf.gin. With `none` and Dopamine's settings alone it makes the
    parameters that `JaxFullRainbowAgent` makes from the same batches. Its settings are
    those below, of `PlasticAgent` and of `JaxFullRainbowAgent`; others are bound to
    `JaxDQNAgent`. Neurons of noisy layers are scored without noise; where one is
    recycled, mean and scale of its weights are.

    Args:
        num_actions: number of actions.
        replay_ratio: gradient updates per agent step; times `update_period` it must
            be a whole number. None is Dopamine's `num_updates_per_train_step`.
        loss_term: as in `RecycledDQNAgent`.
        horizon_fn: the n of n-step returns by gradient step, at most
            `update_horizon`, such as `annealed_horizon()`; None for `update_horizon`.
        gamma_fn: the discount per step by gradient step, such as `annealed_gamma()`;
            None for `gamma`.
        target_rate: the share of the online network that the target network takes on
            after every gradient update, in place of a copy now and then; None for that.
        acts_with: which network chooses actions: `online_network` or
            `target_network`.
        target_intervention: what is done to the target network besides, such as
            `shrink_and_perturb()`; None for nothing.
        augment: of states [B, H, W, stack] and a key, what is done to the states that
            an update learns from, such as `shift_and_intensity`; None for nothing.
            Neurons are scored on states without it.
        **settings: of `PlasticAgent`, and any argument of `JaxFullRainbowAgent`.

    Raises:
        ValueError: a setting out of its range, or a loss bound by another name than
            `mse_loss`.
    """

    DOPAMINE_SETTINGS = FULL_RAINBOW_SETTINGS
    OWN_SETTINGS: tuple[str, ...] = (
        *PrioritizedDQNAgent.OWN_SETTINGS,
        *("horizon_fn", "gamma_fn", "target_rate", "acts_with"),
        *("target_intervention", "augment"),
    )
    UNDONE = (
        *PlasticAgent.UNDONE,
        Undone(
            "_loss_type",
            ("mse",),
            "The loss of Q-values is that of mse_loss: True for the square, False for "
            "Huber's.",
        ),
    )

    def __init__(
        self,
        num_actions: int,
        *,
        replay_ratio: float | None = None,
        horizon_fn: HorizonFn | None = None,
        gamma_fn: GammaFn | None = None,
        target_rate: float | None = None,
        acts_with: ActsWith = online_network,
        target_intervention: InterventionFactory | None = None,
        augment: Augment | None = None,
        **settings: Any,
    ):
        self._augment = augment
        self._make_target_intervention = target_intervention
        self._horizon_fn, self._gamma_fn = horizon_fn, gamma_fn
        self._target_rate, self._acts_with = target_rate, acts_with
        # What is bound to RecycledDQNAgent does not hold here.
        self._initialize(num_actions, replay_ratio, settings, self._next_value)

    def _updates_per_train_step(self, replay_ratio: float | None) -> int:
        of_dopamine = self._num_updates_per_train_step
        if replay_ratio is None:
            return of_dopamine
        found = super()._updates_per_train_step(replay_ratio)
        if of_dopamine not in (1, found):
            raise ValueError(
                "num_updates_per_train_step must be left out where replay_ratio is "
                f"set, but is {of_dopamine} beside a replay_ratio of {replay_ratio:g}. "
                "Leave one of them out."
            )
        return found

    _augment: Augment | None = None

    def _prepare(self, batch: Batch) -> Batch:
        batch, augment = super()._prepare(batch), self._augment
        if augment is None:
            return batch
        augmented = {
            name: call(
                *("augment", augment, batch[name], unrolled(batch[key])),
                of="(states [B, ...], key) that gives such states",
                shape=batch[name].shape,
            )
            for name, key in AUGMENT_KEYS.items()
        }
        return batch | augmented

    # The network, whose noise is drawn from a key: without one there is none.

    def _apply(
        self,
        params: Params,
        state: jax.Array,
        *,
        key: jax.Array | None = None,
        **settings: Any,
    ) -> Any:
        noise = jax.random.PRNGKey(0) if key is None else key
        return self.network_def.apply(
            *(params, state),
            support=self._support,
            **{"key": noise, "eval_mode": key is None, **settings},
        )

    def _draw_params(self, key: jax.Array, state: Any) -> Params:
        return self.network_def.init(key, x=state, support=self._support, key=key)

    # The loss.

    def _loss(self) -> Loss:
        if not self._distributional:
            return dqn_loss.q_learning(
                self._apply,
                dqn_loss.elementwise_loss("mse" if self._mse_loss else "huber"),
                self.cumulative_gamma,
                self._bootstrap,
            )
        choose = (
            distributional_loss.choice_of_online
            if self._double_dqn
            else distributional_loss.choice_of_target
        )
        return distributional_loss.categorical(
            self._apply, self._support, self.cumulative_gamma, choose
        )

    def _next_value(self, online_q: jax.Array, target_q: jax.Array) -> jax.Array:
        """Double DQN's value of the next states [B], or DQN's."""
        if self._double_dqn:
            return dqn_loss.target_value_of_online_choice(online_q, target_q)
        return dqn_loss.largest_target_value(online_q, target_q)

    # Random numbers, in Dopamine's order.

    def _draw_action(self, rng: jax.Array) -> tuple[jax.Array, ...]:
        rng, chance_key, noise_key, action_key = jax.random.split(rng, 4)
        action = jax.random.randint(action_key, (), 0, self.num_actions)
        return rng, jax.random.uniform(chance_key), action, noise_key

    def _noise_key(self, key: jax.Array) -> jax.Array | None:
        return key if self._noisy and not self.eval_mode else None

    def _split(self, rng: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
        augment_keys: dict[str, jax.Array] = {}
        if self._augment is not None:
            rng, *drawn = jax.random.split(rng, 3)
            augment_keys = dict(zip(AUGMENT_KEYS.values(), drawn, strict=True))
        key, next_key, rng = jax.random.split(rng, 3)
        return rng, {"key": key, "next_key": next_key, **augment_keys}
