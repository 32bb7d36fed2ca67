"""What is known of a network: by its own `graph()`, or by its trace.

The one place where a network becomes layers. What a module declares is checked
against the trace; of a module that declares nothing, the trace is all there is.
"""

import contextlib
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
import optax

from redo_dopamine.core.checks import SettingError, first_line
from redo_dopamine.core.graph import NetworkGraph, Params
from redo_dopamine.core.interventions import Intervention, InterventionFactory
from redo_dopamine.plasticity import rehearsal
from redo_dopamine.plasticity.learner import Batch
from redo_dopamine.tracing.layers import Declined
from redo_dopamine.tracing.network import first_few
from redo_dopamine.tracing.traced import TracedNetwork, check_graph, trace_network
from redo_dopamine.tracing.verify import NotFiniteError

_NAMES_SHOWN = 3
_SEED = 0  # Of the inputs that a network is verified on.


_WITHOUT = "Correct its graph(), or leave it out: the layers are derived then."


class TrackedNetwork(NamedTuple):
    """A network as tracking and interventions see it.

    Attributes:
        apply: `(params, input) -> output` for one input.
        declared: its layers, if it declares them (`declared_graph`).
        draw_params: new parameters from a key.
        example: one input, for shapes and types only.
        inputs: what the network takes of a batch.
    """

    apply: Callable[..., Any]
    declared: NetworkGraph | None
    draw_params: Callable[[jax.Array], Params]
    example: Any
    inputs: Callable[[Batch], Any] = operator.itemgetter("state")


class Known(NamedTuple):
    """What is known of a network.

    Attributes:
        layers: its declared graph, or its trace; an empty graph where there is
            neither.
        notes: what is not recycled and why, a sentence each.
    """

    layers: NetworkGraph | TracedNetwork
    notes: tuple[str, ...] = ()

    @property
    def graph(self) -> NetworkGraph:
        """The layers."""
        known = self.layers
        return known.graph if isinstance(known, TracedNetwork) else known

    def bound(
        self,
        factory: InterventionFactory,
        draw_params: Callable[[jax.Array], Params],
        optimizer: optax.GradientTransformation,
    ) -> Intervention:
        """An intervention on this network.

        Raises:
            SettingError: it needs neurons to recycle, and there are none.
        """
        try:
            return factory(self.graph, draw_params, optimizer)
        except ValueError as error:
            if self.graph.recyclable_layers:
                raise
            why = " ".join(self.notes) or str(error)
            raise SettingError(
                "intervention must have neurons that it can recycle, but this network "
                f"has none. {why} Use @none(), or another network."
            ) from error

    def taus(
        self, taus: Sequence[float], metrics: Sequence[Any], **_: Any
    ) -> Sequence[float]:
        """The thresholds of tracking: of a network without layers none.

        Raises:
            SettingError: there are metrics of layers that there are not.
        """
        if self.graph.layers:
            return taus
        if metrics:
            raise SettingError(
                "metrics must be of layers, but of this network none is known. "
                f"{' '.join(self.notes)} Leave them out."
            )
        return ()


def declared_graph(network: Any, *arguments: Any) -> NetworkGraph | None:
    """What a module says of its own layers; None if nothing.

    Args:
        network: the module.
        *arguments: what its `graph` takes.

    Raises:
        SettingError: its `graph` fails.
    """
    declare = getattr(network, "graph", None)
    if not callable(declare):
        return None
    with rehearsal.of("network", "give its layers by graph()", _WITHOUT):
        return declare(*arguments)


def known_layers(network: TrackedNetwork, params: Params) -> Known:
    """The layers of a network, verified on numbers.

    Args:
        network: whose they are.
        params: its parameters.

    Raises:
        SettingError: the declared graph is not that of the network.
    """
    apply, declared = network.apply, network.declared
    inputs = _drawn_like(network.example)
    if declared is None:
        return _derived(apply, params, inputs)
    with (
        rehearsal.of("network", "have the graph that it declares", _WITHOUT),
        # Where nothing finite comes out, the program alone is compared.
        contextlib.suppress(NotFiniteError),
    ):
        check_graph(declared, apply, params, inputs)
    return Known(declared)


def _derived(apply: Callable[..., Any], params: Params, inputs: Any) -> Known:
    try:
        traced = trace_network(apply, params, inputs)
    # A program may be anything: one that cannot be followed can be trained.
    except Exception as error:
        why = f"No layer of the network is known ({first_line(error)})."
        return Known(NetworkGraph(()), (why,))
    if not traced.graph.layers:
        return Known(traced, ("The network has no hidden layer that is known.",))
    try:
        traced.verify(params, inputs, whole=False)
    except NotFiniteError as error:
        return Known(traced, (f"Its layers could not be verified: {error}",))
    except ValueError as error:
        layers = tuple(x._replace(recyclable=False) for x in traced.graph.layers)
        traced.graph = traced.graph._replace(layers=layers)
        return Known(traced, (f"No layer is recycled. {error}",))
    return Known(traced, tuple(_in_brief(traced.declined)))


def _in_brief(declined: Iterable[Declined]) -> Iterable[str]:
    """One sentence for all layers of the same reason."""
    names: dict[str, list[str]] = {}
    for layer in declined:
        names.setdefault(layer.reasons[0], []).append(layer.name)
    for reason, layers in names.items():
        yield f"Not recycled: {first_few(layers, _NAMES_SHOWN)} ({reason})."


def _drawn_like(example: Any) -> Any:
    """Random numbers in the place of an input, which may be all zeros."""
    rng = np.random.default_rng(_SEED)

    def draw(x: Any) -> np.ndarray:
        x = np.asarray(x)
        if np.issubdtype(x.dtype, np.floating):
            return rng.normal(size=x.shape).astype(x.dtype)
        if x.dtype == np.uint8:
            return rng.integers(0, 256, x.shape, np.uint8)
        return x

    return jax.tree.map(draw, example)
