"""Learn as DrQ(ε) does on Atari 100K, with dormancy tracking and interventions."""

from typing import Any

import gin
import jax
import jax.numpy as jnp
from dopamine.labs.atari_100k import atari_100k_rainbow_agent

from redo_dopamine.agents.batches import PrioritizedDQNAgent
from redo_dopamine.agents.full_rainbow import AUGMENT_KEYS, RecycledFullRainbowAgent
from redo_dopamine.agents.settings import ATARI_100K_SETTINGS
from redo_dopamine.plasticity.learner import Batch


@gin.configurable
class RecycledDrQEpsAgent(
    RecycledFullRainbowAgent, atari_100k_rainbow_agent.Atari100kRainbowAgent
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
        loss_term: as in `RecycledDQNAgent`.
        **settings: of `PlasticAgent`, and any argument of `Atari100kRainbowAgent`.

    Raises:
        ValueError: noise, a distribution over returns or prioritized replay, which are
            not part of DrQ(ε), or a loss bound by another name than `mse_loss`.
    """

    DOPAMINE_SETTINGS = ATARI_100K_SETTINGS
    OWN_SETTINGS = PrioritizedDQNAgent.OWN_SETTINGS

    def __init__(
        self,
        num_actions: int,
        *,
        replay_ratio: float | None = None,
        **settings: Any,
    ):
        # What is bound to RecycledFullRainbowAgent does not hold here.
        self._initialize(num_actions, replay_ratio, settings, self._next_value)

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

    def _build(self) -> None:
        if self._noisy:
            raise ValueError(
                "DrQ(ε) explores by its ε, without noise in its weights, but "
                f"JaxFullRainbowAgent.noisy is {self._noisy}. Set it to False, as "
                "drq_eps.gin does."
            )
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
        super()._build()

    def _augment(self, states: jax.Array, key: jax.Array) -> jax.Array:
        """Floats that enter the network, of the bytes of states [B, H, W, stack]."""
        return self.train_preprocess_fn(states, rng=key)

    def _prepare(self, batch: Batch) -> Batch:
        augmented = {
            name: self._augment(jnp.moveaxis(batch[name], 1, -1), batch[key])
            for name, key in AUGMENT_KEYS.items()
        }
        return batch | augmented
