"""A network as it is watched: its layers, their activations, and gradients in them.

There are two ways to come by activations: the network records them, as its graph
declares, or they are read off its traced program. Nothing else tells the two apart.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp

from redo_dopamine.core import graph as graph_lib
from redo_dopamine.core.graph import NetworkGraph, Params, of_layers
from redo_dopamine.core.interventions import Activations
from redo_dopamine.networks import capture
from redo_dopamine.plasticity.learner import Batch, Loss
from redo_dopamine.tracing.traced import TracedNetwork


class Watched(Protocol):
    """A network, apart from its parameters."""

    @property
    def apply(self) -> Callable[..., Any]:
        """`(params, input) -> output` of the network for one input."""

    @property
    def graph(self) -> NetworkGraph:
        """Its layers."""

    def widths(self, params: Params, example: Any) -> dict[str, int]:
        """Neurons per layer, after a check that each can be looked at.

        Args:
            params: the network's parameters.
            example: one input, for shapes only.

        Raises:
            ValueError: a layer that cannot.
        """

    def activations(self, params: Params, inputs: Any) -> Activations:
        """Post-activation outputs [B, ..., N] per layer."""

    def loss_gradients(
        self,
        loss: Loss,
        inputs: Callable[[Batch], Any],
        params: Params,
        target_params: Params,
        batch: Batch,
    ) -> Activations:
        """Gradients of each example's loss in them [B, ..., N] per layer.

        Args:
            loss: scalar of `(params, target_params, batch)`.
            inputs: what the network takes of a batch.
            params: the network's parameters.
            target_params: of the target network.
            batch: arrays [B, ...].
        """


class Recorded(NamedTuple):
    """A network that records its activations under the names of its graph.

    Attributes:
        apply: `network.apply` of a flax module for one input.
        graph: its layers.
    """

    apply: Callable[..., Any]
    graph: NetworkGraph

    def widths(self, params: Params, example: Any) -> dict[str, int]:
        """See `Watched`."""
        if not self.graph.layers:
            return {}
        inputs = jax.tree.map(lambda x: jnp.asarray(x)[None], example)
        shapes = jax.eval_shape(
            lambda p, x: capture.collect(self.apply, p, x), params, inputs
        )
        widths = graph_lib.widths(self.graph, params)
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

    def activations(self, params: Params, inputs: Any) -> Activations:
        """See `Watched`."""
        recorded = capture.collect(self.apply, params, inputs)
        return of_layers(self.graph.layers, recorded)

    def loss_gradients(
        self,
        loss: Loss,
        inputs: Callable[[Batch], Any],
        params: Params,
        target_params: Params,
        batch: Batch,
    ) -> Activations:
        """See `Watched`."""
        found = capture.loss_gradients(
            self.apply,
            lambda p, b: loss(p, target_params, b),
            params,
            batch,
            inputs,
        )
        return of_layers(self.graph.layers, found)


class Traced(NamedTuple):
    """A network whose graph and activations are derived from its program.

    Attributes:
        apply: `(params, input) -> output` for one input.
        network: what `trace_network` returned.
    """

    apply: Callable[..., Any]
    network: TracedNetwork

    @property
    def graph(self) -> NetworkGraph:
        """See `Watched`."""
        return self.network.graph

    def widths(self, params: Params, example: Any) -> dict[str, int]:
        """See `Watched`."""
        del example
        return graph_lib.widths(self.graph, params)

    def activations(self, params: Params, inputs: Any) -> Activations:
        """See `Watched`."""
        return self.network.collect(params, inputs)

    def loss_gradients(
        self,
        loss: Loss,
        inputs: Callable[[Batch], Any],
        params: Params,
        target_params: Params,
        batch: Batch,
    ) -> Activations:
        """See `Watched`; what the network takes shows in the loss itself."""
        del inputs

        def of_example(params: Params, example: Batch) -> jax.Array:
            alone = jax.tree.map(lambda x: x[None], example)
            return loss(params, target_params, alone)

        return self.network.loss_gradients(of_example, params, batch)


def watched(apply: Callable[..., Any], graph: NetworkGraph | TracedNetwork) -> Watched:
    """The network of a graph that it declares, or that was derived from it.

    Args:
        apply: `(params, input) -> output` for one input.
        graph: its layers, or what `trace_network` returned.
    """
    if isinstance(graph, TracedNetwork):
        return Traced(apply, graph)
    return Recorded(apply, graph)
