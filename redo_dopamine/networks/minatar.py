"""A small Q-network for MinAtar with a width, and its graph."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp

from redo_dopamine.core.graph import Edge, NetworkGraph
from redo_dopamine.networks.layers import (
    Activation,
    Conv,
    MakeNormalization,
    Nonlinearity,
    kernel,
    neurons,
    scale_width,
)
from redo_dopamine.networks.nature import QNetworkOutput

_CHANNELS = 16
_DENSE_UNITS = 128


class MinatarNetwork(nn.Module):
    """A 3x3 convolution and a dense layer, Q-values out.

    The size of Young and Tian's networks (2019, arXiv 1903.03176), with SAME padding
    and Xavier-uniform weights as in Dopamine's.

    Attributes:
        num_actions: number of Q-values.
        inputs_preprocessed: without effect: observations are 0 or 1 as they come.
        width: factor on every layer's neurons, rounded up.
        activation: the activation function of every layer (`layers.Nonlinearity`).
        normalize: makes a layer's normalization, before the activation; None for
            none (`layers.Nonlinearity`).
    """

    num_actions: int
    inputs_preprocessed: bool = False
    width: float = 1
    activation: Activation = nn.relu
    normalize: MakeNormalization | None = None

    @nn.compact
    def __call__(self, x: jax.Array) -> QNetworkOutput:
        """Q-values [num_actions] of one state [H, W, C, stack]."""
        kernel_init = nn.initializers.xavier_uniform()
        nonlinearity = Nonlinearity(self.activation, self.normalize)
        x = x.astype(jnp.float32).reshape(*x.shape[:2], -1)
        channels = scale_width(_CHANNELS, self.width)
        x = Conv(channels, (3, 3), kernel_init=kernel_init)(x)
        x = nonlinearity(self, "Conv_0", x)
        units = scale_width(_DENSE_UNITS, self.width)
        x = nn.Dense(units, kernel_init=kernel_init)(x.reshape(-1))
        x = nonlinearity(self, "Dense_0", x)
        return QNetworkOutput(nn.Dense(self.num_actions, kernel_init=kernel_init)(x))

    def graph(self, observation_shape: tuple[int, ...] = (10, 10)) -> NetworkGraph:
        """Its two layers of neurons; the head is not one.

        Args:
            observation_shape: height and width of a state, which decide how many
                positions the convolution is flattened into.
        """
        copies = Nonlinearity(self.activation).copies
        positions = math.prod(observation_shape[:2])
        return NetworkGraph(
            (
                neurons("Conv_0", Edge(kernel("Dense_0"), copies * positions)),
                neurons("Dense_0", Edge(kernel("Dense_1"), copies)),
            )
        )
