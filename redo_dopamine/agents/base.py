"""Add to a Dopamine agent what every agent here has: settings, tracking, checkpoints.

`PlasticAgent` stands before a Dopamine agent among a class's bases. It does not know
the algorithm: it is handed learners (parameters and optimizer state), and returns them.
"""

import collections
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from dopamine.jax.agents.dqn import dqn_agent
from dopamine.metrics import statistics_instance

from redo_dopamine.agents import settings
from redo_dopamine.core import interventions, masks
from redo_dopamine.core.graph import Params
from redo_dopamine.core.metrics.base import Metric
from redo_dopamine.core.optimizers import coupled_weight_decay
from redo_dopamine.plasticity import layers, rehearsal
from redo_dopamine.plasticity.learner import Batch, Learner, Loss
from redo_dopamine.plasticity.plasticity import Plasticity
from redo_dopamine.replay.buffer import FrameReplay
from redo_dopamine.replay.horizons import DrawAt

# So that they do not pile up where nobody watches them.
_RECENT_LOSSES = 1024
_STATES_KEPT = 4  # One more than `runners.resume` keeps checkpoints.
_DATA_ORDER = 6  # A random stream, apart from the others.


class PlasticAgent:
    """Track a Dopamine agent's network, intervene on it, and checkpoint the agent.

    Settings of the Dopamine agent keep their names, whether they are bound to its
    own gin name or given here.

    Args:
        *arguments: what the Dopamine agent must be told of the environment.
        intervention: what to do against lost plasticity, such as `redo()`.
        taus: thresholds to track dormancy at; () for none.
        tracking_period: gradient steps between two measurements. Dormant fractions are
            measured just before and after every intervention too.
        tracking_batch_size: states that a measurement averages over.
        metrics: what to measure besides, such as `[srank(), magi()]`.
        weight_decay: factor of the parameters that is added to their gradient
            before the optimizer, as in the paper; 0 for none.
        before_optimizer: what else is done to the gradient, such as `l2_to_init()`.
        after_optimizer: what is done to the optimizer's update, such as
            `decoupled_weight_decay()`.
        **dopamine_settings: any argument of the Dopamine agent.

    Attributes:
        gradient_step: gradient updates made so far.
        network_notes: what is not recycled of the network and why, a sentence each.
        recent_losses: the last gradient steps with their losses, perhaps not computed
            yet: whoever watches them takes them out.

    Raises:
        ValueError: a setting out of its range, or one of the Dopamine agent that would
            be recorded and not done (`settings.UNDONE`).
        TypeError: a setting that neither this class nor Dopamine's has.
    """

    # What a subclass says of itself.
    #
    # What the Dopamine agent's constructor takes, and what ours add.
    DOPAMINE_SETTINGS: frozenset[str]
    OWN_SETTINGS: tuple[str, ...] = (
        *("intervention", "taus", "tracking_period", "tracking_batch_size", "metrics"),
        *("weight_decay", "before_optimizer", "after_optimizer"),
    )
    # Settings of the Dopamine agent that are recorded and not done.
    UNDONE: tuple[settings.Undone, ...] = settings.UNDONE
    # Trees of parameters and optimizer state, and their names in a checkpoint.
    TREES: Mapping[str, str] = {
        "online_params": "online_params",
        "target_network_params": "target_params",
        "optimizer_state": "optimizer_state",
    }
    # Whether the replay buffer is saved in a file of its own, beside the checkpoint.
    SAVES_REPLAY = True

    collector_dispatcher: Any = None  # Until a runner sets one.
    # Set by Dopamine's constructor.
    network_def: Any
    stack_size: int
    update_horizon: int
    gamma: float
    training_steps: int
    min_replay_history: int
    _replay: Any
    _rng: jax.Array
    _seed: int
    _optimizer_name: str
    network_notes: tuple[str, ...] = ()
    # Set by `_build`.
    online_params: Params
    target_network_params: Any
    optimizer: optax.GradientTransformation
    optimizer_state: optax.OptState
    _plasticity: Plasticity
    _update: Callable[..., Any]
    # What acting depends on besides parameters and steps, as arrays by name.
    actor_state: Callable[[], dict[str, Any]]
    set_actor_state: Callable[[Mapping[str, Any]], None]
    # Traces acting; a ValueError is of a function of the wrong kind among the settings.
    _rehearse_acting: Callable[[], None]

    def __init__(
        self,
        *arguments: Any,
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
        settings.check_names(
            dopamine_settings, self.DOPAMINE_SETTINGS, self.OWN_SETTINGS
        )
        self._build_intervention = (
            interventions.none() if intervention is None else intervention
        )
        settings.check_intervention(self._build_intervention)
        masks.thresholds(taus)
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
        super().__init__(*arguments, **dopamine_settings)
        settings.check_done(self, self.UNDONE)
        self.network_def = settings.own_network(self.network_def)
        self._build()
        self._rehearse()

    def _build_networks_and_optimizer(self) -> None:
        """Do nothing: Dopamine's constructor calls this before it has set everything.

        `_build` comes after it.
        """

    def _build(self) -> None:
        """Draw parameters, and make the optimizer, the update and the tracking."""
        raise NotImplementedError

    def _loss(self) -> Loss:
        """The loss that an update descends, of states as they enter the network."""
        raise NotImplementedError

    def _draw_batch(self, size: int, rng: np.random.Generator) -> Batch:
        """A batch for the loss; training does not notice that it is drawn."""
        raise NotImplementedError

    def _example_batch(self, size: int) -> Batch:
        """The shapes of what `_draw_batch` gives."""
        raise NotImplementedError

    def _other_update_inputs(self) -> tuple[Any, ...]:
        """The shapes of what an update takes besides a learner."""
        raise NotImplementedError

    # What `_build` makes these of.

    def _make_optimizer(
        self, *stock: optax.GradientTransformation
    ) -> optax.GradientTransformation:
        """Chain what the settings do to a gradient, around Dopamine's optimizer.

        Args:
            *stock: what is done to the gradient of the loss before anything else,
                such as clipping: what the settings add to it is not clipped.
        """
        links = [
            *stock,
            *self._before_optimizer,
            dqn_agent.create_optimizer(self._optimizer_name),
            *self._after_optimizer,
        ]
        return links[0] if len(links) == 1 else optax.chain(*links)

    def _make_plasticity(
        self,
        network: layers.TrackedNetwork,
        loss: Loss,
        params: Params,
        optimizer: optax.GradientTransformation,
    ) -> Plasticity:
        """Make what tracks a network and intervenes on it, as the settings say.

        Raises:
            SettingError: nothing is known of the network that they need.
        """
        known = layers.known_layers(network, params)
        self.network_notes = known.notes
        return Plasticity(
            network.apply,
            network.inputs,
            known.layers,
            params,
            loss,
            known.bound(self._build_intervention, network.draw_params, optimizer),
            network.example,
            seed=self._seed,
            **{**self._tracking, "taus": known.taus(**self._tracking)},
        )

    def _build_replay_buffer(self) -> Any:
        """Make a buffer that stores every observation once, in place of Dopamine's."""
        replay = self._replay_class()(
            stack_size=self.stack_size,
            update_horizon=self.update_horizon,
            gamma=self.gamma,
            seed=self._seed,
            draw_at=self._draw_at,
        )
        steps, batch = self.stack_size + self.update_horizon, replay._batch_size
        if replay._max_capacity < max(steps, batch):
            raise ValueError(
                f"max_capacity must be at least the {steps:g} steps of a transition "
                f"(stack_size + update_horizon) and a batch of {batch:g}, but is "
                f"{replay._max_capacity}. The papers use 1_000_000."
            )
        return replay

    @property
    def _draw_at(self) -> DrawAt | None:
        """Gives the horizon and discount of the next batch; None where they stay."""
        return None

    def _replay_class(self) -> type[FrameReplay]:
        """The kind of buffer that batches are drawn from."""
        return FrameReplay

    def _rehearse(self) -> None:
        """Trace all that the agent does, so that a wrong setting is found at once."""
        self._rehearse_acting()
        learner = Learner(self.online_params, self.optimizer_state)
        rehearsal.updating(
            self._update,
            learner,
            self._other_update_inputs(),
            self._before_optimizer,
            self._after_optimizer,
        )
        self._plasticity.rehearse(
            learner, self.target_network_params, self._example_batch
        )

    # After an update.

    def _finish_update(self, learner: Learner, loss: jax.Array) -> None:
        """Count a gradient update, track and intervene; the learner is donated."""
        self.gradient_step += 1
        self.recent_losses.append((self.gradient_step, loss))
        learner, metrics = self._plasticity.after_update(
            learner, self.target_network_params, self.gradient_step, self._draw_batch
        )
        self.online_params, self.optimizer_state = learner
        self.write_metrics(dict(sorted(metrics.items())))

    @property
    def dormant_fraction(self) -> float:
        """At the largest tau when last measured, pooled over layers."""
        return self._plasticity.dormant_fraction

    @property
    def waiting_for(self) -> str:
        """What an agent does before its first update, in words; empty after it."""
        if self.gradient_step > 0:
            return ""
        if self._may_learn():
            return "compiling the update"
        return "filling the replay buffer"

    def _may_learn(self) -> bool:
        """Whether there is enough to learn from."""
        return self._replay.add_count > self.min_replay_history

    def write_metrics(self, metrics: Mapping[str, Any]) -> None:
        """Hand metrics to the runner's collectors, if there is a runner."""
        if metrics and self.collector_dispatcher is not None:
            self.collector_dispatcher.write(
                [
                    statistics_instance.StatisticsInstance(
                        name, value, step=self.training_steps
                    )
                    for name, value in metrics.items()
                ]
            )

    # What a checkpoint holds.

    @property
    def seed(self) -> int:
        """What every random stream of a run is derived from."""
        return self._seed

    def state_tree(self) -> dict[str, Any]:
        """All that a checkpoint must hold but the replay buffer, as numpy arrays.

        A snapshot on the host: the next update does not touch it. It has Dopamine's
        names, and what Dopamine leaves out: clocks and random streams.
        """
        tree = {
            "training_steps": self.training_steps,
            "gradient_step": self.gradient_step,
            "seed": self.seed,
            "short_memory": self.actor_state(),
            "plasticity": self._plasticity.state_dict(),
            **{key: getattr(self, name) for name, key in self.TREES.items()},
        }
        return jax.tree.map(np.array, tree)

    def bundle_and_checkpoint(
        self, checkpoint_dir: str, iteration_number: int
    ) -> dict[str, Any]:
        """Save the replay buffer; returns what else there is to save."""
        if self.SAVES_REPLAY:
            # Its files are deleted before the checkpoints that need them, so keep one
            # more of them.
            self._replay._checkpoint_duration = max(
                self._replay._checkpoint_duration, _STATES_KEPT
            )
            self._replay.save(checkpoint_dir, iteration_number)
        return self.state_tree()

    def unbundle(
        self,
        checkpoint_dir: str,
        iteration_number: int,
        bundle_dictionary: dict[str, Any] | None,
    ) -> bool:
        """Restore a bundle and its replay buffer; False if one of them is gone.

        Raises:
            ValueError: the replay buffer is damaged, or the bundle is of another
                agent; the agent is then as it was.
        """
        if bundle_dictionary is None:
            return False
        if self.SAVES_REPLAY:
            try:
                self._replay.load(checkpoint_dir, iteration_number)
            except FileNotFoundError:
                return False
        self._plasticity.load_state_dict(bundle_dictionary["plasticity"])
        self.recent_losses.clear()
        self.training_steps = int(bundle_dictionary["training_steps"])
        self.gradient_step = int(bundle_dictionary["gradient_step"])
        self._seed = int(bundle_dictionary["seed"])
        self.set_actor_state(bundle_dictionary["short_memory"])
        for name, key in self.TREES.items():
            setattr(self, name, jax.tree.map(jnp.array, bundle_dictionary[key]))
        return True

    def start_from(self, params: Any, target_params: Any, opt_state: Any) -> None:
        """Begin with other parameters than those drawn; for an agent that is new.

        Args:
            params: of the network.
            target_params: of the target network.
            opt_state: None for a new one.
        """
        self.online_params = jax.tree.map(jnp.array, params)
        self.target_network_params = jax.tree.map(jnp.array, target_params)
        self.optimizer_state = (
            self.optimizer.init(self.online_params)
            if opt_state is None
            else jax.tree.map(jnp.array, opt_state)
        )
        self._plasticity.begin_with(self.online_params)

    def change_data_order(self, number: int) -> None:
        """Go on with other random numbers for actions and batches.

        Args:
            number: another one, another order; the same one, the same.
        """
        self._rng = jax.random.fold_in(self._rng, number)
        if self.SAVES_REPLAY:
            stream = [self._seed, _DATA_ORDER, self.gradient_step, number]
            self._replay._rng = np.random.default_rng(stream)
