"""Small convolutional networks with a width, and their graphs.

Nature DQN's, one for MinAtar, and a classifier of images.
"""

import math
from collections import namedtuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from redo_dopamine.core.graph import Edge, Layer, NetworkGraph
from redo_dopamine.core.layer import Path
from redo_dopamine.networks.layers import (
    Activation,
    Conv,
    Initializer,
    MakeNormalization,
    Nonlinearity,
    kernel,
    neurons,
    scale_width,
)

# Dopamine's agents read the field `q_values` of what a network returns.
QNetworkOutput = namedtuple("QNetworkOutput", ["q_values"])

_CHANNELS = (32, 64, 64)
_KERNEL_SIZES = (8, 4, 3)
_STRIDES = (4, 2, 1)
DENSE_UNITS = 512
MINATAR_CHANNELS = 16
MINATAR_UNITS = 128
_CLASSIFIER_CHANNELS = (32, 64, 64)
_CLASSIFIER_STRIDES = (2, 2, 2)
_CLASSIFIER_UNITS = 128


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
        """Q-values [num_actions] of one state [H, W, stack]."""
        if not self.inputs_preprocessed:
            x = from_bytes(x)
        nonlinearity = Nonlinearity(self.activation, self.normalize)
        x = nature_features(self, x, self.width, nonlinearity)
        kernel_init = nn.initializers.xavier_uniform()
        return QNetworkOutput(nn.Dense(self.num_actions, kernel_init=kernel_init)(x))

    def graph(self, observation_shape: tuple[int, int] = (84, 84)) -> NetworkGraph:
        """Its four layers of neurons; the head is not one.

        Args:
            observation_shape: height and width of a state, which decide how many
                positions the last convolution is flattened into.
        """
        copies = Nonlinearity(self.activation).copies
        return NetworkGraph(nature_layers(observation_shape, copies, ("Dense_1",)))


def from_bytes(x: jax.Array) -> jax.Array:
    """Pixels in [0, 1] from bytes."""
    return x.astype(jnp.float32) / 255.0


def nature_features(
    module: nn.Module,
    x: jax.Array,
    width: float,
    nonlinearity: Nonlinearity,
    kernel_init: Initializer | None = None,
) -> jax.Array:
    """What the head reads of pixels [H, W, stack]: the dense layer's outputs.

    Call it inside a compact method. The layers become `Conv_0` to `Conv_2` and
    `Dense_0` of the module. Weights are Xavier-uniform unless they are told.
    """
    kernel_init = kernel_init or nn.initializers.xavier_uniform()
    x = conv_features(module, x, width, nonlinearity, kernel_init)
    x = nn.Dense(scale_width(DENSE_UNITS, width), kernel_init=kernel_init)(x)
    return nonlinearity(module, "Dense_0", x)


def conv_features(
    module: nn.Module,
    x: jax.Array,
    width: float,
    nonlinearity: Nonlinearity,
    kernel_init: Initializer,
) -> jax.Array:
    """What the dense layer reads of pixels [H, W, stack]: the last channels, flat."""
    for i, (channels, size, stride) in enumerate(
        zip(_CHANNELS, _KERNEL_SIZES, _STRIDES, strict=True)
    ):
        x = Conv(
            scale_width(channels, width),
            (size, size),
            (stride, stride),
            kernel_init=kernel_init,
        )(x)
        x = nonlinearity(module, f"Conv_{i}", x)
    return x.reshape(-1)


def nature_layers(
    observation_shape: tuple[int, int], copies: int, heads: tuple[str, ...]
) -> tuple[Layer, ...]:
    """The layers of `nature_features`, and the heads that read the last.

    Args:
        observation_shape: height and width of a state.
        copies: outputs per neuron.
        heads: names of the dense modules that read the features.
    """
    return (
        *conv_layers(observation_shape, copies, kernel("Dense_0")),
        neurons("Dense_0", *(Edge(kernel(head), copies) for head in heads)),
    )


def conv_layers(
    observation_shape: tuple[int, int], copies: int, *readers: Path
) -> tuple[Layer, ...]:
    """The layers of `conv_features`, and the kernels that read the last.

    Args:
        observation_shape: height and width of a state.
        copies: outputs per neuron.
        *readers: paths of the kernels.
    """
    stride = math.prod(_STRIDES)
    positions = math.prod(math.ceil(side / stride) for side in observation_shape[:2])
    return (
        neurons("Conv_0", Edge(kernel("Conv_1"), copies)),
        neurons("Conv_1", Edge(kernel("Conv_2"), copies)),
        neurons("Conv_2", *(Edge(reader, copies * positions) for reader in readers)),
    )


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
        channels = scale_width(MINATAR_CHANNELS, self.width)
        x = Conv(channels, (3, 3), kernel_init=kernel_init)(x)
        x = nonlinearity(self, "Conv_0", x)
        units = scale_width(MINATAR_UNITS, self.width)
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
        for i, (size, stride) in enumerate(
            zip(_CLASSIFIER_CHANNELS, _CLASSIFIER_STRIDES, strict=True)
        ):
            channels = scale_width(size, self.width)
            x = Conv(channels, (3, 3), (stride, stride), kernel_init=kernel_init)(x)
            x = nonlinearity(self, f"Conv_{i}", x)
        units = scale_width(_CLASSIFIER_UNITS, self.width)
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
        stride = math.prod(_CLASSIFIER_STRIDES)
        positions = math.prod(math.ceil(side / stride) for side in image_shape[:2])
        return NetworkGraph(
            (
                neurons("Conv_0", Edge(kernel("Conv_1"), copies)),
                neurons("Conv_1", Edge(kernel("Conv_2"), copies)),
                neurons("Conv_2", Edge(kernel("Dense_0"), copies * positions)),
                neurons("Dense_0", Edge(kernel("Dense_1"), copies)),
            )
        )
