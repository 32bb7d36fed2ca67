"""Learn as Dopamine's SAC does, with dormancy tracking and interventions."""

from collections.abc import Mapping
from typing import Any

import gin
import jax
import jax.numpy as jnp
import numpy as np
from dopamine.jax.agents.dqn import dqn_agent
from dopamine.jax.agents.sac import sac_agent
from dopamine.jax.replay_memory import elements

from redo_dopamine.agents import sac_loss
from redo_dopamine.agents.base import PlasticAgent
from redo_dopamine.agents.continuous import (
    ContinuousAgent,
    constant_key,
    finite_limits,
)
from redo_dopamine.agents.settings import SAC_SETTINGS
from redo_dopamine.core.graph import Params
from redo_dopamine.core.jit import choose_runtime, compiled, unrolled
from redo_dopamine.plasticity import layers, rehearsal
from redo_dopamine.plasticity.learner import Batch, Learner, Loss, make_polyak_update
from redo_dopamine.replay.buffer import as_batch, example_batch, network_inputs

_HARD = "hard"  # Dopamine's word for a target network that is copied.
_SEEDS = 2**31


@gin.configurable
class RecycledSACAgent(PlasticAgent, ContinuousAgent, sac_agent.SACAgent):
    """SAC that tracks its dormant neurons, of policy and Q-networks apart.

    An update is of one batch, every `update_period` agent steps.

    Args:
        action_shape: shape of an action.
        observation_shape: shape of an observation.
        action_limits: lowest and highest actions; finite.
        next_value: what a next state is worth: `value_of_mean_action`, as in
            Dopamine, or `value_of_drawn_action`, as in the paper of SAC.
        **settings: of `PlasticAgent`, and any argument of `SACAgent`:
            `min_replay_history` (agent steps), `update_period`, `gamma`,
            `target_smoothing_coefficient`, `target_entropy`, ...

    Attributes:
        temperature: the logarithm of the entropy's weight, in the place of
            parameters, and its optimizer's state.

    Raises:
        ValueError: a setting out of its range.
        TypeError: a setting that neither this class nor Dopamine's has.
    """

    DOPAMINE_SETTINGS = SAC_SETTINGS
    OWN_SETTINGS = (*PlasticAgent.OWN_SETTINGS, "next_value")
    TREES: Mapping[str, str] = {
        **PlasticAgent.TREES,
        "temperature": "temperature",
    }
    network_def: Any  # Set by Dopamine's constructor.

    def __init__(
        self,
        action_shape: tuple[int, ...],
        observation_shape: tuple[int, ...],
        action_limits: Any,
        *,
        next_value: sac_loss.NextValue = sac_loss.value_of_mean_action,
        **settings: Any,
    ):
        self._next_value = next_value
        if finite_limits(action_limits) is None:
            raise ValueError(
                "SAC needs actions within finite limits, but the environment's are "
                f"{action_limits}. Leave out a preprocessing that widens them."
            )
        super().__init__(action_shape, action_limits, observation_shape, **settings)

    @property
    def log_alpha(self) -> jax.Array:
        """The temperature's logarithm [1], by Dopamine's name."""
        return self.temperature.params

    @property
    def alpha_optimizer_state(self) -> Any:
        """Of the temperature, by Dopamine's name."""
        return self.temperature.opt_state

    @property
    def target_params(self) -> Params:
        """Of the target network, by Dopamine's name."""
        return self.target_network_params

    def _loss(self) -> Loss:
        return sac_loss.soft_actor_critic(
            self.network_def,
            cumulative_gamma=self.cumulative_gamma,
            target_entropy=self.target_entropy,
            reward_scale_factor=self.reward_scale_factor,
            next_value=self._next_value,
        )

    def _draw_batch(self, size: int, rng: np.random.Generator) -> Batch:
        drawn = as_batch(self._replay.sample(size, rng=rng))
        key = jax.random.PRNGKey(int(rng.integers(_SEEDS)))
        return self._inputs(drawn | {"key": key}, self.log_alpha)

    def _example_drawn(self, size: int) -> Batch:
        shape = (size, *self.action_shape)
        return example_batch(
            size,
            (self.stack_size, *self.observation_shape),
            np.float32,
            jax.ShapeDtypeStruct(shape, self.action_dtype),
        ) | {"key": jax.ShapeDtypeStruct((2,), np.uint32)}

    def _example_batch(self, size: int) -> Batch:
        return jax.eval_shape(self._inputs, self._example_drawn(size), self.log_alpha)

    def _other_update_inputs(self) -> tuple[Any, ...]:
        batch = self._example_drawn(int(self._replay._batch_size))
        return self.temperature, self.target_network_params, batch

    def _rehearse_acting(self) -> None:
        with rehearsal.of("network", "give an action for one state"):
            act = (self.online_params, self._rng, np.float32(self.state), True)
            jax.eval_shape(self._act, *act)

    def _next_action(self) -> jax.Array:
        # Dopamine's draws at random in an early evaluation, too.
        learned = self._replay.add_count > self.min_replay_history
        act = self._act if learned or self.eval_mode else self._act_at_random
        self._rng, action = act(
            self.online_params, self._rng, self.state, self.eval_mode
        )
        return action

    def _remember(
        self, state: np.ndarray, reward: float, terminal: bool, episode_end: bool
    ) -> None:
        self._replay.add(
            elements.TransitionElement(
                state[..., -1].astype(np.float32),
                self.action,
                reward,
                terminal,
                episode_end,
            )
        )

    def _build(self) -> None:
        network = self.network_def
        state = np.asarray(self.state, np.float32)

        def draw_params(key: jax.Array) -> Params:
            return network.init(unrolled(key), state, constant_key())

        rehearsal.check_memory(draw_params)
        self._rng, key = jax.random.split(self._rng)
        choose_runtime(draw_params, key)
        draw_initial = compiled(draw_params)
        self.online_params = draw_initial(key)
        # Not the same arrays, because the update donates the online parameters' memory.
        self.target_network_params = draw_initial(key)
        self.optimizer = self._make_optimizer()
        self.optimizer_state = self.optimizer.init(self.online_params)
        alpha_optimizer = dqn_agent.create_optimizer(self._optimizer_name)
        log_alpha = jnp.zeros(1)
        self.temperature = Learner(log_alpha, alpha_optimizer.init(log_alpha))
        loss = self._loss()
        self._update = sac_loss.make_update(
            loss.of_prepared(_prepared), self.optimizer, alpha_optimizer
        )
        self._polyak_update = make_polyak_update(self.target_smoothing_coefficient)
        self._inputs = compiled(
            lambda batch, log_alpha: sac_loss.add_log_alpha(_prepared(batch), log_alpha)
        )
        # One state: the default is faster.
        self._act = jax.jit(self._draw_action)
        self._act_at_random = jax.jit(self._draw_random_action)
        example = (state, np.zeros(self.action_shape, np.float32))
        declared = layers.declared_graph(network)
        self._plasticity = self._make_plasticity(
            layers.TrackedNetwork(
                *(self._critic_apply, declared, draw_params, example),
                inputs=_critic_inputs,
            ),
            *(loss, self.online_params, self.optimizer),
        )

    def _critic_apply(
        self, params: Params, inputs: tuple[Any, ...], **settings: Any
    ) -> Any:
        network = self.network_def
        judge = getattr(type(network), "judge", _judge)
        return network.apply(params, *inputs, method=judge, **settings)

    def _draw_action(
        self, params: Params, rng: jax.Array, state: jax.Array, eval_mode: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        network = self.network_def
        rng, key = jax.random.split(rng)
        actor = network.apply(params, state, key, method=network.actor)
        return rng, jnp.where(eval_mode, actor.mean_action, actor.sampled_action)

    def _draw_random_action(
        self, params: Params, rng: jax.Array, state: jax.Array, eval_mode: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        del params, state, eval_mode
        rng, key = jax.random.split(rng)
        low, high = self.action_limits
        shape, dtype = self.action_shape, self.action_dtype
        return rng, jax.random.uniform(key, shape, dtype, low, high)

    def _train_step(self) -> None:
        due = self.training_steps % self.update_period == 0
        if due and self._replay.add_count > self.min_replay_history:
            loss = self._gradient_update()
            if self.training_steps % self.summary_writing_frequency == 0:
                self.write_metrics({"loss": np.asarray(loss)[()]})
            self._maybe_sync_weights()
        self.training_steps += 1

    def _gradient_update(self) -> jax.Array:
        drawn, _ = self._replay.sample(with_sample_metadata=True)
        batch = as_batch(drawn)
        self._rng, batch["key"] = jax.random.split(self._rng)
        learner = Learner(self.online_params, self.optimizer_state)
        learner, self.temperature, loss = self._update(
            learner, self.temperature, self.target_network_params, batch
        )
        self._finish_update(learner, loss)
        return loss

    def is_target_update_step(self, training_step: int) -> bool:
        """Whether the target network is updated at that train step."""
        hard = self.target_update_type == _HARD
        return not hard or training_step % self.target_update_period == 0

    def _maybe_sync_weights(self) -> None:
        if self.is_target_update_step(self.training_steps):
            self.target_network_params = self._polyak_update(
                self.target_network_params, self.online_params
            )


def _judge(module: Any, state: jax.Array, action: jax.Array | None = None) -> Any:
    """What a network says of one state and action, by default the policy's mean."""
    actor = module.actor(state, constant_key())
    chosen = actor.mean_action if action is None else action
    return actor, module.critic(state, chosen)


def _critic_inputs(batch: Batch) -> tuple[jax.Array, ...]:
    """What the networks are observed on: Q-networks have seen the batch's actions."""
    return tuple(batch[name] for name in ("state", "action") if name in batch)


def _prepared(batch: Batch) -> Batch:
    """What the loss takes: states [B, ..., stack], and a key for each transition."""
    size = len(batch["reward"])
    return {
        **network_inputs(lambda states: states, batch),
        "action": batch["action"].reshape(size, -1),
        "terminal": batch["terminal"].astype(jnp.float32),
        "key": jax.random.split(batch["key"], size),
    }
