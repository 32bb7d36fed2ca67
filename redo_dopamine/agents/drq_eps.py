"""DrQ(ε) for Atari 100K with a replay ratio, dormancy tracking and interventions."""

from typing import Any

import gin
import jax
from dopamine.jax.agents.dqn import dqn_agent
from dopamine.jax.agents.full_rainbow import full_rainbow_agent
from dopamine.labs.atari_100k import atari_100k_rainbow_agent

from redo_dopamine.agents import losses
from redo_dopamine.agents.learner import Batch, LossFn
from redo_dopamine.agents.recycling import RecyclingAgent


@gin.configurable
class RecycledDrQEpsAgent(
    RecyclingAgent, atari_100k_rainbow_agent.Atari100kRainbowAgent
):
    """Dueling double DQN on augmented images that tracks and may recycle neurons.

    DrQ (Kostrikov et al., 2020) with the ε of Agarwal et al., 2021. Its settings are
    those of `RecyclingAgent` and of `Atari100kRainbowAgent`; others are bound to
    `JaxFullRainbowAgent` and `JaxDQNAgent`. Neurons are scored on states without
    augmentation.

    It plays one environment, by `begin_episode`, `step` and `end_episode`. Dopamine's
    class keeps a batch of them, of which its replay buffer then stores every array
    with an axis more and its terminal flags by reference; batches of environments
    are for evaluation, by `greedy_actions`.

    Raises:
        ValueError: a distribution over returns, which is not part of DrQ(ε).
    """

    begin_episode = full_rainbow_agent.JaxFullRainbowAgent.begin_episode
    step = full_rainbow_agent.JaxFullRainbowAgent.step
    _reset_state = dqn_agent.JaxDQNAgent._reset_state
    _record_observation = dqn_agent.JaxDQNAgent._record_observation
    _store_transition = full_rainbow_agent.JaxFullRainbowAgent._store_transition

    def _build_networks_and_optimizer(self) -> None:
        if self._distributional:
            raise ValueError(
                "DrQ(ε) learns Q-values, but JaxFullRainbowAgent.distributional is "
                f"{self._distributional}. Set it to False, as drq_eps.gin does."
            )
        super()._build_networks_and_optimizer()
        self._augment = jax.jit(
            lambda states, key: self.train_preprocess_fn(states, rng=key)
        )

    def _apply(self, params: Any, state: jax.Array, **settings: Any) -> Any:
        return self.network_def.apply(params, state, support=self._support, **settings)

    def _draw_params(self, key: jax.Array, state: Any) -> Any:
        return self.network_def.init(key, x=state, support=self._support)

    def _loss(self) -> LossFn:
        def elementwise(target: jax.Array, prediction: jax.Array) -> jax.Array:
            # Dopamine sets this one after it has built the networks.
            loss_type = "mse" if self._mse_loss else "huber"
            return losses.elementwise_loss(loss_type)(target, prediction)

        bootstrap = (
            losses.target_value_of_online_choice
            if self._double_dqn
            else losses.largest_target_value
        )
        return losses.q_learning(
            self._apply, elementwise, self.cumulative_gamma, bootstrap
        )

    def _next_batch(self) -> Batch:
        self._sample_from_replay_buffer()
        self._rng, key, next_key = jax.random.split(self._rng, num=3)
        batch = dict(self.replay_elements)
        batch["state"] = self._augment(batch["state"], key)
        batch["next_state"] = self._augment(batch["next_state"], next_key)
        # Dopamine's update splits the key once more, for layers that are noisy.
        self._rng = jax.random.split(self._rng, num=3)[2]
        return batch
