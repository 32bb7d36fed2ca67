"""Learn as Dopamine's IQN does, with dormancy tracking and interventions."""

from typing import Any

import gin
import jax
import jax.numpy as jnp
from dopamine.jax.agents.implicit_quantile import implicit_quantile_agent

from redo_dopamine.agents import distributional_loss
from redo_dopamine.agents.base import PlasticAgent
from redo_dopamine.agents.batches import KeyedDQNAgent
from redo_dopamine.agents.settings import IMPLICIT_QUANTILE_SETTINGS, UNDONE_LOSS
from redo_dopamine.core.graph import Params
from redo_dopamine.core.jit import unrolled
from redo_dopamine.plasticity.learner import Loss


@gin.configurable
class RecycledImplicitQuantileAgent(
    KeyedDQNAgent, implicit_quantile_agent.JaxImplicitQuantileAgent
):
    """IQN that tracks its dormant neurons and may recycle them.

    Dabney et al., ICML 2018. With `none` it makes the parameters that
    `JaxImplicitQuantileAgent` makes from the same batches and key. Its settings are
    those of `PlasticAgent` and of `JaxImplicitQuantileAgent`. Neurons are scored at the
    same `num_quantile_samples` quantiles every time.

    Args:
        num_actions: number of actions.
        replay_ratio: gradient updates per agent step; times `update_period` it must
            be a whole number. None is one update per update period, as in Dopamine.
        loss_term: as in `RecycledDQNAgent`.
        replay_scheme: "uniform", as Dopamine's agent draws whatever it is told.
        **settings: of `PlasticAgent`, and any argument of `JaxImplicitQuantileAgent`:
            `num_tau_samples`, `kappa`, `double_dqn`, ...

    Raises:
        ValueError: a setting out of its range, or prioritized replay.
    """

    DOPAMINE_SETTINGS = IMPLICIT_QUANTILE_SETTINGS
    OWN_SETTINGS = (
        *PlasticAgent.OWN_SETTINGS,
        *("replay_ratio", "replay_scheme", "loss_term"),
    )
    UNDONE = (*PlasticAgent.UNDONE, UNDONE_LOSS)

    def __init__(
        self,
        num_actions: int,
        *,
        replay_ratio: float | None = None,
        replay_scheme: str = "uniform",
        **settings: Any,
    ):
        if replay_scheme != "uniform":
            raise ValueError(
                "replay_scheme must be 'uniform' for IQN, as it is in Dopamine "
                f"whatever is set, but is {replay_scheme!r}. Leave it out."
            )
        # What is bound to RecycledDQNAgent does not hold here.
        settings["replay_scheme"] = replay_scheme
        self._initialize(num_actions, replay_ratio, settings)

    # The network, whose quantiles are drawn from a key: without one always the same.

    def _apply(
        self,
        params: Params,
        state: jax.Array,
        *,
        key: jax.Array | None = None,
        num_quantiles: int | None = None,
        **settings: Any,
    ) -> Any:
        return self.network_def.apply(
            params,
            state,
            num_quantiles=num_quantiles or self.num_quantile_samples,
            rng=unrolled(jax.random.PRNGKey(0) if key is None else key),
            **settings,
        )

    def _q_values(
        self, params: Params, state: jax.Array, key: jax.Array | None = None
    ) -> jax.Array:
        values = self._apply(params, state, key=key).quantile_values
        return jnp.mean(values, axis=0)

    def _draw_params(self, key: jax.Array, state: Any) -> Params:
        return self.network_def.init(
            key, x=state, num_quantiles=self.num_tau_samples, rng=key
        )

    def _loss(self) -> Loss:
        choose = (
            distributional_loss.choice_of_online
            if self.double_dqn
            else distributional_loss.choice_of_target
        )
        return distributional_loss.implicit_quantiles(
            self._apply,
            self.kappa,
            self.cumulative_gamma,
            (
                self.num_tau_samples,
                self.num_tau_prime_samples,
                self.num_quantile_samples,
            ),
            choose,
        )

    # Random numbers, in Dopamine's order.

    def _noise_key(self, key: jax.Array) -> jax.Array | None:
        return key

    def _split(self, rng: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
        rng, next_key = jax.random.split(rng)
        rng, key = jax.random.split(rng)
        return rng, {"key": key, "next_key": next_key}
