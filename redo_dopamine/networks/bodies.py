"""What the heads of a network stand on: convolutions, and the layers that they are."""

from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from redo_dopamine.core.layer import Layer
from redo_dopamine.networks.impala import impala_features, impala_layers
from redo_dopamine.networks.layers import Initializer, Nonlinearity
from redo_dopamine.networks.nature import conv_features, conv_layers


class Body(NamedTuple):
    """A function of pixels, and its layers.

    Attributes:
        features: of `(module, x, width, nonlinearity, kernel_init)`, with pixels x
            [H, W, stack], what the dense layer reads [N]; it is called inside a
            compact method, and its modules become the module's.
        layers: of `(observation_shape, copies, *readers)`, the layers of neurons, of
            which the last is read by kernels of these paths.
    """

    features: Callable[..., jax.Array]
    layers: Callable[..., tuple[Layer, ...]]


def nature_body() -> Body:
    """The three convolutions of the Nature network (Mnih et al., 2015)."""
    return Body(conv_features, conv_layers)


def impala_body(
    stack_sizes: tuple[int, ...] = (16, 32, 32),
    rescale: Callable[[jax.Array], jax.Array] | None = None,
) -> Body:
    """The residual stacks of IMPALA (Espeholt et al., ICML 2018), weights as in BBF.

    BBF (Schwarzer et al., ICML 2023) has them at width 4 with `unit_range`. All
    weights are drawn as the network's own, there Xavier-uniform, where
    `ImpalaNetwork` has flax's default in the blocks. The streams are tracked and not
    recycled, as there.

    Args:
        stack_sizes: channels of each stack, before the width.
        rescale: what is done to the last stream's activations [H, W, C] before they
            are flattened, such as `unit_range`; None for nothing.
    """

    def features(
        module: nn.Module,
        x: jax.Array,
        width: float,
        nonlinearity: Nonlinearity,
        kernel_init: Initializer,
    ) -> jax.Array:
        x = impala_features(module, x, width, nonlinearity, stack_sizes, kernel_init)
        return (x if rescale is None else rescale(x)).reshape(-1)

    def layers(
        observation_shape: tuple[int, ...], copies: int, *readers: tuple[str, ...]
    ) -> tuple[Layer, ...]:
        return impala_layers(observation_shape, copies, len(stack_sizes), *readers)

    return Body(features, layers)


# So that no range is divided by 0; that of BBF's released code.
_SMALLEST_RANGE = 1e-5


def unit_range(x: jax.Array) -> jax.Array:
    r"""A state's features moved and scaled into [0, 1].

    .. math:: \frac{x - \min x}{\max x - \min x + 10^{-5}}

    Schrittwieser et al., "Mastering Atari, Go, Chess and Shogi by Planning with a
    Learned Model", Nature 2020, of hidden states; SPR and BBF of what the encoder
    gives.
    """
    smallest = jnp.min(x)
    return (x - smallest) / (jnp.max(x) - smallest + _SMALLEST_RANGE)
