"""The Nature DQN network with a width, and its graph."""

import math
from collections import namedtuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from redo_dopamine.core.graph import Edge, Layer, NetworkGraph
from redo_dopamine.networks.activations import record

# Dopamine's agents read the field `q_values` of what a network returns.
QNetworkOutput = namedtuple("QNetworkOutput", ["q_values"])

_CHANNELS = (32, 64, 64)
_KERNEL_SIZES = (8, 4, 3)
_STRIDES = (4, 2, 1)
_DENSE_UNITS = 512


def scale_width(num_neurons: int, width: float) -> int:
    """`num_neurons * width`, rounded up.

    Raises:
        ValueError: the width is not a positive number.
    """
    if not 0 < width < math.inf:
        raise ValueError(
            f"width must be > 0, but is {width}. The paper uses 1, 2 and 4; "
            "fractions are rounded up to whole neurons."
        )
    return math.ceil(num_neurons * width)


class NatureNetwork(nn.Module):
    """Three convolutions and a dense layer (Mnih et al., 2015), Q-values out.

    SAME padding and Xavier-uniform weights as in Dopamine, whose
    `NatureDQNNetwork` this equals at width 1, parameter names included.

    Attributes:
        num_actions: number of Q-values.
        inputs_preprocessed: whether states come as floats; if not, they are bytes
            and are divided by 255.
        width: factor on every layer's neurons, rounded up (Sokar et al., ICML
            2023, section 5: 1, 2 and 4).
    """

    num_actions: int
    inputs_preprocessed: bool = False
    width: float = 1

    @nn.compact
    def __call__(self, x: jax.Array) -> QNetworkOutput:
        """Q-values [num_actions] of one state [H, W, stack]."""
        kernel_init = nn.initializers.xavier_uniform()
        if not self.inputs_preprocessed:
            x = x.astype(jnp.float32) / 255.0
        for i, (channels, size, stride) in enumerate(
            zip(_CHANNELS, _KERNEL_SIZES, _STRIDES, strict=True)
        ):
            x = nn.Conv(
                scale_width(channels, self.width),
                (size, size),
                (stride, stride),
                kernel_init=kernel_init,
            )(x)
            x = record(self, f"Conv_{i}", nn.relu(x))
        x = x.reshape(-1)
        x = nn.Dense(scale_width(_DENSE_UNITS, self.width), kernel_init=kernel_init)(x)
        x = record(self, "Dense_0", nn.relu(x))
        return QNetworkOutput(nn.Dense(self.num_actions, kernel_init=kernel_init)(x))

    def graph(self, observation_shape: tuple[int, int] = (84, 84)) -> NetworkGraph:
        """Its four layers of neurons; the head is not one.

        Args:
            observation_shape: height and width of a state, which decide how many
                positions the last convolution is flattened into.
        """
        positions = math.prod(
            math.ceil(side / math.prod(_STRIDES)) for side in observation_shape[:2]
        )
        return NetworkGraph(
            (
                _layer("Conv_0", Edge(_kernel("Conv_1"))),
                _layer("Conv_1", Edge(_kernel("Conv_2"))),
                _layer("Conv_2", Edge(_kernel("Dense_0"), copies=positions)),
                _layer("Dense_0", Edge(_kernel("Dense_1"))),
            )
        )


def _kernel(name: str) -> tuple[str, ...]:
    return ("params", name, "kernel")


def _layer(name: str, *outgoing: Edge) -> Layer:
    return Layer(name, _kernel(name), ("params", name, "bias"), outgoing)
