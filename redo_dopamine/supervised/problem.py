"""A network that fits targets, is looked at and intervened on: compiled functions.

What comes in: a network, fixed inputs, and targets that may change. What leaves: a
state that is one pytree, and metrics by name.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from redo_dopamine.core import graph as graph_lib
from redo_dopamine.core import masks
from redo_dopamine.core.interventions import Activations, InterventionFactory
from redo_dopamine.core.jit import compiled
from redo_dopamine.core.metrics.base import Measured
from redo_dopamine.core.metrics.dormancy import (
    DormancyRecord,
    dormant_fractions,
    dormant_fractions_after,
    measure_dormancy,
    no_record,
)
from redo_dopamine.core.optimizers import begin_again
from redo_dopamine.networks.capture import collect, loss_gradients

Batch = dict[str, jax.Array]
# Of outputs and targets, both [B, ...], what a batch tells: scalars by name, among them
# `loss`, which is what the updates descend.
Objective = Callable[[Any, jax.Array], Mapping[str, jax.Array]]


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


class Observer(NamedTuple):
    """Looks at a network on inputs of an intervention's own choice."""

    params: graph_lib.Params
    problem: "Problem"
    targets: jax.Array
    rng: np.random.Generator

    def activations(self, batch_size: int) -> Activations:
        """Post-activation outputs [B, ..., N] per layer."""
        batch = self.problem.draw(self.targets, batch_size, self.rng)
        return self.problem.collect(self.params, batch["state"])

    def loss_gradients(self, batch_size: int) -> Activations:
        """Gradients of each example's loss in them [B, ..., N] per layer."""
        batch = self.problem.draw(self.targets, batch_size, self.rng)
        return self.problem.loss_gradients(self.params, batch)


class Problem:
    """Inputs with targets, and all that is done to a network on the way.

    Args:
        network: takes one input; has a `graph(input_shape)`, of height and width.
        inputs: as the network takes them [N, H, W, C].
        objective: what a batch's outputs are worth.
        optimizer: an optax transformation; one that wants a `value_fn` is given the
            batch's loss, as a function of parameters.
        intervention: what to do against lost plasticity, such as `redo()`.
        taus: thresholds to measure dormancy at.

    Raises:
        ValueError: a threshold out of its range, or a graph that does not fit.
    """

    def __init__(
        self,
        network: Any,
        inputs: np.ndarray,
        objective: Objective,
        optimizer: optax.GradientTransformation,
        intervention: InterventionFactory,
        taus: Sequence[float],
    ):
        for tau in taus:
            masks.validate_threshold(tau)
        self._inputs = jnp.asarray(inputs)
        optimizer = optax.with_extra_args_support(optimizer)
        self._optimizer = optimizer
        self._taus = tuple(float(tau) for tau in taus)
        self._graph = network.graph(inputs.shape[1:3])
        blank = np.zeros(inputs.shape[1:], inputs.dtype)
        self.draw_params = compiled(lambda key: network.init(key, blank))
        self._intervention = intervention(self._graph, self.draw_params, optimizer)

        def result(params: graph_lib.Params, batch: Batch) -> Mapping[str, jax.Array]:
            outputs = jax.vmap(lambda x: network.apply(params, x))(batch["state"])
            return objective(outputs, batch["target"])

        def loss(params: graph_lib.Params, batch: Batch) -> jax.Array:
            return result(params, batch)["loss"]

        def loss_and_result(params: Any, batch: Batch) -> Any:
            found = result(params, batch)
            return found["loss"], found

        def update(params, opt_state, inputs, targets, index):
            batch = {"state": inputs[index], "target": targets[index]}
            gradient = jax.grad(loss_and_result, has_aux=True)
            grads, found = gradient(params, batch)
            updates, opt_state = optimizer.update(
                grads, opt_state, params, value_fn=lambda params: loss(params, batch)
            )
            return optax.apply_updates(params, updates), opt_state, found

        def of_layers(found: Activations) -> dict[str, jax.Array]:
            return graph_lib.of_layers(self._graph.layers, found)

        def activations(params, states):
            return of_layers(collect(network.apply, params, states))

        def measure(params, states, record):
            return measure_dormancy(activations(params, states), self._taus, record)

        # The old parameters and moments are donated: memory for the new ones.
        self._update = compiled(update, donate_argnums=(0, 1))
        self._measure = compiled(measure)
        self._before, self._after = (
            compiled(lambda p, x, take=take: take(activations(p, x), self._taus))
            for take in (dormant_fractions, dormant_fractions_after)
        )
        self._intervene = compiled(self._intervention.apply, donate_argnums=(1, 2))
        constrain = self._intervention.constrain
        self._constrain = constrain and compiled(constrain)
        self.collect = compiled(activations)
        self.loss_gradients = compiled(
            lambda p, batch: of_layers(loss_gradients(network.apply, loss, p, batch))
        )

    def init(self, params: graph_lib.Params) -> State:
        """The state that training starts with.

        Args:
            params: such as `draw_params(key)`; donated by the first update.

        Raises:
            ValueError: the network's graph does not fit them.
        """
        graph_lib.validate(self._graph, params)
        weights = graph_lib.leaves_by_path(params)
        widths = {x.name: weights[x.kernel].shape[-1] for x in self._graph.layers}
        return State(
            params,
            self._optimizer.init(params),
            self._intervention.init(params),
            no_record(widths, self._taus),
        )

    def begin_again(self, state: State, params: graph_lib.Params) -> State:
        """The state at a new task: other parameters, and an optimizer without moments.

        Args:
            state: at the end of the task before.
            params: to go on from; donated by the next update.
        """
        opt_state = begin_again(self._optimizer, state.opt_state, params)
        return state._replace(params=params, opt_state=opt_state)

    def draw(
        self, targets: jax.Array, batch_size: int, rng: np.random.Generator
    ) -> Batch:
        """Inputs [B, H, W, C] and targets [B, ...], drawn with replacement."""
        index = rng.integers(len(self._inputs), size=batch_size)
        return {"state": self._inputs[index], "target": targets[index]}

    def update(
        self, state: State, targets: jax.Array, index: np.ndarray
    ) -> tuple[State, Mapping[str, jax.Array]]:
        """One gradient update on some of the inputs.

        Args:
            state: of which parameters and optimizer state are donated.
            targets: of all inputs [N, ...].
            index: which inputs [B].

        Returns:
            The state, and what the objective says of the batch before the update.
        """
        params, opt_state, found = self._update(
            state.params, state.opt_state, self._inputs, targets, index
        )
        if self._constrain is not None:
            held = self._constrain(params, opt_state, state.intervention)
            params, opt_state = held
        return state._replace(params=params, opt_state=opt_state), found

    def measure(self, state: State, index: np.ndarray) -> tuple[State, Measured]:
        """Dormant fractions and overlaps on some of the inputs [B]."""
        found, record = self._measure(state.params, self._inputs[index], state.record)
        return state._replace(record=record), found

    def measure_before(self, state: State, index: np.ndarray) -> Measured:
        """Dormant fractions just before an intervention on some of the inputs [B]."""
        return self._before(state.params, self._inputs[index])

    def measure_after(self, state: State, index: np.ndarray) -> Measured:
        """Dormant fractions just after an intervention on the same inputs [B]."""
        return self._after(state.params, self._inputs[index])

    def acts_at(self, gradient_step: int) -> bool:
        """Whether the intervention does anything after that many updates."""
        return bool(self._intervention.schedule(gradient_step))

    def intervene(
        self,
        state: State,
        targets: jax.Array,
        gradient_step: int,
        key: jax.Array,
        rng: np.random.Generator,
    ) -> tuple[State, Measured]:
        """Do what the intervention does at a step that it `acts_at`.

        Args:
            state: of which parameters and optimizer state are donated.
            targets: of all inputs [N, ...].
            gradient_step: updates made so far.
            key: for fresh weights.
            rng: for the inputs that neurons are scored on.

        Returns:
            The state, and the intervention's metrics.
        """
        seen = self._intervention.observe(Observer(state.params, self, targets, rng))
        params, opt_state, own, found = self._intervene(
            key,
            state.params,
            state.opt_state,
            state.intervention,
            seen,
            jnp.int32(gradient_step),
        )
        return State(params, opt_state, own, state.record), found
