"""Tracking and intervening: what every agent of this package shares.

An agent calls `Plasticity.after_update` once per gradient update, with the number
of updates made so far. What it hands in is a learner and a way to draw batches; what
it gets back is a learner and the metrics of this step, which are mostly none.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from redo_dopamine.agents.learner import Batch, Learner, LossFn
from redo_dopamine.core import graph as graph_lib
from redo_dopamine.core import masks, metrics
from redo_dopamine.core.interventions import Activations, Intervention
from redo_dopamine.core.schedules import Periodic, Schedule, never
from redo_dopamine.networks.activations import collect, loss_gradients

# A batch of transitions, states as the network takes them, from `(batch_size, rng)`.
DrawBatch = Callable[[int, np.random.Generator], Batch]

# The random streams, apart from each other and from training's.
_TRACKING, _INTERVENTION = 1, 2


class Plasticity:
    """Tracks the dormant neurons of a network and intervenes against them.

    Both run on their own random streams, folded from the seed and the gradient
    step, so that runs with different interventions see the same data until the
    first one acts.

    Args:
        apply: `network.apply` of a network that takes one state.
        graph: the network's layers; must fit `params` (`core.graph.validate`).
        params: the network's parameters.
        loss: the loss that the updates descend.
        intervention: what to do, and when.
        state_example: one network input, for shapes only.
        taus: thresholds to track dormancy at; empty for no tracking.
        tracking_period: gradient steps between two measurements.
        tracking_batch_size: states that a measurement averages over.
        seed: of the random streams.

    Attributes:
        dormant_fraction: pooled over layers at the largest tau, when last measured;
            NaN before.

    Raises:
        ValueError: a setting out of its range, a graph that does not fit, or a
            layer whose activations the network does not record.
    """

    def __init__(
        self,
        apply: Callable[..., Any],
        graph: graph_lib.NetworkGraph,
        params: graph_lib.Params,
        loss: LossFn,
        intervention: Intervention,
        state_example: Any,
        *,
        taus: Sequence[float],
        tracking_period: int,
        tracking_batch_size: int,
        seed: int,
    ):
        for tau in taus:
            masks.validate_threshold(tau)
        if tracking_batch_size < 1:
            raise ValueError(
                "tracking_batch_size must be at least 1 state, but is "
                f"{tracking_batch_size}. The paper scores on 64."
            )
        graph_lib.validate(graph, params)
        self._layers = [layer.name for layer in graph.layers]
        widths = _recorded_widths(apply, graph, params, state_example)
        self._intervention = intervention
        self._intervention_state = intervention.init(params)
        self._taus = tuple(float(tau) for tau in taus)
        self._max_tau = max(self._taus, default=None)
        self._dormant_sets = metrics.no_dormant_sets(widths, self._taus)
        self._tracking_due: Schedule = Periodic(tracking_period) if taus else never
        self._tracking_batch_size = tracking_batch_size
        self._seed = seed
        self.dormant_fraction = float("nan")
        self._collect = jax.jit(
            lambda params, states: self._of_layers(collect(apply, params, states))
        )
        self._measure = jax.jit(
            lambda activations, previous: metrics.measure_dormancy(
                activations, self._taus, previous
            )
        )
        self._loss_gradients = jax.jit(
            lambda params, target_params, batch: self._of_layers(
                loss_gradients(
                    apply, lambda p, b: loss(p, target_params, b), params, batch
                )
            )
        )
        self._intervene = jax.jit(intervention.apply)
        self._constrain = intervention.constrain and jax.jit(intervention.constrain)

    def _of_layers(self, activations):
        return {name: activations[name] for name in self._layers}

    def after_update(
        self,
        learner: Learner,
        target_params: graph_lib.Params,
        gradient_step: int,
        draw_batch: DrawBatch,
    ) -> tuple[Learner, dict[str, np.number]]:
        """Measure, then intervene, where the schedules say so.

        Args:
            learner: parameters and optimizer state after the update.
            target_params: parameters of the target network.
            gradient_step: how many updates have been made, this one included.
            draw_batch: gives transitions to look at.

        Returns:
            The learner, and metrics by name.
        """
        if self._constrain is not None:
            held = self._constrain(*learner, self._intervention_state)
            learner = Learner(*held)
        found: dict[str, jax.Array] = {}
        if self._tracking_due(gradient_step):
            observer = self._observer(
                learner, target_params, draw_batch, _TRACKING, gradient_step
            )
            found |= self._track(observer)
        if self._intervention.schedule(gradient_step):
            observer = self._observer(
                learner, target_params, draw_batch, _INTERVENTION, gradient_step
            )
            stream = jax.random.fold_in(jax.random.PRNGKey(self._seed), _INTERVENTION)
            params, opt_state, self._intervention_state, done = self._intervene(
                jax.random.fold_in(stream, gradient_step),
                learner.params,
                learner.opt_state,
                self._intervention_state,
                self._intervention.observe(observer),
                jnp.int32(gradient_step),
            )
            learner = Learner(params, opt_state)
            found |= done
        return learner, {k: v[()] for k, v in jax.device_get(found).items()}

    def _track(self, observer: "_Observer") -> dict[str, jax.Array]:
        activations = observer.activations(self._tracking_batch_size)
        measured, self._dormant_sets = self._measure(activations, self._dormant_sets)
        self.dormant_fraction = float(measured[f"dormant_fraction/{self._max_tau}"])
        return measured

    def _observer(
        self,
        learner: Learner,
        target_params: graph_lib.Params,
        draw_batch: DrawBatch,
        stream: int,
        gradient_step: int,
    ) -> "_Observer":
        rng = np.random.default_rng([self._seed, stream, gradient_step])
        return _Observer(
            lambda size: self._collect(learner.params, draw_batch(size, rng)["state"]),
            lambda size: self._loss_gradients(
                learner.params, target_params, draw_batch(size, rng)
            ),
        )

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must hold, as numpy arrays."""
        state = (self._intervention_state, self._dormant_sets)
        leaves = [np.asarray(x) for x in jax.tree.leaves(state)]
        return {"leaves": leaves, "seed": self._seed}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Take up the state of a checkpoint.

        Raises:
            ValueError: it belongs to other layers, thresholds or interventions.
        """
        current = (self._intervention_state, self._dormant_sets)
        leaves, structure = jax.tree.flatten(current)
        shapes = [x.shape for x in leaves]
        saved_shapes = [x.shape for x in saved["leaves"]]
        if shapes != saved_shapes:
            raise ValueError(
                "A checkpoint's plasticity state must be of this network, "
                f"intervention and taus: expected arrays {shapes}, found "
                f"{saved_shapes}. Restore the settings of that run."
            )
        restored = jax.tree.unflatten(structure, map(jnp.asarray, saved["leaves"]))
        self._intervention_state, self._dormant_sets = restored
        self._seed = int(saved["seed"])


class _Observer(NamedTuple):
    """Looks at a learner on batches of one random stream."""

    activations: Callable[[int], Activations]
    loss_gradients: Callable[[int], Activations]


def _recorded_widths(
    apply: Callable[..., Any],
    graph: graph_lib.NetworkGraph,
    params: graph_lib.Params,
    state_example: Any,
) -> dict[str, int]:
    """Neurons per layer, after a check that the network records what graph says."""
    states = jax.tree.map(lambda x: jnp.asarray(x)[None], state_example)
    shapes = jax.eval_shape(lambda p, s: collect(apply, p, s), params, states)
    kernels = graph_lib.leaves_by_path(params)
    widths = {layer.name: kernels[layer.kernel].shape[-1] for layer in graph.layers}
    for name, width in widths.items():
        found = shapes[name].shape if name in shapes else None
        if found is None or found[-1] != width:
            raise ValueError(
                f"The network must record an activation [..., {width}] for layer "
                f"{name!r} of its graph, but it recorded {found} there (in all: "
                f"{sorted(shapes)}). Call record(self, {name!r}, activation) after "
                "the layer's activation function."
            )
    return widths
