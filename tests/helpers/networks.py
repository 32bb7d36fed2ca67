"""Every network that the properties of the core are tried on.

A network joins by a line in `CASES`, or in `MORE_CASES` where it is not a chain of
ReLU layers that are all recyclable: tests that silence a neuron by a low bias, or
that count one output per neuron, cannot take those.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from redo_dopamine.core.graph import Edge, Layer, NetworkGraph
from redo_dopamine.networks.actor_critic import PPONetwork, SACNetwork, identity
from redo_dopamine.networks.bodies import impala_body, unit_range
from redo_dopamine.networks.capture import collect, record
from redo_dopamine.networks.impala import ImpalaNetwork
from redo_dopamine.networks.layers import crelu, deep_fourier, layer_norm
from redo_dopamine.networks.nature import ConvClassifier, MinatarNetwork, NatureNetwork
from redo_dopamine.networks.rainbow import RainbowNetwork


def kernel(*modules: str) -> tuple[str, ...]:
    """Path of a module's kernel."""
    return ("params", *modules, "kernel")


def bias(*modules: str) -> tuple[str, ...]:
    """Path of a module's bias."""
    return ("params", *modules, "bias")


class Mlp(nn.Module):
    """Two hidden layers of one width, so that a wrong edge has a right shape."""

    use_bias: bool = True

    @nn.compact
    def __call__(self, x):
        dense = functools.partial(nn.Dense, use_bias=self.use_bias)
        x = record(self, "Dense_0", nn.relu(dense(6)(x)))
        x = record(self, "Dense_1", nn.relu(dense(6)(x)))
        return dense(3)(x)

    def graph(self) -> NetworkGraph:
        layers = []
        for i in range(2):
            path = bias(f"Dense_{i}") if self.use_bias else None
            reader = Edge(kernel(f"Dense_{i + 1}"))
            layers.append(
                Layer(f"Dense_{i}", kernel(f"Dense_{i}"), path, (reader,)),
            )
        return NetworkGraph(tuple(layers))


class DuelingConvNet(nn.Module):
    """Two convolutions and a dense layer that two heads read."""

    @nn.compact
    def __call__(self, x):
        x = record(self, "Conv_0", nn.relu(nn.Conv(4, (3, 3), (2, 2))(x)))
        x = record(self, "Conv_1", nn.relu(nn.Conv(3, (2, 2))(x)))
        x = record(self, "Dense_0", nn.relu(nn.Dense(5)(x.reshape(-1))))
        advantage = nn.Dense(3, name="advantage")(x)
        return nn.Dense(1, name="value")(x) + advantage - jnp.mean(advantage)

    def graph(self, observation_shape: tuple[int, int]) -> NetworkGraph:
        height, width = observation_shape
        positions = -(-height // 2) * -(-width // 2)
        heads = Edge(kernel("advantage")), Edge(kernel("value"))
        readers = {
            "Conv_0": (Edge(kernel("Conv_1")),),
            "Conv_1": (Edge(kernel("Dense_0"), copies=positions),),
            "Dense_0": heads,
        }
        return NetworkGraph(
            tuple(Layer(k, kernel(k), bias(k), edges) for k, edges in readers.items())
        )


class Torso(nn.Module):
    """A submodule that records its own layer."""

    @nn.compact
    def __call__(self, x):
        return record(self, "Dense_0", nn.relu(nn.Dense(4)(x)))


class NestedNetwork(nn.Module):
    """A layer inside a submodule, read by one outside of it."""

    @nn.compact
    def __call__(self, x):
        x = Torso()(x)
        x = record(self, "Dense_0", nn.relu(nn.Dense(5)(x)))
        return nn.Dense(2)(x)

    def graph(self) -> NetworkGraph:
        inner, outer = ("Torso_0", "Dense_0"), ("Dense_0",)
        return NetworkGraph(
            (
                Layer(
                    "Torso_0/Dense_0",
                    kernel(*inner),
                    bias(*inner),
                    (Edge(kernel(*outer)),),
                ),
                Layer(
                    "Dense_0", kernel(*outer), bias(*outer), (Edge(kernel("Dense_1")),)
                ),
            )
        )


class FixedSupport(RainbowNetwork):
    """Rainbow's network, called with the state alone like all others."""

    def __call__(self, x):
        return super().__call__(x, jnp.linspace(-1.0, 1.0, self.num_atoms))


class Case(NamedTuple):
    """A network, its graph, and what it takes.

    Attributes:
        network: a module that is called with one state.
        graph: its layers.
        state_shape: shape of one state.
        dtype: dtype of a state; bytes are drawn from [0, 255], floats from [0, 1).
    """

    network: nn.Module
    graph: NetworkGraph
    state_shape: tuple[int, ...]
    dtype: Any = np.float32

    def states(self, num_states: int, seed: int = 0) -> np.ndarray:
        """Random states [num_states, ...]."""
        drawn = np.random.default_rng(seed).random((num_states, *self.state_shape))
        scale = 256 if np.issubdtype(self.dtype, np.integer) else 1
        return (drawn * scale).astype(self.dtype)


# Height and width differ, so that a flatten cannot be mistaken by symmetry.
_PIXELS = (20, 12, 2)


def _nature(width: float, **settings: Any) -> Case:
    return _pixels(NatureNetwork(num_actions=3, width=width, **settings))


def _rainbow(**settings: Any) -> Case:
    return _pixels(FixedSupport(num_actions=3, width=0.25, **settings))


def _rainbow_impala(**settings: Any) -> Case:
    body = impala_body((16, 20), unit_range)
    network = FixedSupport(
        num_actions=3, num_atoms=2, width=0.25, body=body, **settings
    )
    return _pixels(network, (12, 10, 2))


def _impala(width: float, sizes: tuple[int, ...], **settings: Any) -> Case:
    network = ImpalaNetwork(3, width=width, stack_sizes=sizes, **settings)
    return _pixels(network, (12, 10, 2))


def _classifier(**settings: Any) -> Case:
    network = ConvClassifier(3, width=0.125, **settings)
    return Case(network, network.graph(_PIXELS[:2]), _PIXELS)


def _minatar(**settings: Any) -> Case:
    network = MinatarNetwork(3, width=0.25, **settings)
    return Case(network, network.graph((6, 4)), (6, 4, 3, 1), np.uint8)


def _ppo(**settings: Any) -> Case:
    network = PPONetwork((2,), width=0.1, **settings)
    return Case(network, network.graph(), (5,))


def _sac(**settings: Any) -> Case:
    limits = ((-1.0, -2.0), (1.0, 3.0))
    network = SACNetwork((2,), action_limits=limits, width=0.025, **settings)
    return Case(network, network.graph(), (5,))


def _pixels(network: Any, state_shape: tuple[int, int, int] = _PIXELS) -> Case:
    return Case(network, network.graph(state_shape[:2]), state_shape, np.uint8)


CASES = {
    "nature": _nature(1),
    "nature_width_2": _nature(2),
    "nature_width_0.25": _nature(0.25),
    "drq": _rainbow(num_atoms=1, distributional=False),
    "rainbow": _rainbow(num_atoms=5),
    "classifier": _classifier(),
    "minatar": _minatar(),
    "rainbow_plain": _rainbow(num_atoms=2, dueling=False, distributional=False),
    "mlp": Case(Mlp(), Mlp().graph(), (5,)),
    "mlp_without_bias": Case(Mlp(use_bias=False), Mlp(use_bias=False).graph(), (5,)),
    "dueling": Case(DuelingConvNet(), DuelingConvNet().graph((7, 5)), (7, 5, 2)),
    "nested": Case(NestedNetwork(), NestedNetwork().graph(), (3,)),
    "ppo": _ppo(activation=nn.relu),
    "sac": _sac(),
}

MORE_CASES = {
    "impala": _impala(1, (4, 5)),
    "impala_width_0.25": _impala(0.25, (16, 20)),
    "impala_crelu": _impala(0.25, (16,), activation=crelu),
    "nature_leaky_relu": _nature(0.25, activation=nn.leaky_relu),
    "nature_crelu": _nature(0.25, activation=crelu),
    "drq_crelu": _rainbow(num_atoms=1, distributional=False, activation=crelu),
    "minatar_crelu": _minatar(activation=crelu),
    "ppo_tanh": _ppo(),
    "ppo_identity": _ppo(activation=identity),
    "sac_tanh": _sac(activation=nn.tanh),
    "sac_crelu": _sac(activation=crelu),
}

# Normalized over a layer's neurons, which one dormant neuron's new weights change:
# here recycling at tau = 0 may change outputs.
COUPLED_CASES = {
    "nature_layer_norm": _nature(0.25, normalize=layer_norm),
    "impala_layer_norm": _impala(0.25, (32,), normalize=layer_norm),
    "rainbow_impala": _rainbow_impala(),  # By unit_range.
    "drq_crelu_layer_norm": _rainbow(
        num_atoms=1, distributional=False, activation=crelu, normalize=layer_norm
    ),
}

# Their dormant neurons say a constant that is not 0, which recycling takes away.
CONSTANT_CASES = {
    "nature_fourier": _nature(0.25, activation=deep_fourier),
    "impala_fourier": _impala(0.25, (16,), activation=deep_fourier),
    "sac_fourier": _sac(activation=deep_fourier),
}

ALL_CASES = CASES | MORE_CASES | COUPLED_CASES | CONSTANT_CASES


@functools.cache
def draw_params(name: str) -> Callable[[jax.Array], Any]:
    """`key -> params` of a case, compiled once."""
    case = ALL_CASES[name]
    state = jnp.zeros(case.state_shape, case.dtype)
    return jax.jit(lambda key: case.network.init(key, state))


@functools.cache
def params_of(name: str, seed: int = 0) -> Any:
    """A parameter tree of a case, drawn once per seed."""
    return draw_params(name)(jax.random.PRNGKey(seed))


@functools.cache
def activations_of(name: str) -> Callable[..., dict[str, jax.Array]]:
    """`(params, states) -> activations` of a case, compiled once."""
    return jax.jit(functools.partial(collect, ALL_CASES[name].network.apply))


@functools.cache
def outputs_of(name: str) -> Callable[..., jax.Array]:
    """`(params, states) -> outputs [B, ...]` of a case, compiled once."""
    apply = ALL_CASES[name].network.apply

    def outputs(params, state):
        return jnp.concatenate(
            [x.ravel() for x in jax.tree.leaves(apply(params, state))]
        )

    return jax.jit(jax.vmap(outputs, in_axes=(None, 0)))


@functools.cache
def activation_shapes(name: str) -> dict[str, tuple[int, ...]]:
    """Shape of each layer's activation for one state."""
    case = ALL_CASES[name]
    states = jax.ShapeDtypeStruct((1, *case.state_shape), case.dtype)
    found = jax.eval_shape(activations_of(name), params_of(name), states)
    return {layer: x.shape[1:] for layer, x in found.items()}


def random_masks(
    name: str, rng: np.random.Generator, fraction: float = 0.5
) -> dict[str, np.ndarray]:
    """A boolean per neuron of every layer of a case; all False if not recyclable."""
    shapes = activation_shapes(name)
    return {
        layer.name: (rng.random(shapes[layer.name][-1]) < fraction) & layer.recyclable
        for layer in ALL_CASES[name].graph.layers
    }
