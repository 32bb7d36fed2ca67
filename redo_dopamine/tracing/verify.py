"""Whether a graph tells the truth about a network, on numbers.

Some neurons of every layer are silenced: their activations are made 0. Then they are
recycled instead: incoming weights reinitialized, outgoing ones 0. What the network says
must be the same, bit for bit. It is not where an outgoing weight is missing from the
graph, or belongs to another neuron, or an incoming one feeds another neuron.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import jax
import numpy as np

from redo_dopamine.core.graph import Layer, NetworkGraph, Params, Path, leaf_path
from redo_dopamine.core.neuron_index import NeuronIndex
from redo_dopamine.tracing.network import DerivedNetwork
from redo_dopamine.tracing.program import Key, gate

Chosen = Mapping[str, np.ndarray]

_NOISE = 4099  # Random numbers, in turn: to draw millions takes longer than to compile.

_QUICKLY = {
    "xla_backend_optimization_level": 0,
    "xla_llvm_disable_expensive_passes": True,
}


class NotFiniteError(ValueError):
    """What a network says is not finite, so that nothing can be compared."""


def verify(
    traced: DerivedNetwork,
    params: Params,
    inputs: Any,
    *,
    whole: bool = True,
    seed: int = 0,
    graph: NetworkGraph | None = None,
) -> None:
    """Check a graph on numbers.

    Args:
        traced: the network.
        params: parameters, which are disturbed a little so that none is 0.
        inputs: like the example.
        whole: choose neurons so that any two of a layer are told apart, and compare
            what the program says with the function; otherwise draw half of the
            neurons, twice, which is quick.
        seed: of the draws.
        graph: another graph for the same layers; the network's own without it.

    Raises:
        ValueError: recycling would change what the network says, or the network says
            what is not finite.
    """
    check = _Check(traced.for_inputs(params, inputs), params, inputs, seed, graph)
    check.program(compare=whole)
    for chosen in check.choices(whole):
        if not check.holds(chosen):
            check.find(chosen)


class _Check:
    """A network at some parameters and inputs, compiled once."""

    def __init__(
        self,
        traced: DerivedNetwork,
        params: Params,
        inputs: Any,
        seed: int,
        graph: NetworkGraph | None,
    ):
        self.traced, self.inputs = traced, inputs
        given = (graph or traced.graph).recyclable_layers
        self.layers = [x for x in given if (x.num_neurons or 0) > 1]
        self.rng = np.random.default_rng(seed)
        self.params = jax.tree.map(self._disturbed, params)
        self.fresh = jax.tree.map(self._redrawn, self.params)
        self._ones = {
            key: np.ones(x.shape, np.int8)
            for key, x in traced.zeros(params, inputs).items()
        }
        # The inputs are an argument, for XLA folds a gather of constants wrongly.
        evaluate = _quickly_compiled(
            lambda params, inputs, gates: traced.evaluate(
                params, inputs, given=gates, change=gate
            )[0]
        )
        self._run = lambda params, gates: evaluate(params, inputs, gates)

    def _disturbed(self, x: Any) -> Any:
        if _is_key(x):
            return x
        x = np.asarray(x)
        if not np.issubdtype(x.dtype, np.floating):
            return x
        noise = self.rng.normal(size=min(x.size, _NOISE)).astype(x.dtype)
        noise = np.resize(noise, x.shape)
        if x.size and x.min() > 0:  # Such as a variance, which must stay so.
            return (x * np.exp(0.1 * noise)).astype(x.dtype)
        return (x + (0.1 * float(np.std(x)) + 0.02) * noise).astype(x.dtype)

    def _redrawn(self, x: Any) -> Any:
        if _is_key(x) or not np.issubdtype(np.asarray(x).dtype, np.floating):
            return x
        positive = x.size and x.min() > 0
        other = x * 0.7 + 0.3 if positive else -1.3 * x + 0.1
        return other.astype(x.dtype)

    def program(self, *, compare: bool) -> None:
        """The program says what is finite, and what the function says.

        Args:
            compare: with the function, which is to be compiled for it.

        Raises:
            ValueError: it does not.
        """
        found = _without_keys(self._run(self.params, self._ones))
        numbers = [x for x in found if np.issubdtype(x.dtype, np.inexact)]
        if not all(np.isfinite(x).all() for x in numbers):
            raise NotFiniteError(
                "A network can be verified only where its outputs are finite, but "
                "for these parameters and inputs some are not. Give others."
            )
        if compare:
            self._compare(numbers)

    def _compare(self, found: list[np.ndarray]) -> None:
        # Another function for JAX, which would not trace the same one a second time.
        function = _quickly_compiled(lambda *given: self.traced.apply(*given))
        given = _without_keys(jax.tree.leaves(function(self.params, self.inputs)))
        expected = [x for x in given if np.issubdtype(x.dtype, np.inexact)]
        for one, other in zip(expected, found, strict=True):
            scale = float(np.max(np.abs(one), initial=0.0)) + 1e-6
            if float(np.max(np.abs(one - other), initial=0.0)) > 1e-3 * scale:
                raise ValueError(
                    "The traced program must say what the function says, but their "
                    "outputs differ. The function must be pure."
                )

    def choices(self, whole: bool) -> list[Chosen]:
        """Neurons to silence, several times."""
        if not whole:
            return [
                {x.name: self.rng.random(x.num_neurons) < 0.5 for x in self.layers}
                for _ in range(2)
            ]
        width = max((x.num_neurons or 0 for x in self.layers), default=0)
        chosen: list[Chosen] = []
        for bit in range(max(1, math.ceil(math.log2(max(width, 2))))):
            for value in (0, 1):
                chosen.append(
                    {
                        x.name: (np.arange(x.num_neurons or 0) >> bit & 1) == value
                        for x in self.layers
                    }
                )
        return chosen

    def holds(
        self, chosen: Chosen, *, redraw: bool = True, only: Path | None = None
    ) -> bool:
        """Whether recycling these neurons is no more than silencing them."""
        silenced = self._run(self.params, self._gates(chosen))
        recycled = self._run(
            self._recycled(chosen, redraw=redraw, only=only), self._ones
        )
        return all(
            np.array_equal(np.asarray(a), np.asarray(b), equal_nan=False)
            for a, b in zip(silenced, recycled, strict=True)
            if not _is_key(a)
        )

    def find(self, chosen: Chosen) -> None:
        """Name the layer and the kernel at fault.

        Raises:
            ValueError: always.
        """
        for layer in self.layers:
            alone = {layer.name: chosen[layer.name]}
            if self.holds(alone):
                continue
            paths = ", ".join("/".join(x.path) for x in layer.outgoing)
            if not self.holds(alone, redraw=False):
                raise ValueError(
                    f"Layer {layer.name!r}: the outgoing weights must be all that "
                    f"reads its neurons, and nothing else, but setting those in "
                    f"{paths} to 0 is not the same as silencing the neurons. Mark the "
                    "layer recyclable=False, and report this network."
                )
            for weights in layer.incoming:
                if not self.holds(alone, only=weights.path):
                    raise ValueError(
                        f"Layer {layer.name!r}: incoming weights must feed their own "
                        f"neuron only, but new values in {'/'.join(weights.path)} "
                        "change what other neurons do. Mark the layer "
                        "recyclable=False, and report this network."
                    )
        names = [layer.name for layer in self.layers]
        raise ValueError(
            f"Layers {names}: recycling neurons of all of them must be no more than "
            "silencing them, but changes the outputs. Report this network."
        )

    def _gates(self, chosen: Chosen) -> dict[Key, np.ndarray]:
        gates = dict(self._ones)
        for name, silent in chosen.items():
            for source in self.traced.sources[name]:
                key, passes = source.place
                off = _of_entries(silent, source.neurons)
                value = gates[key].copy()
                where = tuple(slice(None) if x is None else x for x in passes)
                part = value[where]
                value[where] = np.where(off, 0, part)
                gates[key] = value
        return gates

    def _recycled(self, chosen: Chosen, *, redraw: bool, only: Path | None) -> Params:
        layers = {x.name: x for x in self.layers}
        new = dict(_by_path(self.params))
        fresh = _by_path(self.fresh)
        for name, mask in chosen.items():
            layer = layers[name]
            if redraw and not self._is_coupled(layer):
                for part in layer.fed_by(_shapes(new)):
                    if only is None or part.path == only:
                        own = _of_entries(mask, part.neurons)
                        new[part.path] = np.where(own, fresh[part.path], new[part.path])
        for name, mask in chosen.items():
            for part in layers[name].read_by(_shapes(new)):
                own = _of_entries(mask, part.neurons)
                zero = np.zeros_like(new[part.path])
                new[part.path] = np.where(own, zero, new[part.path])
        return jax.tree_util.tree_map_with_path(
            lambda key_path, x: new[leaf_path(key_path)], self.params
        )

    def _is_coupled(self, layer: Layer) -> bool:
        return any(x.startswith("coupled") for x in self.traced.notes[layer.name])


def _of_entries(mask: np.ndarray, neurons: NeuronIndex) -> np.ndarray:
    """A mask [N] for the entries of an array; False for those of no neuron."""
    return np.append(mask, False)[neurons.array]


def _is_key(x: Any) -> bool:
    """Whether it is a random key of JAX's newer type, which NumPy does not know."""
    return jax.dtypes.issubdtype(getattr(x, "dtype", None), jax.dtypes.prng_key)


def _without_keys(leaves: Iterable[Any]) -> list[np.ndarray]:
    return [np.asarray(x) for x in leaves if not _is_key(x)]


def _quickly_compiled(function: Any) -> Any:
    """`jax.jit` that spends no time on making the program fast: it runs a few times."""
    if jax.default_backend() != "cpu":
        return jax.jit(function)
    return jax.jit(function, compiler_options=_QUICKLY)


def _by_path(tree: Any) -> dict[Path, Any]:
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {leaf_path(key_path): x for key_path, x in leaves}


def _shapes(leaves: Mapping[Path, Any]) -> dict[Path, tuple[int, ...]]:
    return {path: np.shape(x) for path, x in leaves.items()}
