"""What the networks for continuous control share: dense layers, and their graph.

A policy and its value networks are one module with one parameter tree and one
graph, as in Dopamine. The layers of each have its name in front
(`policy/Dense_0`, `value/Dense_1`), so that what is measured is told apart.
"""

from collections import namedtuple
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.nn.initializers import Initializer, zeros

from redo_dopamine.core.graph import Edge, Layer, NetworkGraph
from redo_dopamine.networks.layers import (
    ActionLimits,
    Activation,
    Gaussian,
    MakeNormalization,
    Nonlinearity,
    kernel,
)

# Dopamine's agents read these fields of what a network returns.
ActorCriticOutput = namedtuple("ActorCriticOutput", ["actor", "critic"])

# Outputs of a layer, from its name and its pre-activations [N].
Activate = Callable[[str, jax.Array], jax.Array]


def identity(x: jax.Array) -> jax.Array:
    """The activation function of a network without one: a linear network."""
    return x


class Hidden(nn.Module):
    """A stack of dense layers and the linear head that reads the last.

    Attributes:
        num_outputs: outputs of the head.
        num_layers: hidden layers, at least 1.
        num_neurons: neurons of each.
        kernel_init: initializer of the hidden layers.
        head_init: initializer of the head.
    """

    num_outputs: int
    num_layers: int
    num_neurons: int
    kernel_init: Initializer
    head_init: Initializer

    @nn.compact
    def __call__(self, x: jax.Array, activate: Activate) -> jax.Array:
        """Outputs [num_outputs] of one input, flattened."""
        x = hidden_layers(self, x, activate)
        return nn.Dense(self.num_outputs, kernel_init=self.head_init)(x)


class HiddenWithStd(Hidden):
    """A `Hidden` of means, and log standard deviations that no input changes."""

    @nn.compact
    def __call__(self, x: jax.Array, activate: Activate) -> jax.Array:
        """Means and log standard deviations [2 num_outputs] of one input."""
        x = hidden_layers(self, x, activate)
        mean = nn.Dense(self.num_outputs, kernel_init=self.head_init)(x)
        # As in Dopamine, a dense layer of ones: it reads no neuron.
        log_std = nn.Dense(self.num_outputs, kernel_init=zeros)(jnp.ones_like(x))
        return jnp.concatenate([mean, log_std])


def hidden_layers(module: Hidden, x: jax.Array, activate: Activate) -> jax.Array:
    """What the head reads. Call it inside a compact method of the module."""
    x = x.astype(jnp.float32).reshape(-1)
    for i in range(module.num_layers):
        x = nn.Dense(module.num_neurons, kernel_init=module.kernel_init)(x)
        x = activate(f"Dense_{i}", x)
    return x


class ActorCritic(nn.Module):
    """A policy and its value networks; the base of those of PPO and SAC.

    Attributes:
        action_shape: shape of an action.
        num_layers: hidden layers of each network, at least 1.
        hidden_units: neurons of each hidden layer at width 1.
        action_limits: lowest and highest action, or None.
        activation: the activation function of every layer (`layers.Nonlinearity`);
            `identity` for none.
        width: factor on every layer's neurons, rounded up.
        normalize: makes a layer's normalization, before the activation; None for
            none (`layers.Nonlinearity`).
    """

    action_shape: tuple[int, ...]
    num_layers: int = 2
    hidden_units: int = 256
    action_limits: ActionLimits | None = None
    activation: Activation = nn.relu
    width: float = 1
    normalize: MakeNormalization | None = None

    def policy_of(self, outputs: jax.Array) -> Gaussian:
        """The policy of means and log standard deviations [2 A]."""
        mean, log_std = jnp.split(outputs, 2)
        return Gaussian(mean, jnp.exp(log_std), self.action_limits)

    def activate_as(self, network: str) -> Activate:
        """Activates and records under the network's name, not its parameters' name."""
        nonlinearity = Nonlinearity(self.activation, self.normalize)
        return lambda layer, x: nonlinearity(self, f"{network}/{layer}", x)

    def graph_of(self, networks: dict[str, str]) -> NetworkGraph:
        """The hidden layers of networks, from names to modules of the parameters."""
        copies = Nonlinearity(self.activation).copies
        return NetworkGraph(
            tuple(
                Layer(
                    f"{name}/Dense_{i}",
                    kernel(module, f"Dense_{i}"),
                    ("params", module, f"Dense_{i}", "bias"),
                    (Edge(kernel(module, f"Dense_{i + 1}"), copies),),
                )
                for name, module in networks.items()
                for i in range(self.num_layers)
            ),
            heads=tuple(
                kernel(module, f"Dense_{self.num_layers}")
                for module in networks.values()
            ),
        )
