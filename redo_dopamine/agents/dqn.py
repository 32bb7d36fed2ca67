"""Dopamine's DQN with a replay ratio, dormancy tracking and interventions."""

import difflib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gin
import jax
import jax.numpy as jnp
import numpy as np
import optax
from dopamine.jax import losses
from dopamine.jax import networks as dopamine_networks
from dopamine.jax.agents.dqn import dqn_agent
from dopamine.metrics import statistics_instance

from redo_dopamine.agents.learner import Batch, Learner, LossFn, make_update
from redo_dopamine.agents.plasticity import Plasticity
from redo_dopamine.core import interventions
from redo_dopamine.core.graph import Params
from redo_dopamine.networks.nature import NatureNetwork
from redo_dopamine.replay.sampling import sample_apart

LOSSES: Mapping[str, Callable[..., jax.Array]] = {
    "huber": losses.huber_loss,
    "mse": losses.mse_loss,
}


def updates_per_train_step(replay_ratio: float | None, update_period: int) -> int:
    """Gradient updates every `update_period` agent steps.

    The replay ratio is the number of gradient updates per agent step, so this is
    `replay_ratio * update_period`.

    Args:
        replay_ratio: updates per agent step, or None for one update a train step.
        update_period: agent steps between two train steps.

    Raises:
        ValueError: the product is not a whole number >= 1.
    """
    if replay_ratio is None:
        return 1
    updates = replay_ratio * update_period
    if not updates >= 0.5 or abs(updates - round(updates)) > 1e-6:
        possible = ", ".join(f"{n / update_period:g}" for n in range(1, 5))
        raise ValueError(
            f"replay_ratio * update_period must be a whole number >= 1, but "
            f"{replay_ratio} * {update_period} = {updates:g}. With update_period = "
            f"{update_period} the possible replay ratios are {possible}, ..."
        )
    return round(updates)


def td_loss(
    apply: Callable[..., Any],
    elementwise_loss: Callable[..., jax.Array],
    cumulative_gamma: float,
) -> LossFn:
    """The loss of Q-learning on a batch of n-step transitions.

    Args:
        apply: `network.apply` of a network that takes one state.
        elementwise_loss: of `(target, prediction)`.
        cumulative_gamma: the discount to the power of n.
    """

    def q_values(params: Params, states: jax.Array) -> jax.Array:
        return jax.vmap(lambda state: apply(params, state).q_values)(states)

    def loss(params: Params, target_params: Params, batch: Batch) -> jax.Array:
        next_q = jnp.max(q_values(target_params, batch["next_state"]), axis=1)
        not_terminal = 1.0 - batch["terminal"]
        targets = batch["reward"] + cumulative_gamma * next_q * not_terminal
        q = q_values(params, batch["state"])
        chosen = jnp.take_along_axis(q, batch["action"][:, None], axis=1)[:, 0]
        return jnp.mean(elementwise_loss(jax.lax.stop_gradient(targets), chosen))

    return loss


def with_graph(network: Any) -> Any:
    """A network that knows its layers, for one that Dopamine's bindings name.

    Raises:
        ValueError: a network without a `graph()`.
    """
    if hasattr(network, "graph"):
        return network
    if isinstance(network, dopamine_networks.NatureDQNNetwork):
        return NatureNetwork(network.num_actions, network.inputs_preprocessed)
    raise ValueError(
        "A network must say which weights feed and read its neurons, but "
        f"{type(network).__name__} has no graph(). Use @NatureNetwork, or add a "
        "graph() method and record its activations (README, 'Your own network')."
    )


@gin.configurable
class RecycledDQNAgent(dqn_agent.JaxDQNAgent):
    """DQN that tracks its dormant neurons and may recycle them.

    With `none` it makes the parameters that `JaxDQNAgent` makes from the same
    batches. Settings of Dopamine's agent keep their names, whether they are bound
    to `JaxDQNAgent` or given here.

    Args:
        num_actions: number of actions.
        replay_ratio: gradient updates per agent step; times `update_period` it must
            be a whole number. None is one update per update period, as in Dopamine.
        intervention: what to do against lost plasticity, such as `redo()`.
        taus: thresholds to track dormancy at; () for no tracking.
        tracking_period: gradient steps between two measurements.
        tracking_batch_size: states that a measurement averages over.
        weight_decay: factor of the parameters that is added to their gradient
            before the optimizer, as in the paper; 0 for none.
        **dopamine_settings: any argument of `JaxDQNAgent`: `seed`, `gamma`,
            `update_horizon` (n-step), `target_update_period` (agent steps),
            `loss_type` ("huber" or "mse"), ...

    Raises:
        ValueError: a setting out of its range.
        TypeError: a setting that `JaxDQNAgent` does not have.
    """

    # Set by Dopamine's constructor.
    network_def: Any
    _rng: jax.Array
    _seed: int

    def __init__(
        self,
        num_actions: int,
        *,
        replay_ratio: float | None = None,
        intervention: interventions.InterventionFactory | None = None,
        taus: Sequence[float] = (0.0, 0.025, 0.1),
        tracking_period: int = 1000,
        tracking_batch_size: int = 64,
        weight_decay: float = 0.0,
        **dopamine_settings: Any,
    ):
        _check_settings(dopamine_settings)
        if weight_decay < 0:
            raise ValueError(f"weight_decay must be >= 0, but is {weight_decay}.")
        self._build_intervention = intervention or interventions.none()
        self._tracking: dict[str, Any] = {
            "taus": taus,
            "tracking_period": tracking_period,
            "tracking_batch_size": tracking_batch_size,
        }
        self._weight_decay = weight_decay
        self.gradient_step = 0
        super().__init__(num_actions, **dopamine_settings)
        self._num_updates = updates_per_train_step(replay_ratio, self.update_period)

    @property
    def seed(self) -> int:
        """What every random stream of a run is derived from."""
        return self._seed

    @property
    def dormant_fraction(self) -> float:
        """At the largest tau when last measured, pooled over layers."""
        return self._plasticity.dormant_fraction

    def _build_networks_and_optimizer(self) -> None:
        if self._loss_type not in LOSSES:
            raise ValueError(
                f"loss_type must be one of {sorted(LOSSES)}, but is "
                f"{self._loss_type!r}."
            )
        self.network_def = with_graph(self.network_def)
        self._rng, rng = jax.random.split(self._rng)
        state = self.preprocess_fn(self.state)
        self.online_params = self.network_def.init(rng, x=state)
        self.optimizer = self._build_optimizer()
        self.optimizer_state = self.optimizer.init(self.online_params)
        self._sync_weights()
        loss = td_loss(
            self.network_def.apply,
            LOSSES[self._loss_type],
            self.cumulative_gamma,
        )
        self._update = make_update(loss, self.optimizer)
        graph = self.network_def.graph(self.observation_shape)
        self._plasticity = Plasticity(
            self.network_def.apply,
            graph,
            self.online_params,
            self._build_intervention(
                graph, lambda key: self.network_def.init(key, x=state), self.optimizer
            ),
            state,
            seed=self._seed,
            **self._tracking,
        )

    def _build_optimizer(self) -> optax.GradientTransformation:
        optimizer = dqn_agent.create_optimizer(self._optimizer_name)
        if self._weight_decay == 0:
            return optimizer
        return optax.chain(optax.add_decayed_weights(self._weight_decay), optimizer)

    def _sync_weights(self) -> None:
        # A copy, because the update donates the online parameters' memory.
        self.target_network_params = jax.tree.map(jnp.copy, self.online_params)

    def _train_step(self) -> None:
        if self._replay.add_count > self.min_replay_history:
            if self.training_steps % self.update_period == 0:
                for _ in range(self._num_updates):
                    loss = self._gradient_update()
                if self.training_steps % self.summary_writing_frequency == 0:
                    self._write({"loss": np.asarray(loss)[()]})
            if self.training_steps % self.target_update_period == 0:
                self._sync_weights()
        self.training_steps += 1

    def _gradient_update(self) -> jax.Array:
        self._sample_from_replay_buffer()
        batch = dict(self.replay_elements)
        batch["state"] = self.preprocess_fn(batch["state"])
        batch["next_state"] = self.preprocess_fn(batch["next_state"])
        learner = Learner(self.online_params, self.optimizer_state)
        learner, loss = self._update(learner, self.target_network_params, batch)
        self.gradient_step += 1
        learner, metrics = self._plasticity.after_update(
            learner, self.gradient_step, self._draw_states
        )
        self.online_params, self.optimizer_state = learner
        self._write(metrics)
        return loss

    def _draw_states(self, size: int, rng: np.random.Generator) -> np.ndarray:
        return self.preprocess_fn(sample_apart(self._replay, size, rng))

    def _write(self, metrics: Mapping[str, Any]) -> None:
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

    def bundle_and_checkpoint(
        self, checkpoint_dir: str, iteration_number: int
    ) -> dict[str, Any] | None:
        """Dopamine's bundle, and what it leaves out: clocks and random streams.

        It is a snapshot on the host: the next update does not touch it.
        """
        bundle = super().bundle_and_checkpoint(checkpoint_dir, iteration_number)
        if bundle is None:
            return None
        bundle |= {
            "gradient_step": self.gradient_step,
            "rng": self._rng,
            "seed": self.seed,
            "plasticity": self._plasticity.state_dict(),
        }
        return jax.tree.map(np.array, bundle)

    def unbundle(
        self,
        checkpoint_dir: str,
        iteration_number: int,
        bundle_dictionary: dict[str, Any] | None,
    ) -> bool:
        """Take up a bundle; False if its replay buffer or its parameters are gone."""
        if not super().unbundle(checkpoint_dir, iteration_number, bundle_dictionary):
            return False
        if bundle_dictionary is not None:
            self.training_steps = int(bundle_dictionary["training_steps"])
            self.gradient_step = int(bundle_dictionary["gradient_step"])
            self._seed = int(bundle_dictionary["seed"])
            self._rng = jnp.asarray(bundle_dictionary["rng"])
            self._plasticity.load_state_dict(bundle_dictionary["plasticity"])
            trees = (
                self.online_params,
                self.target_network_params,
                self.optimizer_state,
            )
            (
                self.online_params,
                self.target_network_params,
                self.optimizer_state,
            ) = jax.tree.map(jnp.array, trees)
        return True


def _check_settings(settings: Mapping[str, Any]) -> None:
    stock, ours = (
        inspect.signature(cls.__init__).parameters
        for cls in (dqn_agent.JaxDQNAgent, RecycledDQNAgent)
    )
    for name in settings:
        if name not in stock:
            near = difflib.get_close_matches(name, {*stock, *ours}, n=3)
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            raise TypeError(
                f"RecycledDQNAgent has no setting {name!r}, nor has JaxDQNAgent.{hint}"
            )
