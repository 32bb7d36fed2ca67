"""The one way in which activations leave a network."""

from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
from flax.traverse_util import flatten_dict

# flax leaves this collection out of what `init` returns, so that recording does
# not change the parameter tree.
_COLLECTION = "intermediates"
# A submodule may have the layer's name; the tag keeps the two apart.
_TAG = "activation:"


def record(module: nn.Module, layer: str, activation: jax.Array) -> jax.Array:
    """Offer a layer's post-activation output under the layer's name.

    Args:
        module: the module that is being called.
        layer: name of the `Layer` in the module's graph.
        activation: the output, [..., N].

    Returns:
        The output itself, so that a call can stand inside an expression.
    """
    module.sow(
        _COLLECTION,
        _TAG + layer,
        activation,
        init_fn=lambda: None,
        reduce_fn=lambda _, latest: latest,
    )
    return activation


def collect(
    apply: Callable[..., Any], params: Any, states: jax.Array
) -> Mapping[str, jax.Array]:
    """Recorded activations of a network for a batch of states.

    Args:
        apply: `network.apply` of a module that takes one state.
        params: the tree that `network.init` returned.
        states: a batch of network inputs [B, ...].

    Returns:
        Activations [B, ..., N] per layer name. A layer that a submodule recorded
        has the submodule's name in front: `Stack_0/Conv_1`.
    """

    def one_state(state: jax.Array) -> Mapping[str, jax.Array]:
        _, variables = apply(params, state, mutable=[_COLLECTION])
        recorded = flatten_dict(variables.get(_COLLECTION, {}), sep="/")
        return {k.replace(_TAG, ""): v for k, v in recorded.items() if _TAG in k}

    return jax.vmap(one_state)(states)
