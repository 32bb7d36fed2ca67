"""The IMPALA residual network for DQN with a width, and its graph."""

import math
from collections.abc import Iterator, Sequence

import flax.linen as nn
import jax
from flax.linen.linear import default_kernel_init

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
from redo_dopamine.networks.nature import QNetworkOutput, from_bytes

_NUM_BLOCKS = 2
_DENSE_UNITS = 512


class Stack(nn.Module):
    """A convolution, a max-pool that halves the sides, and two residual blocks.

    A block adds to the stream of channels what two convolutions make of it, with
    the nonlinearity before each: `Conv_1` and `Conv_2`, then `Conv_3` and `Conv_4`.

    Attributes:
        channels: number of channels of every convolution.
        nonlinearity: see `layers.Nonlinearity`.
        block_init: initial weights of the blocks' convolutions; those of the first
            convolution are Xavier-uniform.
    """

    channels: int
    nonlinearity: Nonlinearity
    block_init: Initializer = default_kernel_init

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """The stream [H / 2, W / 2, channels] of [H, W, C], rounded up; signed."""
        first = Conv(
            self.channels, (3, 3), kernel_init=nn.initializers.xavier_uniform()
        )
        x = nn.max_pool(first(x), (3, 3), strides=(2, 2), padding="SAME")
        for block in range(_NUM_BLOCKS):
            inner = self.nonlinearity(self, _stream(block), x)
            inner = Conv(self.channels, (3, 3), kernel_init=self.block_init)(inner)
            inner = self.nonlinearity(self, _inner(block), inner)
            inner = Conv(self.channels, (3, 3), kernel_init=self.block_init)(inner)
            x = x + inner
        return x


def impala_features(
    module: nn.Module,
    x: jax.Array,
    width: float,
    nonlinearity: Nonlinearity,
    stack_sizes: Sequence[int],
    block_init: Initializer = default_kernel_init,
) -> jax.Array:
    """The last stream's activations [H', W', channels] of pixels [H, W, stack].

    Call it inside a compact method. The stacks become `Stack_0`, `Stack_1`, ... of the
    module.
    """
    for size in stack_sizes:
        x = Stack(scale_width(size, width), nonlinearity, block_init)(x)
    return nonlinearity(module, _last_stream(len(stack_sizes)), x)


def impala_layers(
    observation_shape: tuple[int, ...], copies: int, num_stacks: int, *readers: Path
) -> tuple[Layer, ...]:
    """The layers of `impala_features`, and the kernels that read the last, flattened.

    Args:
        observation_shape: height and width of a state.
        copies: outputs per neuron.
        num_stacks: how many stacks there are.
        *readers: paths of the kernels.
    """
    stride = 2**num_stacks
    positions = math.prod(math.ceil(x / stride) for x in observation_shape[:2])
    layers: list[Layer] = []
    for i in range(num_stacks):
        layers += _block_layers(f"Stack_{i}", copies)
    edges = (Edge(reader, copies * positions) for reader in readers)
    return (*layers, neurons(_last_stream(num_stacks), *edges, recyclable=False))


class ImpalaNetwork(nn.Module):
    """Three residual stacks and a dense layer (Espeholt et al., ICML 2018).

    Sizes as in Sokar et al., ICML 2023, which has twice the channels of IMPALA and
    of Dopamine's `ImpalaDQNNetwork`; with its `stack_sizes` (16, 32, 32) this
    equals that one at width 1. As there, the convolutions of the blocks start from
    flax's default weights and all others from Xavier-uniform ones.

    Attributes:
        num_actions: number of Q-values.
        inputs_preprocessed: whether states come as floats; if not, they are bytes
            and are divided by 255.
        width: factor on every layer's neurons, rounded up.
        activation: the activation function of every layer (`layers.Nonlinearity`).
        normalize: makes a layer's normalization, before the activation; None for
            none (`layers.Nonlinearity`). What a block adds to is not normalized.
        stack_sizes: channels of each stack, before the width.
    """

    num_actions: int
    inputs_preprocessed: bool = False
    width: float = 1
    activation: Activation = nn.relu
    normalize: MakeNormalization | None = None
    stack_sizes: tuple[int, ...] = (32, 64, 64)

    @nn.compact
    def __call__(self, x: jax.Array) -> QNetworkOutput:
        """Q-values [num_actions] of one state [H, W, stack]."""
        kernel_init = nn.initializers.xavier_uniform()
        nonlinearity = Nonlinearity(self.activation, self.normalize)
        if not self.inputs_preprocessed:
            x = from_bytes(x)
        x = impala_features(self, x, self.width, nonlinearity, self.stack_sizes)
        x = x.reshape(-1)
        units = scale_width(_DENSE_UNITS, self.width)
        x = nn.Dense(units, kernel_init=kernel_init)(x)
        x = nonlinearity(self, "Dense_0", x)
        return QNetworkOutput(nn.Dense(self.num_actions, kernel_init=kernel_init)(x))

    def graph(self, observation_shape: tuple[int, int] = (84, 84)) -> NetworkGraph:
        """Its layers in order; the streams are tracked, not recycled.

        The first convolution of a block and the dense layer are rows of neurons:
        one kernel feeds them, one reads them. A channel of a stack's stream is
        written by the stack's first convolution and by every block in turn, and
        is read past the next convolution by the sum behind it. It is no neuron
        that could be recycled.

        What is tracked of a stream is its activation where one is taken: before
        each block, and before the dense layer. The layer is named after the
        convolution that wrote last, and its outgoing weights are those that read
        this activation. They do not cut the channel off, which goes on in the sum.
        Between two stacks no activation is taken, so nothing is tracked there.

        Args:
            observation_shape: height and width of a state, which decide how many
                positions the last stack is flattened into.
        """
        copies = Nonlinearity(self.activation).copies
        num_stacks, dense = len(self.stack_sizes), kernel("Dense_0")
        return NetworkGraph(
            (
                *impala_layers(observation_shape, copies, num_stacks, dense),
                neurons("Dense_0", Edge(kernel("Dense_1"), copies)),
            )
        )


def _stream(block: int) -> str:
    """The convolution that wrote last on the stream that a block reads."""
    return f"Conv_{2 * block}"


def _last_stream(num_stacks: int) -> str:
    return f"Stack_{num_stacks - 1}/{_stream(_NUM_BLOCKS)}"


def _inner(block: int) -> str:
    """The first convolution of a block."""
    return f"Conv_{2 * block + 1}"


def _block_layers(stack: str, copies: int) -> Iterator[Layer]:
    for block in range(_NUM_BLOCKS):
        stream, inner, end = _stream(block), _inner(block), _stream(block + 1)
        to_inner = Edge(kernel(stack, inner), copies)
        yield neurons(f"{stack}/{stream}", to_inner, recyclable=False)
        yield neurons(f"{stack}/{inner}", Edge(kernel(stack, end), copies))
