"""Learn as DrQ(ε) does on Atari 100K, with dormancy tracking and interventions."""

from typing import Any

import gin
import jax
import jax.numpy as jnp
from dopamine.labs.atari_100k import atari_100k_rainbow_agent

from redo_dopamine.agents import dqn_loss
from redo_dopamine.agents.base import PlasticAgent
from redo_dopamine.agents.dqn import RecycledDQNAgent
from redo_dopamine.agents.settings import ATARI_100K_SETTINGS, Undone
from redo_dopamine.core.jit import compiled
from redo_dopamine.plasticity.learner import Batch, Loss


@gin.configurable
class RecycledDrQEpsAgent(
    RecycledDQNAgent, atari_100k_rainbow_agent.Atari100kRainbowAgent
):
    """Dueling double DQN on augmented images that tracks and may recycle neurons.

    DrQ (Kostrikov et al., 2020) with the ε of Agarwal et al., 2021. Its settings are
    those of `PlasticAgent` and of `Atari100kRainbowAgent`; others are bound to
    `JaxFullRainbowAgent` and `JaxDQNAgent`. Neurons are scored on states without
    augmentation.

    It plays one environment, by `begin_episode`, `step` and `end_episode`. Dopamine's
    class keeps a batch of them, of which its replay buffer then stores every array
    with an axis more and its terminal flags by reference; batches of environments
    are for evaluation, by `greedy_actions`.

    Args:
        num_actions: number of actions.
        replay_ratio: gradient updates per agent step; times `update_period` it must
            be a whole number. None is Dopamine's `num_updates_per_train_step`.
        **settings: of `PlasticAgent`, and any argument of `Atari100kRainbowAgent`.

    Raises:
        ValueError: a distribution over returns or prioritized replay, which are not
            part of DrQ(ε), or a loss bound by another name than `mse_loss`.
    """

    DOPAMINE_SETTINGS = ATARI_100K_SETTINGS
    OWN_SETTINGS = (*PlasticAgent.OWN_SETTINGS, "replay_ratio")
    UNDONE = (
        *PlasticAgent.UNDONE,
        Undone(
            "_loss_type",
            ("mse",),
            "The loss is that of Atari100kRainbowAgent.mse_loss: True for the square, "
            "False for Huber's.",
        ),
    )

    def __init__(
        self,
        num_actions: int,
        *,
        replay_ratio: float | None = None,
        **settings: Any,
    ):
        # What is bound to RecycledDQNAgent does not hold here.
        self._initialize(num_actions, replay_ratio, self._next_value, settings)

    @property
    def _replay_scheme(self) -> str:
        return "uniform"

    @_replay_scheme.setter
    def _replay_scheme(self, scheme: str) -> None:
        # Set by Dopamine's constructors: what is bound, and then "uniform" over it.
        if scheme != "uniform":
            raise ValueError(
                "DrQ(ε) draws its batches uniformly, but "
                f"JaxFullRainbowAgent.replay_scheme is {scheme!r}. Set it to "
                "'uniform', as drq_eps.gin does."
            )

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

    def _build(self) -> None:
        if self._distributional:
            raise ValueError(
                "DrQ(ε) learns Q-values, but JaxFullRainbowAgent.distributional is "
                f"{self._distributional}. Set it to False, as drq_eps.gin does."
            )
        if self._num_atoms != 1:
            raise ValueError(
                "num_atoms must be 1 for Q-values, which have no distribution, but is "
                f"{self._num_atoms}. Set it to 1, as drq_eps.gin does."
            )
        self._draw_keys = compiled(_next_keys)
        super()._build()

    def _apply(self, params: Any, state: jax.Array, **settings: Any) -> Any:
        return self.network_def.apply(params, state, support=self._support, **settings)

    def _draw_params(self, key: jax.Array, state: Any) -> Any:
        return self.network_def.init(key, x=state, support=self._support)

    def _loss(self) -> Loss:
        return dqn_loss.q_learning(
            self._apply,
            dqn_loss.elementwise_loss("mse" if self._mse_loss else "huber"),
            self.cumulative_gamma,
            self._bootstrap,
        )

    def _next_value(self, online_q: jax.Array, target_q: jax.Array) -> jax.Array:
        """Double DQN's value of the next states [B], or DQN's."""
        if self._double_dqn:
            return dqn_loss.target_value_of_online_choice(online_q, target_q)
        return dqn_loss.largest_target_value(online_q, target_q)

    def _draw_action(self, rng: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        # Dopamine's Rainbow has a key more than its DQN, for layers that are noisy.
        rng, chance_key, _, action_key = jax.random.split(rng, 4)
        action = jax.random.randint(action_key, (), 0, self.num_actions)
        return rng, jax.random.uniform(chance_key), action

    def _next_batch(self) -> Batch:
        self._rng, key, next_key = self._draw_keys(self._rng)
        return super()._next_batch() | {"key": key, "next_key": next_key}

    def _example_next(self, size: int) -> Batch:
        key = jax.ShapeDtypeStruct((2,), jnp.uint32)
        return super()._example_next(size) | {"key": key, "next_key": key}

    def _prepare(self, batch: Batch) -> Batch:
        def augment(name: str, key: str) -> jax.Array:
            states = jnp.moveaxis(batch[name], 1, -1)
            return self.train_preprocess_fn(states, rng=batch[key])

        return batch | {
            "state": augment("state", "key"),
            "next_state": augment("next_state", "next_key"),
        }


def _next_keys(rng: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The agent's key after an update, and the update's two keys, as in Dopamine."""
    rng, key, next_key = jax.random.split(rng, 3)
    # Its update splits the key once more, for layers that are noisy.
    return jax.random.split(rng, 3)[2], key, next_key
