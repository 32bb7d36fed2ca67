"""A classifier that learns, is looked at and is intervened on, as compiled functions.

What comes in: a network, standardised images, and labels that may change. What
leaves: a state that is one pytree, and metrics by name.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from redo_dopamine.core import graph as graph_lib
from redo_dopamine.core import masks
from redo_dopamine.core.interventions import Activations, InterventionFactory
from redo_dopamine.core.measuring import Measured
from redo_dopamine.core.metrics import (
    DormancyRecord,
    measure_dormancy,
    no_record,
)
from redo_dopamine.networks.activations import collect, loss_gradients

Batch = dict[str, jax.Array]


class State(NamedTuple):
    """All that training changes.

    Attributes:
        params: the network's parameters.
        opt_state: of the optimizer.
        intervention: the intervention's state.
        record: what measurements have found dormant so far, for the overlaps.
    """

    params: graph_lib.Params
    opt_state: optax.OptState
    intervention: Any
    record: DormancyRecord


class Result(NamedTuple):
    """What an update tells of its batch, as it was before the update.

    Attributes:
        loss: mean cross-entropy, in nats.
        accuracy: share of the images that were classified right.
    """

    loss: jax.Array
    accuracy: jax.Array


class Observer(NamedTuple):
    """Looks at a network on images of an intervention's own choice."""

    params: graph_lib.Params
    problem: "Classification"
    labels: jax.Array
    rng: np.random.Generator

    def activations(self, batch_size: int) -> Activations:
        """Post-activation outputs [B, ..., N] per layer."""
        batch = self.problem.draw(self.labels, batch_size, self.rng)
        return self.problem.collect(self.params, batch["state"])

    def loss_gradients(self, batch_size: int) -> Activations:
        """Gradients of each image's loss in them [B, ..., N] per layer."""
        batch = self.problem.draw(self.labels, batch_size, self.rng)
        return self.problem.loss_gradients(self.params, batch)


class Classification:
    """Images to classify, and all that is done to a network on the way.

    Args:
        network: takes one image, gives logits; has a `graph(image_shape)`.
        inputs: standardised images [N, H, W, C], float32.
        optimizer: an optax transformation.
        intervention: what to do against lost plasticity, such as `redo()`.
        taus: thresholds to measure dormancy at.

    Raises:
        ValueError: a threshold out of its range, or a graph that does not fit.
    """

    def __init__(
        self,
        network: Any,
        inputs: np.ndarray,
        optimizer: optax.GradientTransformation,
        intervention: InterventionFactory,
        taus: Sequence[float],
    ):
        for tau in taus:
            masks.validate_threshold(tau)
        self._inputs = jnp.asarray(inputs)
        self._optimizer = optimizer
        self._taus = tuple(float(tau) for tau in taus)
        self._graph = network.graph(inputs.shape[1:3])
        blank = np.zeros(inputs.shape[1:], np.float32)
        self._draw_params = jax.jit(lambda key: network.init(key, blank))
        self._intervention = intervention(self._graph, self._draw_params, optimizer)

        def result(params: graph_lib.Params, batch: Batch) -> Result:
            logits = jax.vmap(lambda x: network.apply(params, x))(batch["state"])
            losses = optax.softmax_cross_entropy_with_integer_labels(
                logits, batch["label"]
            )
            right = jnp.argmax(logits, axis=-1) == batch["label"]
            return Result(jnp.mean(losses), jnp.mean(right))

        def loss(params: graph_lib.Params, batch: Batch) -> jax.Array:
            return result(params, batch).loss

        def loss_and_result(params: Any, batch: Batch) -> tuple[jax.Array, Result]:
            found = result(params, batch)
            return found.loss, found

        def update(params, opt_state, inputs, labels, index):
            batch = {"state": inputs[index], "label": labels[index]}
            gradient = jax.grad(loss_and_result, has_aux=True)
            grads, found = gradient(params, batch)
            updates, opt_state = optimizer.update(grads, opt_state, params)
            return optax.apply_updates(params, updates), opt_state, found

        def of_layers(found: Activations) -> dict[str, jax.Array]:
            return {layer.name: found[layer.name] for layer in self._graph.layers}

        def measure(params, states, record):
            found = of_layers(collect(network.apply, params, states))
            return measure_dormancy(found, self._taus, record)

        # The old parameters and moments are donated: memory for the new ones.
        self._update = jax.jit(update, donate_argnums=(0, 1))
        self._measure = jax.jit(measure)
        self._intervene = jax.jit(self._intervention.apply, donate_argnums=(1, 2))
        constrain = self._intervention.constrain
        self._constrain = constrain and jax.jit(constrain)
        self.collect = jax.jit(lambda p, x: of_layers(collect(network.apply, p, x)))
        self.loss_gradients = jax.jit(
            lambda p, batch: of_layers(loss_gradients(network.apply, loss, p, batch))
        )

    def init(self, key: jax.Array) -> State:
        """The state that training starts with.

        Raises:
            ValueError: the network's graph does not fit its parameters.
        """
        params = self._draw_params(key)
        graph_lib.validate(self._graph, params)
        weights = graph_lib.leaves_by_path(params)
        widths = {x.name: weights[x.kernel].shape[-1] for x in self._graph.layers}
        return State(
            params,
            self._optimizer.init(params),
            self._intervention.init(params),
            no_record(widths, self._taus),
        )

    def draw(
        self, labels: jax.Array, batch_size: int, rng: np.random.Generator
    ) -> Batch:
        """Images [B, H, W, C] and labels [B], drawn with replacement."""
        index = rng.integers(len(self._inputs), size=batch_size)
        return {"state": self._inputs[index], "label": labels[index]}

    def update(
        self, state: State, labels: jax.Array, index: np.ndarray
    ) -> tuple[State, Result]:
        """One gradient update on some of the images.

        Args:
            state: of which parameters and optimizer state are donated.
            labels: of all images [N].
            index: which images [B].
        """
        params, opt_state, found = self._update(
            state.params, state.opt_state, self._inputs, labels, index
        )
        if self._constrain is not None:
            held = self._constrain(params, opt_state, state.intervention)
            params, opt_state = held
        return state._replace(params=params, opt_state=opt_state), found

    def measure(self, state: State, index: np.ndarray) -> tuple[State, Measured]:
        """Dormant fractions and overlaps on some of the images [B]."""
        found, record = self._measure(state.params, self._inputs[index], state.record)
        return state._replace(record=record), found

    def acts_at(self, gradient_step: int) -> bool:
        """Whether the intervention does anything after that many updates."""
        return bool(self._intervention.schedule(gradient_step))

    def intervene(
        self,
        state: State,
        labels: jax.Array,
        gradient_step: int,
        key: jax.Array,
        rng: np.random.Generator,
    ) -> tuple[State, Measured]:
        """Do what the intervention does at a step that it `acts_at`.

        Args:
            state: of which parameters and optimizer state are donated.
            labels: of all images [N].
            gradient_step: updates made so far.
            key: for fresh weights.
            rng: for the images that neurons are scored on.

        Returns:
            The state, and the intervention's metrics.
        """
        seen = self._intervention.observe(Observer(state.params, self, labels, rng))
        params, opt_state, own, found = self._intervene(
            key,
            state.params,
            state.opt_state,
            state.intervention,
            seen,
            jnp.int32(gradient_step),
        )
        return State(params, opt_state, own, state.record), found
