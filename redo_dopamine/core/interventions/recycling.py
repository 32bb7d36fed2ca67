"""What the interventions that recycle neurons share: they differ in the choice."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from redo_dopamine.core import scores
from redo_dopamine.core.checks import call
from redo_dopamine.core.graph import (
    Layer,
    NetworkGraph,
    Params,
    Path,
    leaf_path,
    leaves_by_path,
    of_layers,
    shapes_by_path,
)
from redo_dopamine.core.interventions.base import (
    NOT_FINITE,
    Activations,
    Applied,
    DrawParams,
    Intervention,
    InterventionFactory,
    Observe,
    State,
    require_bound,
    require_recyclable,
)
from redo_dopamine.core.layer import Indexed
from redo_dopamine.core.moments import validate_optimizer
from redo_dopamine.core.neuron_index import (
    NeuronIndex,
    spread,
    sum_by_neuron,
)
from redo_dopamine.core.recycle import recycle
from redo_dopamine.core.schedules import Schedule, Step

# Of the graph, masks [N] per layer, current parameters and newly drawn ones.
Incoming = Callable[[NetworkGraph, Mapping[str, jax.Array], Params, Params], Params]


def as_drawn(
    graph: NetworkGraph,
    masks: Mapping[str, jax.Array],
    params: Params,
    fresh_params: Params,
) -> Params:
    """What the layer's initializer gives (Sokar et al., ICML 2023, Algorithm 1)."""
    del graph, masks, params
    return fresh_params


def live_norm(
    graph: NetworkGraph,
    masks: Mapping[str, jax.Array],
    params: Params,
    fresh_params: Params,
) -> Params:
    r"""What the initializer gives, as long as the live neurons' weights are on average.

    .. math:: w_i \leftarrow w_i \, \frac{\frac{1}{|L|} \sum_{k \in L} \|W_{\cdot k}\|}
              {\|w_i\|}

    where w_i is a newly drawn column of incoming weights, W the weights now, and L the
    neurons of the layer that are not recycled; where there is none, w_i stays. Beside
    weights that have grown, a neuron as small as at the start has a low score and is
    dormant again at once. This project's own; no paper has it.

    Args:
        graph: the network's layers.
        masks: which neurons are recycled [N], per layer.
        params: current parameters.
        fresh_params: newly drawn ones.
    """
    current = leaves_by_path(params)
    kernels: dict[Path, list[tuple[NeuronIndex, jax.Array]]] = {}
    for layer in graph.recyclable_layers:
        if layer.name in masks:
            for path, index, is_kernel in layer.fed_by(shapes_by_path(params)):
                if is_kernel:
                    kernels.setdefault(path, []).append((index, masks[layer.name]))

    def rescale(key_path: Any, fresh: jax.Array) -> jax.Array:
        path = leaf_path(key_path)
        for index, recycled in kernels.get(path, ()):
            lengths = _lengths(fresh, index, recycled.size)
            live = ~recycled
            now = _lengths(current[path], index, recycled.size)
            mean = jnp.sum(now * live) / jnp.maximum(jnp.sum(live), 1)
            usable = (lengths > 0) & jnp.any(live)
            factor = jnp.where(usable, mean / jnp.where(lengths > 0, lengths, 1), 1)
            fresh = fresh * spread(factor.astype(fresh.dtype), index, fill=1)
        return fresh

    return jax.tree_util.tree_map_with_path(rescale, fresh_params)


def _lengths(kernel: jax.Array, index: NeuronIndex, num_neurons: int) -> jax.Array:
    """L2 norms [N] of the entries of each neuron."""
    return jnp.sqrt(sum_by_neuron(kernel * kernel, index, num_neurons))


class View(NamedTuple):
    """What a choice of neurons may depend on.

    Attributes:
        layer: the layer to choose in.
        activation: what was observed of it, [B, ..., N].
        params: the network's parameters.
        step: gradient updates made so far.
        key: a random key of this layer and step alone.
        memory: what the last choice in this layer remembered.
    """

    layer: Layer
    activation: jax.Array
    params: Params
    step: Step
    key: jax.Array
    memory: State = ()


class Choice(NamedTuple):
    """Which neurons of a layer to recycle.

    Attributes:
        mask: booleans [N].
        metrics: what to log beside their number; `/<layer>` is added to the names.
        memory: for the next choice in this layer, a pytree of arrays.
    """

    mask: jax.Array
    metrics: dict[str, jax.Array]
    memory: State = ()


def recycling(
    choose: Callable[[View], Choice],
    schedule: Schedule,
    observe: Observe,
    incoming: Incoming = as_drawn,
    remember: Callable[[int], State] | None = None,
) -> InterventionFactory:
    """Recycle chosen neurons of every recyclable layer.

    Args:
        choose: the neurons of one layer.
        schedule: when.
        observe: what to look at for the choice.
        incoming: what newly drawn incoming weights become.
        remember: the first memory of a layer of so many neurons; None for no memory.
            A layer that could not be scored keeps the memory that it had.

    Returns:
        A function `(graph, draw_params, optimizer) -> Intervention`, where
        `draw_params(key)` draws a new parameter tree (`network.init`). Its metrics
        are `recycled/<layer>`, how many neurons were recycled, and the choice's; and
        `not_finite/<layer>`, which is 0 but where the layer could not be scored and so
        nothing of it was recycled. Its `init` raises a ValueError if the optimizer
        does not keep its moments weight by weight (`moments`).
    """

    def build(
        graph: NetworkGraph,
        draw_params: DrawParams,
        optimizer: optax.GradientTransformation,
    ) -> Intervention:
        require_bound(graph, draw_params, optimizer)
        require_recyclable(graph)

        def apply(
            key: jax.Array,
            params: Params,
            opt_state: optax.OptState,
            state: State,
            activations: Activations,
            step: Step,
        ) -> Applied:
            due = schedule(step)
            chosen, metrics, memories = {}, {}, {}
            activations = of_layers(graph.recyclable_layers, activations)
            for index, layer in enumerate(graph.recyclable_layers):
                own_key = jax.random.fold_in(key, index)
                activation = activations[layer.name]
                memory = state[layer.name] if remember else ()
                found = choose(View(layer, activation, params, step, own_key, memory))
                not_finite = scores.not_finite(activation)
                acts = due & (not_finite == 0)
                mask = found.mask & acts
                memories[layer.name] = jax.tree.map(
                    functools.partial(jnp.where, acts), found.memory, memory
                )
                chosen[layer.name] = mask
                metrics[f"recycled/{layer.name}"] = jnp.sum(mask)
                metrics[f"{NOT_FINITE}/{layer.name}"] = not_finite
                for name, value in found.metrics.items():
                    metrics[f"{name}/{layer.name}"] = value
            fresh = call(
                "incoming",
                incoming,
                *(graph, chosen, params, draw_params(key)),
                of="(graph, masks, params, fresh_params)",
            )
            params, opt_state = recycle(
                graph, chosen, params, fresh, opt_state, optimizer
            )
            return params, opt_state, memories if remember else state, metrics

        def init(params: Params) -> State:
            validate_optimizer(optimizer, params)
            if remember is None:
                return ()
            shapes = shapes_by_path(params)
            return {
                layer.name: remember(layer.width(shapes))
                for layer in graph.recyclable_layers
            }

        return Intervention(init, apply, schedule, observe)

    return build


# What is kept longest has the highest number, [N].
Selection = Callable[[View], jax.Array]


def lowest_score(view: View) -> jax.Array:
    """The least active neurons, by dormancy score.

    Args:
        view: a layer and what was observed of it.

    Returns:
        Numbers [N]; the neurons with the lowest are recycled.
    """
    return scores.dormancy_score(view.activation)


def highest_score(view: View) -> jax.Array:
    """The most active neurons: a control that is meant to do harm.

    Args:
        view: a layer and what was observed of it.

    Returns:
        Numbers [N]; the neurons with the lowest are recycled.
    """
    return -scores.dormancy_score(view.activation)


def at_random(view: View) -> jax.Array:
    """Neurons drawn without replacement, again at each recycle.

    Args:
        view: a layer, for its width and its key.

    Returns:
        Numbers [N]; the neurons with the lowest are recycled.
    """
    return jax.random.uniform(view.key, view.activation.shape[-1:])


def lowest_utility(view: View) -> jax.Array:
    """The least useful neurons by the measure of continual backprop.

    See `scores.utility`. A neuron that was just recycled has outgoing weights of
    zero and so the least utility of all; continual backprop spares young neurons,
    the comparison of Sokar et al. (ICML 2023) is taken not to, nor does this.

    Args:
        view: a layer, what was observed of it, and its weights.

    Returns:
        Numbers [N]; the neurons with the lowest are recycled.
    """
    fed_by = view.layer.fed_by(shapes_by_path(view.params))
    return scores.utility_of_sums(
        view.activation, _magnitudes(view, fed_by), outgoing_magnitudes(view)
    )


def outgoing_magnitudes(view: View) -> jax.Array:
    """Sums [N] of the magnitudes of the weights that read each neuron of a layer."""
    return _magnitudes(view, view.layer.read_by(shapes_by_path(view.params)))


def _magnitudes(view: View, of: tuple[Indexed, ...]) -> Any:
    weights = leaves_by_path(view.params)
    width = view.activation.shape[-1]
    return sum(
        sum_by_neuron(jnp.abs(weights[path]), index, width)
        for path, index, is_kernel in of
        if is_kernel
    )
