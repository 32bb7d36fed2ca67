"""Dopamine's DQN with a replay ratio, dormancy tracking and interventions."""

from typing import Any

import gin
import jax
import numpy as np

from redo_dopamine.agents import dqn_loss
from redo_dopamine.agents.base import TrackedAgent
from redo_dopamine.agents.batches import as_batch, example_batch, network_inputs
from redo_dopamine.agents.checkpoint import SavedReplayAgent
from redo_dopamine.agents.epsilon_greedy import EpsilonGreedyAgent
from redo_dopamine.agents.settings import updates_per_train_step, with_graph
from redo_dopamine.core.graph import Params
from redo_dopamine.core.jit import compiled, unrolled
from redo_dopamine.plasticity import memory, rehearsal
from redo_dopamine.plasticity.learner import (
    Batch,
    Learner,
    Loss,
    make_hard_update,
    make_update,
)


class RecyclingAgent(SavedReplayAgent, TrackedAgent, EpsilonGreedyAgent):
    """Settings and seams shared by the agents; all of Dopamine's extend its DQN.

    Args:
        num_actions: number of actions.
        replay_ratio: gradient updates per agent step; times `update_period` it must
            be a whole number. None is one update per update period, as in Dopamine.
        **settings: of `TrackedAgent`, and any argument of the Dopamine agent: `seed`,
            `gamma`, `update_horizon` (n-step), `target_update_period` (agent steps),
            `loss_type` ("huber" or "mse"), ...

    Raises:
        ValueError: a setting out of its range.
        TypeError: a setting that neither this class nor Dopamine's has.
    """

    network_def: Any  # Set by Dopamine's constructor.

    def __init__(
        self,
        num_actions: int,
        *,
        replay_ratio: float | None = None,
        **settings: Any,
    ):
        super().__init__(num_actions, **settings)
        # Dopamine's Rainbow has a setting of its own for it.
        stock_updates = getattr(self, "_num_updates_per_train_step", 1)
        self._num_updates = (
            stock_updates
            if replay_ratio is None
            else updates_per_train_step(replay_ratio, self.update_period)
        )

    # What an agent says of itself.

    def _next_batch(self) -> Batch:
        """A batch from the replay buffer, and what `_prepare` needs besides."""
        return as_batch(self._replay.sample())

    def _prepare(self, batch: Batch) -> Batch:
        """What the loss takes of `_next_batch`: pure, part of the compiled update."""
        return network_inputs(self.preprocess_fn, batch)

    def _apply(self, params: Params, state: jax.Array, **settings: Any) -> Any:
        """The network's output for one state, as it enters the network."""
        return self.network_def.apply(params, state, **settings)

    def _draw_params(self, key: jax.Array, state: Any) -> Params:
        """New parameters from the network's initializers."""
        return self.network_def.init(key, x=state)

    def _example_drawn(self, size: int) -> Batch:
        """The shapes of what the replay buffer gives, of this many transitions."""
        return example_batch(
            size,
            (self.stack_size, *self.observation_shape),
            self.observation_dtype,
            jax.ShapeDtypeStruct((size,), np.int32),
        )

    def _example_next(self, size: int) -> Batch:
        """The shapes of what `_next_batch` gives."""
        return self._example_drawn(size)

    def _example_batch(self, size: int) -> Batch:
        return jax.eval_shape(self._inputs, self._example_drawn(size))

    def _other_update_inputs(self) -> tuple[Any, ...]:
        size = int(self._replay._batch_size)
        return self.target_network_params, self._example_next(size)

    def _rehearse_acting(self) -> None:
        self._epsilon.rehearse()
        with rehearsal.of("network", "give a value for each action of one state"):
            frames = np.empty((self.stack_size, *self.observation_shape))
            state = self.preprocess_fn(np.moveaxis(frames, 0, -1))
            shape = jax.eval_shape(self._q_values, self.online_params, state).shape
            if shape != (self.num_actions,):
                raise ValueError(f"q_values are of shape {shape}")

    def _q_values(self, params: Params, state: jax.Array) -> jax.Array:
        return self._apply(params, state).q_values

    def is_target_update_step(self, training_step: int) -> bool:
        """Whether the target network follows at that train step."""
        return training_step % self.target_update_period == 0

    # Dopamine's seams.

    def _build_networks_and_optimizer(self) -> None:
        self.network_def = with_graph(self.network_def)
        state = self.preprocess_fn(self.state)

        def draw_params(key: jax.Array) -> Params:
            return self._draw_params(unrolled(key), state)

        self._rng, key = jax.random.split(self._rng)
        # One program, where Dopamine compiles every operation of it on its own.
        memory.check_network(draw_params)
        draw_initial = compiled(draw_params)
        self._init_optimizer(draw_initial(key))
        # Not the same arrays, because the update donates the online parameters' memory.
        self.target_network_params = draw_initial(key)
        self._build_acting()
        self._copy_over = make_hard_update()
        loss = self._loss()
        self._update = make_update(loss.of_prepared(self._prepare), self.optimizer)
        self._inputs = compiled(lambda batch: network_inputs(self.preprocess_fn, batch))
        graph = self.network_def.graph(self.observation_shape)
        self._init_tracking(self._apply, graph, draw_params, loss, state)

    def _sync_weights(self) -> None:
        self.target_network_params = self._copy_over(
            self.target_network_params, self.online_params
        )

    def _train_step(self) -> None:
        if self._replay.add_count > self.min_replay_history:
            if self.training_steps % self.update_period == 0:
                for _ in range(self._num_updates):
                    loss = self._gradient_update()
                if self.training_steps % self.summary_writing_frequency == 0:
                    self.write_metrics({"loss": np.asarray(loss)[()]})
            if self.is_target_update_step(self.training_steps):
                self._sync_weights()
        self.training_steps += 1

    def _gradient_update(self) -> jax.Array:
        learner = Learner(self.online_params, self.optimizer_state)
        learner, loss = self._update(
            learner, self.target_network_params, self._next_batch()
        )
        self._finish_update(learner, loss)
        return loss

    def _draw_batch(self, size: int, rng: np.random.Generator) -> Batch:
        return self._inputs(as_batch(self._replay.sample(size, rng=rng)))


@gin.configurable
class RecycledDQNAgent(RecyclingAgent):
    """DQN that tracks its dormant neurons and may recycle them.

    With `none` it makes the parameters that `JaxDQNAgent` makes from the same
    batches. Its settings are those of `RecyclingAgent`, and any of `JaxDQNAgent`.

    Args:
        num_actions: number of actions.
        bootstrap: what the next state is worth: `largest_target_value`, or
            `target_value_of_online_choice` for double DQN.
        **settings: of `RecyclingAgent`.
    """

    def __init__(
        self,
        num_actions: int,
        *,
        bootstrap: dqn_loss.Bootstrap = dqn_loss.largest_target_value,
        **settings: Any,
    ):
        if not callable(bootstrap):
            raise ValueError(
                f"bootstrap must be a function, but is {bootstrap!r}. Use "
                "@largest_target_value (DQN) or @target_value_of_online_choice (double "
                "DQN)."
            )
        self._bootstrap = bootstrap
        super().__init__(num_actions, **settings)

    def _loss(self) -> Loss:
        return dqn_loss.q_learning(
            self._apply,
            dqn_loss.elementwise_loss(self._loss_type),
            self.cumulative_gamma,
            self._bootstrap,
        )
