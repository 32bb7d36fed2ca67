"""The one way in which activations leave a network."""

import functools
import operator
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.errors import FlaxError
from flax.traverse_util import flatten_dict, unflatten_dict

from redo_dopamine.core.checks import first_line, layer_name

# flax leaves this collection out of what `init` returns, so that recording does
# not change the parameter tree.
_COLLECTION = "intermediates"
# A submodule may have the layer's name; the tag keeps the two apart.
_TAG = "activation:"
# What is added to recorded activations, where a caller of `apply` gives it.
_PERTURBATIONS = "perturbations"


def record(module: nn.Module, layer: str, activation: jax.Array) -> jax.Array:
    """Offer a layer's post-activation output under the layer's name.

    Args:
        module: the module that is being called.
        layer: name of the `Layer` in the module's graph.
        activation: the output, [..., N].

    Raises:
        ValueError: the layer has been recorded in this call already, or its name
            cannot name one.

    Returns:
        The output, which the rest of the network must read. It is the same array,
        but for `loss_gradients`, which adds to it what it differentiates by.
    """
    name = _TAG + layer_name(layer)
    if module.has_variable(_PERTURBATIONS, name):
        activation = activation + module.get_variable(_PERTURBATIONS, name)
    module.sow(
        _COLLECTION,
        name,
        activation,
        init_fn=lambda: None,
        reduce_fn=functools.partial(_once, layer),
    )
    return activation


def _once(layer: str, before: Any, now: jax.Array) -> jax.Array:
    if before is not None:
        raise ValueError(
            f"A layer must be recorded once in a call of a network, but {layer!r} is "
            "recorded again. Give every layer its own name; a module that is called "
            "twice has two layers."
        )
    return now


def collect(
    apply: Callable[..., Any], params: Any, states: Any
) -> Mapping[str, jax.Array]:
    """Recorded activations of a network for a batch of states.

    Args:
        apply: `network.apply` of a module that takes one state.
        params: the tree that `network.init` returned.
        states: a batch of network inputs, arrays [B, ...].

    Returns:
        Activations [B, ..., N] per layer name. A layer that a submodule recorded
        has the submodule's name in front: `Stack_0/Conv_1`.

    Raises:
        ValueError: the network records nothing, or the states are no batch.
    """
    _require_batch(states)

    def one_state(state: Any) -> Mapping[str, jax.Array]:
        return _by_layer(_recorded(apply, params, state))

    try:
        recorded = jax.vmap(one_state)(states)
    except (IndexError, TypeError, FlaxError) as error:
        raise ValueError(
            "states must be a batch [B, ...] of what the network takes, but it fails "
            f"on one state of shape {[x.shape[1:] for x in jax.tree.leaves(states)]}: "
            f"{first_line(error)}. A single state x is the batch x[None]."
        ) from error
    if not recorded:
        raise ValueError(
            "A network must record its activations, but this one recorded none. Call "
            "record(self, layer, activation) after each layer's activation function."
        )
    return recorded


def _require_batch(states: Any) -> None:
    shapes = {jnp.shape(x) for x in jax.tree.leaves(states)}
    sizes = {x[0] if x else 0 for x in shapes}
    if len(sizes) != 1 or 0 in sizes:
        raise ValueError(
            "states must be arrays [B, ...] of one batch, B >= 1, but their shapes "
            f"are {sorted(shapes)}. A single state x is the batch x[None]."
        )


def loss_gradients(
    apply: Callable[..., Any],
    loss: Callable[[Any, Any], jax.Array],
    params: Any,
    batch: Mapping[str, jax.Array],
    inputs: Callable[[Mapping[str, jax.Array]], Any] = operator.itemgetter("state"),
) -> Mapping[str, jax.Array]:
    r"""Gradient of the loss of each example in each recorded activation.

    .. math:: \partial L(x) / \partial h_i(x)

    Args:
        apply: `network.apply` of a module that takes one input.
        loss: scalar of `(params, batch)`, built on `apply`.
        params: the tree that `network.init` returned.
        batch: arrays [B, ...].
        inputs: what the module takes of an example; `state` without it.

    Returns:
        Gradients [B, ..., N] per layer name, as `collect` gives activations.
    """

    def one_example(example: Mapping[str, jax.Array]) -> Mapping[str, jax.Array]:
        shapes = jax.eval_shape(lambda: _recorded(apply, params, inputs(example)))
        zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
        alone = jax.tree.map(lambda x: x[None], example)
        gradient = jax.grad(lambda x: loss({**params, _PERTURBATIONS: x}, alone))(zeros)
        return _by_layer(gradient)

    return jax.vmap(one_example)(batch)


def _recorded(apply: Callable[..., Any], params: Any, state: Any) -> Any:
    """The recorded activations of one state, nested by module."""
    _, variables = apply(params, state, mutable=[_COLLECTION])
    recorded = flatten_dict(variables.get(_COLLECTION, {}))
    return unflatten_dict({k: v for k, v in recorded.items() if _TAG in k[-1]})


def _by_layer(recorded: Any) -> Mapping[str, jax.Array]:
    by_layer: dict[str, jax.Array] = {}
    for path, activation in flatten_dict(recorded, sep="/").items():
        layer = path.replace(_TAG, "")
        by_layer[layer] = _once(layer, by_layer.get(layer), activation)
    return by_layer
