"""Networks with room for plasticity injection: two heads more, that do not learn."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from redo_dopamine.core.graph import Edge, NetworkGraph
from redo_dopamine.core.interventions.injection import KEPT, TAKEN
from redo_dopamine.networks.layers import Conv, Nonlinearity, scale_width
from redo_dopamine.networks.nature import (
    DENSE_UNITS,
    MINATAR_CHANNELS,
    MINATAR_UNITS,
    MinatarNetwork,
    NatureNetwork,
    QNetworkOutput,
    conv_features,
    from_bytes,
)


class FrozenDense(nn.Module):
    """A dense layer of zeros, whose weights get no gradient.

    Attributes:
        features: number of outputs.
    """

    features: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Outputs [features] of x [N]."""
        zeros = nn.initializers.zeros
        kernel = self.param("kernel", zeros, (x.shape[-1], self.features))
        bias = self.param("bias", zeros, (self.features,))
        return x @ jax.lax.stop_gradient(kernel) + jax.lax.stop_gradient(bias)


class FrozenHead(nn.Module):
    """The two dense layers of a head, frozen and not recorded.

    Attributes:
        num_neurons: hidden neurons.
        num_outputs: outputs.
        nonlinearity: of the hidden layer.
    """

    num_neurons: int
    num_outputs: int
    nonlinearity: Nonlinearity

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Outputs [num_outputs] of features x [N]."""
        x = FrozenDense(self.num_neurons, name="Dense_0")(x)
        x = self.nonlinearity.unrecorded(x)
        return FrozenDense(self.num_outputs, name="Dense_1")(x)


class InjectableNatureNetwork(NatureNetwork):
    """The Nature network with the heads of `plasticity_injection`.

    Its dense layer and output are the head, `Dense_0` and `Dense_1`. Until the
    injection it computes and learns what `NatureNetwork` does.
    """

    @nn.compact
    def __call__(self, x: jax.Array) -> QNetworkOutput:
        """Q-values [num_actions] of one state [H, W, stack]."""
        if not self.inputs_preprocessed:
            x = from_bytes(x)
        nonlinearity = Nonlinearity(self.activation, self.normalize)
        kernel_init = nn.initializers.xavier_uniform()
        x = conv_features(self, x, self.width, nonlinearity, kernel_init)
        units = scale_width(DENSE_UNITS, self.width)
        return _values(self, x, units, self.num_actions, nonlinearity)

    def graph(self, observation_shape: tuple[int, int] = (84, 84)) -> NetworkGraph:
        """Its four layers of neurons; those of the frozen heads are none.

        Args:
            observation_shape: height and width of a state.
        """
        return _read_by_all_heads(super().graph(observation_shape))


class InjectableMinatarNetwork(MinatarNetwork):
    """The MinAtar network with the heads of `plasticity_injection`.

    Its dense layer and output are the head, `Dense_0` and `Dense_1`. Until the
    injection it computes and learns what `MinatarNetwork` does.
    """

    @nn.compact
    def __call__(self, x: jax.Array) -> QNetworkOutput:
        """Q-values [num_actions] of one state [H, W, C, stack]."""
        nonlinearity = Nonlinearity(self.activation, self.normalize)
        kernel_init = nn.initializers.xavier_uniform()
        x = x.astype(jnp.float32).reshape(*x.shape[:2], -1)
        channels = scale_width(MINATAR_CHANNELS, self.width)
        x = Conv(channels, (3, 3), kernel_init=kernel_init)(x)
        x = nonlinearity(self, "Conv_0", x).reshape(-1)
        units = scale_width(MINATAR_UNITS, self.width)
        return _values(self, x, units, self.num_actions, nonlinearity)

    def graph(self, observation_shape: tuple[int, ...] = (10, 10)) -> NetworkGraph:
        """Its two layers of neurons; those of the frozen heads are none.

        Args:
            observation_shape: height and width of a state.
        """
        return _read_by_all_heads(super().graph(observation_shape))


def _values(
    module: nn.Module,
    x: jax.Array,
    num_neurons: int,
    num_actions: int,
    nonlinearity: Nonlinearity,
) -> QNetworkOutput:
    """What the three heads say of features x [N]. Call it inside a compact method."""
    kernel_init = nn.initializers.xavier_uniform()
    hidden = nn.Dense(num_neurons, kernel_init=kernel_init)(x)
    hidden = nonlinearity(module, "Dense_0", hidden)
    learned = nn.Dense(num_actions, kernel_init=kernel_init)(hidden)
    kept, taken = (
        FrozenHead(num_neurons, num_actions, nonlinearity, name=name)(x)
        for name in (KEPT, TAKEN)
    )
    # First what is equal at the injection: the difference is 0, to the last bit.
    return QNetworkOutput((learned - taken) + kept)


def _read_by_all_heads(graph: NetworkGraph) -> NetworkGraph:
    *below, encoder, hidden = graph.layers
    edges = [x for x in encoder.outgoing if isinstance(x, Edge)]
    frozen = (
        Edge(("params", name, *edge.kernel[1:]), edge.copies)
        for name in (KEPT, TAKEN)
        for edge in edges
    )
    encoder = encoder._replace(outgoing=(*edges, *frozen))
    return NetworkGraph((*below, encoder, hidden))
