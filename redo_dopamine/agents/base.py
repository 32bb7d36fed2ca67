"""What every agent of this package adds to a Dopamine agent: settings, clock, metrics.

`TrackedAgent` stands before a Dopamine agent in a class's bases. What an agent is
makes no difference to it: it is handed learners, and hands them back.
"""

import collections
import inspect
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
import optax
from dopamine.jax.agents.dqn import dqn_agent
from dopamine.metrics import statistics_instance

from redo_dopamine.agents.checkpoint import SavedAgent
from redo_dopamine.agents.settings import (
    UNDONE,
    Undone,
    check_done,
    check_intervention,
    check_names,
    check_taus,
)
from redo_dopamine.core import interventions
from redo_dopamine.core.graph import NetworkGraph, Params
from redo_dopamine.core.metrics.base import Metric
from redo_dopamine.core.optimizers import coupled_weight_decay
from redo_dopamine.plasticity import rehearsal
from redo_dopamine.plasticity.learner import Batch, Learner, Loss
from redo_dopamine.plasticity.plasticity import Plasticity

# So that they do not pile up where nobody watches them.
_RECENT_LOSSES = 1024


class TrackedAgent(SavedAgent):
    """Settings of tracking and intervening, on top of a Dopamine agent's.

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
        recent_losses: the last gradient steps with their losses, perhaps still on
            their way: whoever watches them takes them out.

    Raises:
        ValueError: a setting out of its range, or one of the Dopamine agent that would
            be recorded and not done (`settings.UNDONE`).
        TypeError: a setting that neither this class nor Dopamine's has.
    """

    # Settings of the Dopamine agent that are recorded and not done.
    UNDONE: tuple[Undone, ...] = UNDONE
    optimizer: optax.GradientTransformation
    _update: Callable[..., Any]
    _optimizer_name: str  # Set by Dopamine's constructor.

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
        check_names(
            dopamine_settings,
            inspect.signature(super().__init__).parameters,
            [
                name
                for cls in type(self).__mro__
                if issubclass(cls, TrackedAgent)
                for name in inspect.signature(cls.__init__).parameters
            ],
        )
        self._build_intervention = (
            interventions.none() if intervention is None else intervention
        )
        check_intervention(self._build_intervention)
        check_taus(taus)
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
        check_done(self, self.UNDONE)
        self._rehearse()

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

    @property
    def dormant_fraction(self) -> float:
        """At the largest tau when last measured, pooled over layers."""
        return self._plasticity.dormant_fraction

    # What an agent says of itself.

    def _loss(self) -> Loss:
        """The loss that an update descends, of states as they enter the network."""
        raise NotImplementedError

    def _draw_batch(self, size: int, rng: np.random.Generator) -> Batch:
        """A batch for the loss that training does not notice."""
        raise NotImplementedError

    def _example_batch(self, size: int) -> Batch:
        """The shapes of what `_draw_batch` gives."""
        raise NotImplementedError

    def _other_update_inputs(self) -> tuple[Any, ...]:
        """The shapes of what an update takes besides a learner."""
        raise NotImplementedError

    def _rehearse_acting(self) -> None:
        """Trace what the agent does between its updates.

        Raises:
            ValueError: a function of the wrong kind among its settings.
        """
        raise NotImplementedError

    # What it is given for that.

    def _init_optimizer(
        self, params: Params, *stock: optax.GradientTransformation
    ) -> None:
        """Take these parameters, and build the optimizer with its state.

        Args:
            params: which the updates will donate.
            *stock: what is done to the gradient of the loss before anything else,
                such as clipping: what the settings add to it is not clipped.
        """
        links = [
            *stock,
            *self._before_optimizer,
            dqn_agent.create_optimizer(self._optimizer_name),
            *self._after_optimizer,
        ]
        self.online_params = params
        self.optimizer = links[0] if len(links) == 1 else optax.chain(*links)
        self.optimizer_state = self.optimizer.init(params)

    def _init_tracking(
        self,
        apply: Callable[..., Any],
        graph: NetworkGraph,
        draw_params: Callable[[jax.Array], Params],
        loss: Loss,
        example: Any,
        inputs: Callable[[Batch], Any] = operator.itemgetter("state"),
    ) -> None:
        """To be called once there are parameters and an optimizer.

        Args:
            apply: `(params, input) -> output` of the network for one input.
            graph: the network's layers.
            draw_params: new parameters from a key.
            loss: the loss that the updates descend.
            example: one network input, for shapes only.
            inputs: what the network takes of a batch.
        """
        self._plasticity = Plasticity(
            apply,
            inputs,
            graph,
            self.online_params,
            loss,
            self._build_intervention(graph, draw_params, self.optimizer),
            example,
            seed=self._seed,
            **self._tracking,
        )

    def _finish_update(self, learner: Learner, loss: jax.Array) -> None:
        """Count a gradient update, track and intervene; the learner is donated."""
        self.gradient_step += 1
        self.recent_losses.append((self.gradient_step, loss))
        learner, metrics = self._plasticity.after_update(
            learner, self.target_network_params, self.gradient_step, self._draw_batch
        )
        self.online_params, self.optimizer_state = learner
        self.write_metrics(metrics)

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
