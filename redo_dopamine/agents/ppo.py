"""Learn as Dopamine's PPO does, with dormancy tracking and interventions."""

from collections.abc import Mapping
from typing import Any

import gin
import jax
import jax.numpy as jnp
import numpy as np
import optax
from dopamine.jax.agents.ppo import ppo_agent

from redo_dopamine.agents import ppo_loss
from redo_dopamine.agents.base import PlasticAgent
from redo_dopamine.agents.continuous import (
    ContinuousAgent,
    constant_key,
    finite_limits,
)
from redo_dopamine.agents.settings import PPO_SETTINGS, Undone
from redo_dopamine.core.graph import Params
from redo_dopamine.core.jit import choose_runtime, compiled, unrolled
from redo_dopamine.plasticity import layers, rehearsal
from redo_dopamine.plasticity.learner import Batch, Learner, Loss, make_update


class Rollout:
    """Room for a fixed number of transitions, in the place of a replay buffer.

    Args:
        length: transitions to make room for, at least 1.
        state_shape: shape of a state.
        action_shape: shape of an action.

    Raises:
        ValueError: no room at all.
    """

    def __init__(
        self, length: int, state_shape: tuple[int, ...], action_shape: tuple[int, ...]
    ):
        if length != int(length) or length < 1:
            raise ValueError(
                "update_period must be a whole number of transitions >= 1, but is "
                f"{length}. PPO is mostly run with 2048."
            )
        self._arrays = {
            "state": np.zeros((length, *state_shape), np.float32),
            "action": np.zeros((length, *action_shape), np.float32),
            "reward": np.zeros(length, np.float32),
            "next_state": np.zeros((length, *state_shape), np.float32),
            "terminal": np.zeros(length, bool),
            "episode_end": np.zeros(length, bool),
        }
        self.add_count = 0

    def __len__(self) -> int:
        return len(self._arrays["reward"])

    @property
    def full(self) -> bool:
        """Whether there is no room for another transition."""
        return self.add_count == len(self)

    def add(self, **transition: Any) -> None:
        """Append a transition: each of the arrays of `transitions`, without T.

        Raises:
            IndexError: it is full.
        """
        if self.full:
            raise IndexError(
                f"A rollout holds {len(self)} transitions, and another one was to be "
                "added. Learn from it and clear it first."
            )
        for name, array in self._arrays.items():
            array[self.add_count] = transition[name]
        self.add_count += 1

    def transitions(self) -> Batch:
        """Copies of `state`, `action`, `reward`, `next_state`, ... [T, ...]."""
        return {k: x[: self.add_count].copy() for k, x in self._arrays.items()}

    def example(self) -> Batch:
        """The shapes and types of `transitions`, when it is full."""
        return {
            k: jax.ShapeDtypeStruct(x.shape, x.dtype) for k, x in self._arrays.items()
        }

    def clear(self) -> None:
        """Forget every transition."""
        self.add_count = 0

    def save(self, checkpoint_dir: str, iteration_number: int) -> None:
        """Write nothing: the agent's bundle holds the rollout (`actor_state`)."""

    def load(self, checkpoint_dir: str, iteration_number: int) -> None:
        """Read nothing, likewise."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must hold, as arrays."""
        arrays = {k: x.copy() for k, x in self._arrays.items()}
        return {"add_count": self.add_count, **arrays}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Go on from a `state_dict` of a rollout of the same length."""
        for name, array in self._arrays.items():
            array[:] = saved[name]
        self.add_count = int(saved["add_count"])


@gin.configurable
class RecycledPPOAgent(PlasticAgent, ContinuousAgent, ppo_agent.PPOAgent):
    """PPO that tracks its dormant neurons, of policy and values apart.

    An update is one minibatch: `gradient_step` counts them. Tracking and interventions
    look at states of the last rollout.

    Args:
        action_shape: shape of an action.
        observation_shape: shape of an observation.
        action_limits: lowest and highest actions, into which the policy's are
            squashed; None, or infinite ones, for none.
        order: of a rollout's transitions in the updates: `contiguous_minibatches`, as
            in Dopamine, or `shuffled_minibatches`.
        **settings: of `PlasticAgent`, and any argument of `PPOAgent`:
            `update_period` (agent steps of a rollout), `batch_size` (of a minibatch),
            `num_epochs`, `gamma`, `lambda_`, `epsilon`, `max_gradient_norm`, ...

    Raises:
        ValueError: a setting out of its range.
        TypeError: a setting that neither this class nor Dopamine's has.
    """

    DOPAMINE_SETTINGS = PPO_SETTINGS
    OWN_SETTINGS = (*PlasticAgent.OWN_SETTINGS, "order")
    SAVES_REPLAY = False  # `actor_state` holds the rollout.
    UNDONE = (
        *PlasticAgent.UNDONE,
        Undone("update_horizon", (1,), "Advantages go by PPOAgent.lambda_."),
    )
    TREES: Mapping[str, str] = {
        "online_params": "online_params",
        "optimizer_state": "optimizer_state",
    }
    target_network_params: Any = None
    _transitions: Any = None  # Of the last rollout, for `take`.
    network_def: Any  # Set by the constructor of Dopamine's.

    def __init__(
        self,
        action_shape: tuple[int, ...],
        observation_shape: tuple[int, ...],
        action_limits: Any = None,
        *,
        order: ppo_loss.Order = ppo_loss.contiguous_minibatches,
        **settings: Any,
    ):
        self._order = order
        limits = finite_limits(action_limits)
        super().__init__(action_shape, observation_shape, limits, **settings)

    def _loss(self) -> Loss:
        value_error = (
            ppo_loss.clipped_squared_error(self.epsilon)
            if self.clip_critic_loss
            else ppo_loss.squared_error
        )
        return ppo_loss.clipped_surrogate(
            self.network_def,
            epsilon=self.epsilon,
            vf_coefficient=self.vf_coefficient,
            entropy_coefficient=self.entropy_coefficient,
            value_error=value_error,
        )

    def is_target_update_step(self, training_step: int) -> bool:
        """Whether the target network follows at that train step: there is none."""
        del training_step
        return False

    def _draw_batch(self, size: int, rng: np.random.Generator) -> Batch:
        if self._transitions is None:  # Restored, and not learned from since.
            self._prepare_rollout()
        index = rng.integers(len(self._transitions["return"]), size=size)
        return self._take({"transitions": self._transitions, "index": index})

    def _example(self, size: int) -> Batch:
        with rehearsal.of("network", "give an action and a value for states"):
            transitions = jax.eval_shape(
                self._prepare, self.online_params, self._replay.example()
            )
        return {
            "transitions": transitions,
            "index": jax.ShapeDtypeStruct((size,), np.int32),
        }

    def _example_batch(self, size: int) -> Batch:
        return jax.eval_shape(self._take, self._example(size))

    def _other_update_inputs(self) -> tuple[Any, ...]:
        return None, self._example(self.batch_size)

    def _rehearse_acting(self) -> None:
        with rehearsal.of("network", "give an action for one state"):
            act = (self.online_params, self._rng, np.float32(self.state))
            jax.eval_shape(self._act, *act)
        if self.update_period % self.batch_size == 0:
            rehearsal.ordering(
                self._order, len(self._replay), self.batch_size, self.num_epochs
            )

    def _prepare_rollout(self) -> None:
        if self._replay.add_count == 0:
            raise ValueError(
                "A rollout must hold a transition to draw from, but it holds 0. Let "
                "the agent play first."
            )
        self._transitions = self._prepare(
            self.online_params, self._replay.transitions()
        )

    def _next_action(self) -> jax.Array:
        self._rng, action = self._act(self.online_params, self._rng, self.state)
        return action

    def _remember(
        self, state: np.ndarray, reward: float, terminal: bool, episode_end: bool
    ) -> None:
        self._replay.add(
            state=state,
            action=self.action,
            reward=reward,
            next_state=self.state,
            terminal=terminal,
            episode_end=episode_end,
        )

    def _build_replay_buffer(self) -> Rollout:
        return Rollout(self.update_period, self.state.shape, self.action_shape)

    def check_minibatches(self) -> None:
        """Check that it can learn; an agent that only acts need not, as in Dopamine.

        Raises:
            ValueError: the minibatches' size does not divide a rollout.
        """
        ppo_loss.num_minibatches(self.update_period, self.batch_size)

    def _build(self) -> None:
        network = self.network_def
        state = np.asarray(self.state, np.float32)

        def draw_params(key: jax.Array) -> Params:
            return network.init(unrolled(key), state, constant_key())

        rehearsal.check_memory(draw_params)
        self._rng, key = jax.random.split(self._rng)
        choose_runtime(draw_params, key)
        self.online_params = compiled(draw_params)(key)
        self.optimizer = self._make_optimizer(
            optax.clip_by_global_norm(self._max_gradient_norm)
        )
        self.optimizer_state = self.optimizer.init(self.online_params)
        loss = self._loss()
        self._update = make_update(loss.of_prepared(ppo_loss.take), self.optimizer)
        self._prepare = ppo_loss.make_prepare(
            network, gamma=self.gamma, lambda_=self.lambda_
        )
        self._take = compiled(ppo_loss.take)
        self._act = jax.jit(self._draw_action)  # One state: the default is faster.
        self._plasticity = self._make_plasticity(
            layers.TrackedNetwork(
                self._apply, layers.declared_graph(network), draw_params, state
            ),
            *(loss, self.online_params, self.optimizer),
        )

    def _apply(self, params: Params, state: jax.Array, **settings: Any) -> Any:
        """What the network says of one state, and an action that it draws."""
        return self.network_def.apply(params, state, constant_key(), **settings)

    def _draw_action(
        self, params: Params, rng: jax.Array, state: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        network = self.network_def
        rng, key = jax.random.split(rng)
        output = network.apply(params, state, key, method=network.actor)
        return rng, output.sampled_action

    def _may_learn(self) -> bool:
        # The step that fills it learns from it.
        return self._replay.add_count >= len(self._replay) - 1

    def _train_step(self) -> None:
        if self._replay.full:
            self._learn()
            self._replay.clear()
        self.training_steps += 1

    def _learn(self) -> None:
        """All updates of a rollout."""
        self._rng, key = jax.random.split(self._rng)
        # Dopamine's update splits the key once more before it orders the minibatches.
        order_key = jax.random.split(key)[1]
        self._prepare_rollout()
        order = self._order(
            order_key, len(self._replay), self.batch_size, self.num_epochs
        )
        losses = []
        for index in np.asarray(order):
            learner = Learner(self.online_params, self.optimizer_state)
            chosen = {"transitions": self._transitions, "index": index}
            learner, loss = self._update(learner, None, chosen)
            self._finish_update(learner, loss)
            losses.append(loss)
        self.write_metrics({"loss": np.asarray(jnp.mean(jnp.stack(losses)))[()]})

    # What a checkpoint holds.

    def actor_state(self) -> dict[str, Any]:
        """What the next steps depend on besides parameters and steps, as arrays."""
        return super().actor_state() | {"rollout": self._replay.state_dict()}

    def set_actor_state(self, memory: Mapping[str, Any]) -> None:
        """Go on from an `actor_state`."""
        super().set_actor_state(memory)
        self._replay.load_state_dict(memory["rollout"])
