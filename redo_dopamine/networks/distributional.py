"""The networks of Dopamine's C51, QR-DQN and IQN, with a width, and their graphs."""

from collections import namedtuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from redo_dopamine.core.graph import Edge, NetworkGraph
from redo_dopamine.networks.layers import (
    Activation,
    Initializer,
    MakeNormalization,
    Nonlinearity,
    kernel,
    neurons,
    scale_width,
)
from redo_dopamine.networks.nature import (
    DENSE_UNITS,
    conv_features,
    conv_layers,
    from_bytes,
    nature_features,
    nature_layers,
)
from redo_dopamine.networks.rainbow import RainbowNetworkOutput

# Dopamine's agents read these fields of what a network returns.
ImplicitQuantileOutput = namedtuple(
    "ImplicitQuantileOutput", ["quantile_values", "quantiles"]
)


def _dopamines_init() -> Initializer:
    # 1 / sqrt(3) is taken by JAX, whose last bit is not Python's.
    scale = 1.0 / jnp.sqrt(3.0)
    return nn.initializers.variance_scaling(scale, "fan_in", "uniform")


class _AtomsNetwork(nn.Module):
    """The Nature network's features, and `num_atoms` outputs per action.

    Attributes:
        num_actions: number of actions.
        num_atoms: outputs per action.
        inputs_preprocessed: whether states come as floats; if not, they are bytes
            and are divided by 255.
        width: factor on every layer's neurons, rounded up.
        activation: the activation function of every layer (`layers.Nonlinearity`).
        normalize: makes a layer's normalization, before the activation; None for
            none (`layers.Nonlinearity`).
    """

    num_actions: int
    num_atoms: int
    inputs_preprocessed: bool = False
    width: float = 1
    activation: Activation = nn.relu
    normalize: MakeNormalization | None = None

    def _logits(self, x: jax.Array) -> jax.Array:
        if not self.inputs_preprocessed:
            x = from_bytes(x)
        kernel_init = _dopamines_init()
        nonlinearity = Nonlinearity(self.activation, self.normalize)
        x = nature_features(self, x, self.width, nonlinearity, kernel_init)
        x = nn.Dense(self.num_actions * self.num_atoms, kernel_init=kernel_init)(x)
        return x.reshape(self.num_actions, self.num_atoms)

    def graph(self, observation_shape: tuple[int, int] = (84, 84)) -> NetworkGraph:
        """Its four layers of neurons; the head is not one.

        Args:
            observation_shape: height and width of a state, which decide how many
                positions the last convolution is flattened into.
        """
        copies = Nonlinearity(self.activation).copies
        return NetworkGraph(nature_layers(observation_shape, copies, ("Dense_1",)))


class NatureC51Network(_AtomsNetwork):
    """The Nature network with a distribution of returns over atoms per action.

    Bellemare et al., ICML 2017. At width 1 this equals Dopamine's `RainbowNetwork`,
    parameter names included. Its fields are those of `NatureQuantileNetwork`.
    """

    @nn.compact
    def __call__(self, x: jax.Array, support: jax.Array) -> RainbowNetworkOutput:
        """Q-values [num_actions] of one state [H, W, stack], and their distributions.

        Args:
            x: the state.
            support: returns [num_atoms] that the atoms stand for.

        Returns:
            `q_values`, and `logits` and `probabilities` [num_actions, num_atoms].
        """
        logits = self._logits(x)
        probabilities = nn.softmax(logits)
        q_values = jnp.sum(support * probabilities, axis=1)
        return RainbowNetworkOutput(q_values, logits, probabilities)


class NatureQuantileNetwork(_AtomsNetwork):
    """The Nature network with quantiles of the return per action.

    Dabney et al., AAAI 2018. At width 1 this equals Dopamine's `QuantileNetwork`,
    parameter names included.

    Attributes:
        num_actions: number of actions.
        num_atoms: quantiles per action.
        inputs_preprocessed: whether states come as floats; if not, they are bytes
            and are divided by 255.
        width: factor on every layer's neurons, rounded up.
        activation: the activation function of every layer (`layers.Nonlinearity`).
        normalize: makes a layer's normalization, before the activation; None for
            none (`layers.Nonlinearity`).
    """

    @nn.compact
    def __call__(self, x: jax.Array) -> RainbowNetworkOutput:
        """Q-values [num_actions] of one state [H, W, stack], and their quantiles.

        Returns:
            `q_values`, the quantiles as `logits` [num_actions, num_atoms], and what
            Dopamine gives as `probabilities`, their softmax.
        """
        logits = self._logits(x)
        return RainbowNetworkOutput(
            jnp.mean(logits, axis=1), logits, nn.softmax(logits)
        )


class NatureImplicitQuantileNetwork(nn.Module):
    """The Nature network with values of the return at quantiles that are drawn.

    Dabney et al., ICML 2018. Each feature of the convolutions is multiplied by a neuron
    that embeds the quantile. At width 1 this equals Dopamine's
    `ImplicitQuantileNetwork`, parameter names included.

    Attributes:
        num_actions: number of actions.
        quantile_embedding_dim: cosines that a quantile is embedded by.
        inputs_preprocessed: whether states come as floats; if not, they are bytes
            and are divided by 255.
        width: factor on every layer's neurons, rounded up.
        activation: the activation function of every layer (`layers.Nonlinearity`).
        normalize: makes a layer's normalization, before the activation; None for
            none (`layers.Nonlinearity`).
    """

    num_actions: int
    quantile_embedding_dim: int
    inputs_preprocessed: bool = False
    width: float = 1
    activation: Activation = nn.relu
    normalize: MakeNormalization | None = None

    @nn.compact
    def __call__(
        self, x: jax.Array, num_quantiles: int, rng: jax.Array
    ) -> ImplicitQuantileOutput:
        """Values [num_quantiles, num_actions] of one state [H, W, stack].

        Args:
            x: the state.
            num_quantiles: how many quantiles are drawn.
            rng: what they are drawn from.

        Returns:
            `quantile_values`, and the `quantiles` [num_quantiles, 1].
        """
        if not self.inputs_preprocessed:
            x = from_bytes(x)
        kernel_init = _dopamines_init()
        nonlinearity = Nonlinearity(self.activation, self.normalize)
        x = conv_features(self, x, self.width, nonlinearity, kernel_init)
        quantiles = jax.random.uniform(rng, (num_quantiles, 1))
        multiples = jnp.arange(1, self.quantile_embedding_dim + 1, dtype=jnp.float32)
        cosines = jnp.cos(multiples * jnp.pi * quantiles)
        # One output of each of these per feature, whatever the activation.
        embedding = nn.Dense(
            x.shape[-1] // nonlinearity.copies, kernel_init=kernel_init
        )(cosines)
        x = x * nonlinearity(self, "Dense_0", embedding)
        units = scale_width(DENSE_UNITS, self.width)
        x = nn.Dense(units, kernel_init=kernel_init)(x)
        x = nonlinearity(self, "Dense_1", x)
        values = nn.Dense(self.num_actions, kernel_init=kernel_init)(x)
        return ImplicitQuantileOutput(values, quantiles)

    def graph(self, observation_shape: tuple[int, int] = (84, 84)) -> NetworkGraph:
        """Its five layers of neurons, of which the last convolution is not recycled.

        What the dense layer reads is a product of a channel with an embedding, whose
        neurons each have one weight row; a channel shares its rows with many of them.

        Args:
            observation_shape: height and width of a state.
        """
        copies = Nonlinearity(self.activation).copies
        *first, last = conv_layers(observation_shape, copies)
        return NetworkGraph(
            (
                *first,
                last._replace(recyclable=False),
                neurons("Dense_0", Edge(kernel("Dense_1"), copies)),
                neurons("Dense_1", Edge(kernel("Dense_2"), copies)),
            )
        )
