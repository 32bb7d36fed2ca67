"""Learn Q-values as Dopamine's DQN does, with dormancy tracking and interventions."""

from typing import Any

import gin
import jax
import jax.numpy as jnp
import numpy as np
from dopamine.jax.agents.dqn import dqn_agent

from redo_dopamine.agents import dqn_loss
from redo_dopamine.agents.base import PlasticAgent
from redo_dopamine.agents.epsilon_greedy import EpsilonGreedyAgent
from redo_dopamine.agents.loss_terms import (
    AgentParts,
    CarriedTerm,
    LossTermFactory,
    check_same_term,
    with_term,
)
from redo_dopamine.agents.settings import DQN_SETTINGS, updates_per_train_step
from redo_dopamine.core.graph import Params, head_kernels
from redo_dopamine.core.jit import choose_runtime, compiled, unrolled
from redo_dopamine.plasticity import layers, rehearsal
from redo_dopamine.plasticity.learner import (
    Batch,
    Learner,
    Loss,
    make_hard_update,
    make_update,
)
from redo_dopamine.replay.buffer import as_batch, example_batch, network_inputs

_TERM = 8  # A random stream, apart from the others.
_TERM_KEY = "loss_term"  # In a checkpoint.


@gin.configurable
class RecycledDQNAgent(PlasticAgent, EpsilonGreedyAgent):
    """DQN that tracks its dormant neurons and may recycle them.

    With `none` it makes the parameters that `JaxDQNAgent` makes from the same
    batches. Its settings are those below, those of `PlasticAgent`, and any of
    `JaxDQNAgent`.

    Args:
        num_actions: number of actions.
        replay_ratio: gradient updates per agent step; times `update_period` it must
            be a whole number. None is one update per update period, as in Dopamine.
        bootstrap: what the next state is worth: `largest_target_value`, or
            `target_value_of_online_choice` for double DQN.
        loss_term: what is added to the loss, such as `churn_reduction()` or
            `initial_feature_regularization()`; None for nothing. Tracking measures the
            loss without it.
        **settings: of `PlasticAgent`, and any argument of the Dopamine agent: `seed`,
            `gamma`, `update_horizon` (n-step), `target_update_period` (agent steps),
            `loss_type` ("huber" or "mse"), ...

    Raises:
        ValueError: a setting out of its range.
        TypeError: a setting that neither this class nor Dopamine's has.
    """

    DOPAMINE_SETTINGS = DQN_SETTINGS
    OWN_SETTINGS = (
        *PlasticAgent.OWN_SETTINGS,
        "replay_ratio",
        "bootstrap",
        "loss_term",
    )
    network_def: Any  # Set by Dopamine's constructor.
    _term: CarriedTerm | None = None

    def __init__(
        self,
        num_actions: int,
        *,
        replay_ratio: float | None = None,
        bootstrap: dqn_loss.Bootstrap = dqn_loss.largest_target_value,
        loss_term: LossTermFactory | None = None,
        **settings: Any,
    ):
        settings["loss_term"] = loss_term
        self._initialize(num_actions, replay_ratio, settings, bootstrap)

    def _initialize(
        self,
        num_actions: int,
        replay_ratio: float | None,
        settings: dict[str, Any],
        bootstrap: dqn_loss.Bootstrap = dqn_loss.largest_target_value,
    ) -> None:
        """Be the constructor, without the settings that gin binds to this class."""
        if not callable(bootstrap):
            raise ValueError(
                f"bootstrap must be a function, but is {bootstrap!r}. Use "
                "@largest_target_value (DQN) or @target_value_of_online_choice (double "
                "DQN)."
            )
        self._bootstrap = bootstrap
        self._build_loss_term = settings.pop("loss_term", None)
        super().__init__(num_actions, **settings)
        self._num_updates = self._updates_per_train_step(replay_ratio)

    def _updates_per_train_step(self, replay_ratio: float | None) -> int:
        if replay_ratio is None:
            return 1
        return updates_per_train_step(replay_ratio, self.update_period)

    def _build(self) -> None:
        state = self.preprocess_fn(self.state)

        def draw_params(key: jax.Array) -> Params:
            return self._draw_params(unrolled(key), state)

        rehearsal.check_memory(draw_params)
        self._rng, key = jax.random.split(self._rng)
        choose_runtime(draw_params, key)
        # One program, where Dopamine compiles every operation of it on its own.
        draw_initial = compiled(draw_params)
        self.online_params = draw_initial(key)
        # Not the same arrays, because the update donates the online parameters' memory.
        self.target_network_params = draw_initial(key)
        self.optimizer = self._make_optimizer()
        self.optimizer_state = self.optimizer.init(self.online_params)
        loss = self._loss()
        prepared = loss.of_prepared(self._prepare)
        self._hard_update = make_hard_update()
        self._inputs = compiled(lambda batch: network_inputs(self.preprocess_fn, batch))
        declared = layers.declared_graph(self.network_def, self.observation_shape)
        self._plasticity = self._make_plasticity(
            layers.TrackedNetwork(self._apply, declared, draw_params, state),
            *(loss, self.online_params, self.optimizer),
        )
        if self._build_loss_term is not None:
            self._term = CarriedTerm(self._build_loss_term, self._parts())
            self._term.begin_with(self.online_params)
            prepared = with_term(prepared, self._term.functions)
        self._update = self._make_update(prepared)

    def _draw_params(self, key: jax.Array, state: Any) -> Params:
        """New parameters from the network's initializers."""
        return self.network_def.init(key, state)

    def _loss(self) -> Loss:
        return dqn_loss.q_learning(
            self._apply,
            dqn_loss.elementwise_loss(self._loss_type),
            self.cumulative_gamma,
            self._bootstrap,
        )

    def _make_update(self, loss: Loss) -> Any:
        """What `_gradient_update` calls, of the loss of batches as they are drawn."""
        return make_update(loss, self.optimizer)

    # Learning: acting calls `_train_step` before every action, but in evaluation.

    def _train_step(self) -> None:
        if self._replay.add_count > self.min_replay_history:
            if self.training_steps % self.update_period == 0:
                for _ in range(self._num_updates):
                    loss = self._gradient_update()
                if self.training_steps % self.summary_writing_frequency == 0:
                    self.write_metrics({"loss": np.asarray(loss)[()]})
            if self.is_target_update_step(self.training_steps):
                self.target_network_params = self._hard_update(
                    self.target_network_params, self.online_params
                )
        self.training_steps += 1

    def _gradient_update(self) -> jax.Array:
        learner = Learner(self.online_params, self.optimizer_state)
        learner, loss = self._update(
            learner, self.target_network_params, self._batch_and_term()
        )
        self._finish_update(learner, loss)
        return loss

    # The term that may be added to the loss.

    def _parts(self) -> AgentParts:
        subject = self._plasticity.tracking.subject
        heads = head_kernels(subject.graph)
        read = [
            x.name for x in subject.graph.layers if heads & {y.path for y in x.outgoing}
        ]

        def features(params: Params, states: jax.Array) -> jax.Array:
            activations = subject.activations(params, states)
            flat = [activations[name].reshape(len(states), -1) for name in read]
            return jnp.concatenate(flat, axis=-1)

        num_features = 0
        if read:
            states = self._example_batch(1)["state"]
            found = jax.eval_shape(features, self.online_params, states)
            num_features = found.shape[-1]
        return AgentParts(
            jax.vmap(self._q_values, in_axes=(None, 0)),
            features,
            num_features,
            dqn_agent.create_optimizer(self._optimizer_name),
            jax.random.fold_in(jax.random.PRNGKey(self._seed), _TERM),
        )

    def _batch_and_term(self) -> Batch:
        """The next batch, with the inputs of the loss term where there is one."""
        batch = self._next_batch()
        if self._term is None:
            return batch
        # Of the step alone, so that it goes on after a restore.
        rng = np.random.default_rng([self._seed, _TERM, self.gradient_step])
        drawn = self._draw_batch(self._term.functions.batch_size, rng)
        return batch | {
            "term": self._term.before_update(self.online_params, drawn["state"])
        }

    def _finish_update(self, learner: Learner, loss: jax.Array) -> None:
        if self._term is not None:
            self._term.after_update(loss)
        super()._finish_update(learner, loss)

    def state_tree(self) -> dict[str, Any]:
        """As of `PlasticAgent`, with the state of the loss term."""
        tree = super().state_tree()
        if self._term is None:
            return tree
        return tree | {_TERM_KEY: jax.tree.map(np.array, self._term.state)}

    def unbundle(
        self,
        checkpoint_dir: str,
        iteration_number: int,
        bundle_dictionary: dict[str, Any] | None,
    ) -> bool:
        """As of `PlasticAgent`; a bundle must be of an agent with this loss term."""
        bundle = bundle_dictionary
        if bundle is not None:
            check_same_term(self._term, bundle.get(_TERM_KEY))
        if not super().unbundle(checkpoint_dir, iteration_number, bundle):
            return False
        if self._term is not None and bundle is not None:
            self._term.state = jax.tree.map(jnp.array, bundle[_TERM_KEY])
        return True

    def start_from(self, params: Any, target_params: Any, opt_state: Any) -> None:
        """As of `PlasticAgent`; the loss term begins with these parameters."""
        super().start_from(params, target_params, opt_state)
        if self._term is not None:
            self._term.begin_with(self.online_params)

    def is_target_update_step(self, training_step: int) -> bool:
        """Whether the target network is updated at that train step."""
        return training_step % self.target_update_period == 0

    # Batches, and their shapes.

    def _next_batch(self) -> Batch:
        """A batch from the replay buffer, and what `_prepare` needs besides."""
        return as_batch(self._replay.sample())

    def _prepare(self, batch: Batch) -> Batch:
        """What the loss takes of `_next_batch`: pure, part of the compiled update."""
        return network_inputs(self.preprocess_fn, batch)

    def _draw_batch(self, size: int, rng: np.random.Generator) -> Batch:
        return self._inputs(as_batch(self._replay.sample(size, rng=rng)))

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
        batch = self._example_next(int(self._replay._batch_size))
        if self._term is not None:
            states = self._example_batch(self._term.functions.batch_size)["state"]
            batch = batch | {"term": self._term.example(self.online_params, states)}
        return self.target_network_params, batch
