"""What a Dopamine agent gains: a replay ratio, tracking, interventions, checkpoints.

`RecyclingAgent` stands before a Dopamine agent in a class's bases and overrides its
seams: network and optimizer construction, the train step, the checkpoint bundle.
"""

import collections
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
import optax
from dopamine.jax.agents.dqn import dqn_agent
from dopamine.metrics import statistics_instance

from redo_dopamine.agents.batches import as_batch, network_inputs
from redo_dopamine.agents.learner import (
    Batch,
    Learner,
    Loss,
    make_copy_over,
    make_update,
)
from redo_dopamine.agents.plasticity import Plasticity
from redo_dopamine.agents.saving import SavedAgent
from redo_dopamine.agents.settings import (
    check_names,
    updates_per_train_step,
    with_graph,
)
from redo_dopamine.core import interventions
from redo_dopamine.core.compiling import compiled
from redo_dopamine.core.graph import Params
from redo_dopamine.core.measuring import Metric
from redo_dopamine.core.optimizers import coupled_weight_decay
from redo_dopamine.core.threefry import unrolled

# So that they do not pile up where nobody watches them.
_RECENT_LOSSES = 1024


class RecyclingAgent(SavedAgent):
    """Settings and seams shared by the agents; all of Dopamine's extend its DQN.

    Settings of the Dopamine agent keep their names, whether they are bound to its
    own gin name or given here.

    Args:
        num_actions: number of actions.
        replay_ratio: gradient updates per agent step; times `update_period` it must
            be a whole number. None is one update per update period, as in Dopamine.
        intervention: what to do against lost plasticity, such as `redo()`.
        taus: thresholds to track dormancy at; () for none.
        tracking_period: gradient steps between two measurements.
        tracking_batch_size: states that a measurement averages over.
        metrics: what to measure besides, such as `[srank(), magi()]`.
        weight_decay: factor of the parameters that is added to their gradient
            before the optimizer, as in the paper; 0 for none.
        before_optimizer: what else is done to the gradient, such as `l2_to_init()`.
        after_optimizer: what is done to the optimizer's update, such as
            `decoupled_weight_decay()`.
        **dopamine_settings: any argument of the Dopamine agent: `seed`, `gamma`,
            `update_horizon` (n-step), `target_update_period` (agent steps),
            `loss_type` ("huber" or "mse"), ...

    Attributes:
        gradient_step: gradient updates made so far.
        recent_losses: the last gradient steps with their losses, perhaps still on
            their way: whoever watches them takes them out.

    Raises:
        ValueError: a setting out of its range.
        TypeError: a setting that neither this class nor Dopamine's has.
    """

    # Set by Dopamine's constructor.
    network_def: Any
    optimizer: optax.GradientTransformation
    optimizer_state: optax.OptState

    def __init__(
        self,
        num_actions: int,
        *,
        replay_ratio: float | None = None,
        intervention: interventions.InterventionFactory | None = None,
        taus: Sequence[float] = (0.0, 0.025, 0.1),
        tracking_period: int = 1000,
        tracking_batch_size: int = 64,
        metrics: Sequence[Metric] = (),
        weight_decay: float = 0.0,
        before_optimizer: Sequence[optax.GradientTransformation] = (),
        after_optimizer: Sequence[optax.GradientTransformation] = (),
        **dopamine_settings: Any,
    ):
        check_names(
            dopamine_settings,
            inspect.signature(super().__init__).parameters,
            inspect.signature(RecyclingAgent.__init__).parameters,
        )
        self._build_intervention = intervention or interventions.none()
        self._tracking: dict[str, Any] = {
            "taus": taus,
            "tracking_period": tracking_period,
            "tracking_batch_size": tracking_batch_size,
            "metrics": metrics,
        }
        decay = [coupled_weight_decay(weight_decay)] if weight_decay != 0 else []
        self._before_optimizer = [*decay, *before_optimizer]
        self._after_optimizer = list(after_optimizer)
        self.gradient_step = 0
        self.recent_losses = collections.deque[tuple[int, jax.Array]](
            maxlen=_RECENT_LOSSES
        )
        super().__init__(num_actions, **dopamine_settings)
        # Dopamine's Rainbow has a setting of its own for it.
        stock_updates = getattr(self, "_num_updates_per_train_step", 1)
        self._num_updates = (
            stock_updates
            if replay_ratio is None
            else updates_per_train_step(replay_ratio, self.update_period)
        )

    @property
    def dormant_fraction(self) -> float:
        """At the largest tau when last measured, pooled over layers."""
        return self._plasticity.dormant_fraction

    # What an agent says of itself.

    def _loss(self) -> Loss:
        """The loss that an update descends, of states as they enter the network."""
        raise NotImplementedError

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

    def _q_values(self, params: Params, state: jax.Array) -> jax.Array:
        return self._apply(params, state).q_values

    # Dopamine's seams.

    def _build_networks_and_optimizer(self) -> None:
        self.network_def = with_graph(self.network_def)
        state = self.preprocess_fn(self.state)

        def draw_params(key: jax.Array) -> Params:
            return self._draw_params(unrolled(key), state)

        self._rng, key = jax.random.split(self._rng)
        # One program, where Dopamine compiles every operation of it on its own.
        draw_initial = compiled(draw_params)
        self.online_params = draw_initial(key)
        # Not the same arrays, because the update donates the online parameters' memory.
        self.target_network_params = draw_initial(key)
        self.optimizer = dqn_agent.create_optimizer(self._optimizer_name)
        if self._before_optimizer or self._after_optimizer:
            self.optimizer = optax.chain(
                *self._before_optimizer, self.optimizer, *self._after_optimizer
            )
        self.optimizer_state = self.optimizer.init(self.online_params)
        self._build_acting()
        self._copy_over = make_copy_over()
        loss = self._loss()
        self._update = make_update(loss.of_prepared(self._prepare), self.optimizer)
        self._inputs = compiled(lambda batch: network_inputs(self.preprocess_fn, batch))
        graph = self.network_def.graph(self.observation_shape)
        self._plasticity = Plasticity(
            self._apply,
            graph,
            self.online_params,
            loss,
            self._build_intervention(graph, draw_params, self.optimizer),
            state,
            seed=self._seed,
            **self._tracking,
        )

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
            if self.training_steps % self.target_update_period == 0:
                self._sync_weights()
        self.training_steps += 1

    def _gradient_update(self) -> jax.Array:
        learner = Learner(self.online_params, self.optimizer_state)
        learner, loss = self._update(
            learner, self.target_network_params, self._next_batch()
        )
        self.gradient_step += 1
        self.recent_losses.append((self.gradient_step, loss))
        learner, metrics = self._plasticity.after_update(
            learner, self.target_network_params, self.gradient_step, self._draw_batch
        )
        self.online_params, self.optimizer_state = learner
        self.write_metrics(metrics)
        return loss

    def _draw_batch(self, size: int, rng: np.random.Generator) -> Batch:
        """A batch for the loss that training does not notice."""
        return self._inputs(as_batch(self._replay.sample(size, rng=rng)))

    def write_metrics(self, metrics: Mapping[str, Any]) -> None:
        """Hand metrics to the runner's collectors, if there is a runner."""
        if metrics and hasattr(self, "collector_dispatcher"):
            self.collector_dispatcher.write(
                [
                    statistics_instance.StatisticsInstance(
                        name, value, step=self.training_steps
                    )
                    for name, value in metrics.items()
                ]
            )
