"""A small convolutional classifier with a width, and its graph."""

import math

import flax.linen as nn
import jax

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

_CHANNELS = (32, 64, 64)
_STRIDES = (2, 2, 2)
_DENSE_UNITS = 128


class ConvClassifier(nn.Module):
    """Three convolutions and a dense layer, logits out.

    The kind of network of the supervised experiment of Sokar et al., ICML 2023,
    section 3. Its sizes are a choice of this project: 3x3 kernels with SAME
    padding, so that 28x28 images are 4x4 where they are flattened; Xavier-uniform
    weights as in the paper's other networks.

    Attributes:
        num_classes: number of logits.
        width: factor on every layer's neurons, rounded up.
        activation: the activation function of every layer (`layers.Nonlinearity`).
        normalize: makes a layer's normalization, before the activation; None for
            none (`layers.Nonlinearity`).
    """

    num_classes: int
    width: float = 1
    activation: Activation = nn.relu
    normalize: MakeNormalization | None = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Logits [num_classes] of one standardized image [H, W, C]."""
        kernel_init = nn.initializers.xavier_uniform()
        nonlinearity = Nonlinearity(self.activation, self.normalize)
        for i, (size, stride) in enumerate(zip(_CHANNELS, _STRIDES, strict=True)):
            channels = scale_width(size, self.width)
            x = Conv(channels, (3, 3), (stride, stride), kernel_init=kernel_init)(x)
            x = nonlinearity(self, f"Conv_{i}", x)
        units = scale_width(_DENSE_UNITS, self.width)
        x = nn.Dense(units, kernel_init=kernel_init)(x.reshape(-1))
        x = nonlinearity(self, "Dense_0", x)
        return nn.Dense(self.num_classes, kernel_init=kernel_init)(x)

    def graph(self, image_shape: tuple[int, int] = (28, 28)) -> NetworkGraph:
        """Its four layers of neurons; the head is not one.

        Args:
            image_shape: height and width of an image, which decide how many
                positions the last convolution is flattened into.
        """
        copies = Nonlinearity(self.activation).copies
        stride = math.prod(_STRIDES)
        positions = math.prod(math.ceil(side / stride) for side in image_shape[:2])
        return NetworkGraph(
            (
                neurons("Conv_0", Edge(kernel("Conv_1"), copies)),
                neurons("Conv_1", Edge(kernel("Conv_2"), copies)),
                neurons("Conv_2", Edge(kernel("Dense_0"), copies * positions)),
                neurons("Dense_0", Edge(kernel("Dense_1"), copies)),
            )
        )
