"""The network of Dopamine's full Rainbow and DrQ(ε) agents, and its graph."""

from collections import namedtuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from redo_dopamine.core.graph import Edge, Layer, NetworkGraph
from redo_dopamine.core.layer import Weights
from redo_dopamine.core.neuron_index import along
from redo_dopamine.networks.bodies import Body, nature_body
from redo_dopamine.networks.layers import (
    Activation,
    MakeNormalization,
    Nonlinearity,
    kernel,
    neurons,
    scale_width,
)
from redo_dopamine.networks.nature import DENSE_UNITS, QNetworkOutput, from_bytes

# Dopamine's agents read these fields of what a network returns.
RainbowNetworkOutput = namedtuple(
    "RainbowNetworkOutput", ["q_values", "logits", "probabilities"]
)

_KERNELS, _BIASES = ("kernel_mu", "kernel_sigma"), ("bias_mu", "bias_sigma")


class NoisyDense(nn.Module):
    r"""A dense layer with noise in its weights, whose scale is learned.

    .. math:: w = \mu_w + \sigma_w f(p) f(q)^\top, \quad b = \mu_b + \sigma_b f(q),
              \qquad f(x) = \mathrm{sgn}(x) \sqrt{|x|}, \quad p, q \sim N(0, 1)

    Fortunato et al., "Noisy Networks for Exploration", ICLR 2018, with the initial
    scale of Dopamine's `NoisyNetwork`, parameter names included.

    Attributes:
        features: number of outputs.
    """

    features: int

    @nn.compact
    def __call__(self, x: jax.Array, key: jax.Array | None) -> jax.Array:
        """Outputs [features] of x [N]; without a key those of the mean weights."""
        size = x.shape[0]
        limit = 1 / jnp.power(size, 0.5)

        def mean(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
            return jax.random.uniform(key, shape, minval=-limit, maxval=limit)

        scale = nn.initializers.constant(0.1 / np.sqrt(size))
        inputs, outputs = jnp.zeros((size, 1)), jnp.zeros((1, self.features))
        if key is not None:
            keys = jax.random.split(key)
            inputs, outputs = (
                jnp.sign(x) * jnp.power(jnp.abs(x), 0.5)
                for x in (
                    jax.random.normal(keys[0], inputs.shape),
                    jax.random.normal(keys[1], outputs.shape),
                )
            )
        shapes = {"kernel": (size, self.features), "bias": (self.features,)}
        noises = {"kernel": inputs * outputs, "bias": outputs[0]}
        kernel, bias = (
            self.param(f"{name}_mu", mean, shape)
            + self.param(f"{name}_sigma", scale, shape) * noises[name]
            for name, shape in shapes.items()
        )
        return x @ kernel + bias


def _noisy_name(number: int) -> str:
    """Dopamine's name of a noisy layer."""
    return f"NoisyNetwork_{number}"


def _noisy(number: int, *names: str) -> tuple[tuple[str, ...], ...]:
    return tuple(("params", _noisy_name(number), name) for name in names)


class RainbowNetwork(nn.Module):
    """The Nature network's features, or another body's, with the heads of Rainbow.

    The heads may be dueling (Wang et al., ICML 2016) and may give a distribution
    of returns over atoms (Bellemare et al., ICML 2017). DrQ(ε) is dueling and has
    one atom (Agarwal et al., NeurIPS 2021). At width 1 this equals Dopamine's
    `FullRainbowNetwork`, parameter names included.

    Attributes:
        num_actions: number of Q-values.
        num_atoms: number of atoms of a return's distribution. Where it is not
            distributional, a Q-value is the sum over them.
        noisy: whether the dense layer and the heads are noisy (`NoisyDense`).
        dueling: whether an advantage and a value head are read in place of one.
        distributional: whether Q-values are means of distributions.
        inputs_preprocessed: whether states come as floats; if not, they are bytes
            and are divided by 255.
        width: factor on every layer's neurons, rounded up.
        activation: the activation function of every layer (`layers.Nonlinearity`).
        normalize: makes a layer's normalization, before the activation; None for
            none (`layers.Nonlinearity`).
        body: what the dense layer reads, such as `impala_body()`.
    """

    num_actions: int
    num_atoms: int
    noisy: bool = False
    dueling: bool = True
    distributional: bool = True
    inputs_preprocessed: bool = False
    width: float = 1
    activation: Activation = nn.relu
    normalize: MakeNormalization | None = None
    body: Body = nature_body()

    @nn.compact
    def __call__(
        self,
        x: jax.Array,
        support: jax.Array,
        eval_mode: bool = False,
        key: jax.Array | None = None,
    ) -> RainbowNetworkOutput | QNetworkOutput:
        """Q-values [num_actions] of one state [H, W, stack].

        Args:
            x: the state.
            support: returns [num_atoms] that the atoms stand for; read only where
                the network is distributional.
            eval_mode: whether noise is off.
            key: what noise is drawn from, the same for every layer, as in Dopamine;
                without one there is none.

        Returns:
            `q_values`, and where it is distributional `logits` and `probabilities`
            [num_actions, num_atoms].
        """
        if not self.inputs_preprocessed:
            x = from_bytes(x)
        key = None if eval_mode else key
        x = self._features(x, key)
        logits = self._dueling_logits(x, key) if self.dueling else self._logits(x, key)
        if not self.distributional:
            return QNetworkOutput(jnp.sum(logits, axis=1))
        probabilities = nn.softmax(logits)
        q_values = jnp.sum(support * probabilities, axis=1)
        return RainbowNetworkOutput(q_values, logits, probabilities)

    def _features(self, x: jax.Array, key: jax.Array | None) -> jax.Array:
        nonlinearity = Nonlinearity(self.activation, self.normalize)
        kernel_init = nn.initializers.xavier_uniform()
        x = self.body.features(self, x, self.width, nonlinearity, kernel_init)
        units = scale_width(DENSE_UNITS, self.width)
        if not self.noisy:
            name = "Dense_0"
            x = nn.Dense(units, kernel_init=kernel_init)(x)
        else:
            name = _noisy_name(0)
            x = NoisyDense(units, name=name)(x, key)
        return nonlinearity(self, name, x)

    def _logits(
        self, x: jax.Array, key: jax.Array | None, number: int = 1
    ) -> jax.Array:
        """Those of a head: [num_actions, atoms] of the first, [1, atoms] of another."""
        num_rows = self.num_actions if number == 1 else 1
        size = num_rows * self.num_atoms
        if self.noisy:
            x = NoisyDense(size, name=_noisy_name(number))(x, key)
        else:
            x = nn.Dense(size, kernel_init=nn.initializers.xavier_uniform())(x)
        return x.reshape(num_rows, self.num_atoms)

    def _dueling_logits(self, x: jax.Array, key: jax.Array | None) -> jax.Array:
        advantage = self._logits(x, key)
        value = self._logits(x, key, number=2)
        return value + (advantage - jnp.mean(advantage, axis=0, keepdims=True))

    def graph(self, observation_shape: tuple[int, int] = (84, 84)) -> NetworkGraph:
        """The body's layers and a dense one; the heads are none, and both read it.

        Args:
            observation_shape: height and width of a state, which decide how many
                positions the last convolution is flattened into.
        """
        heads = (1, 2) if self.dueling else (1,)
        copies = Nonlinearity(self.activation).copies
        if not self.noisy:
            edges = (Edge(kernel(f"Dense_{number}"), copies) for number in heads)
            below = self.body.layers(observation_shape, copies, kernel("Dense_0"))
            return NetworkGraph((*below, neurons("Dense_0", *edges)))
        dense = Layer(
            _noisy_name(0),
            incoming=(
                *(Weights(x, along(-1)) for x in _noisy(0, *_KERNELS)),
                *(Weights(x, along(-1), is_kernel=False) for x in _noisy(0, *_BIASES)),
            ),
            outgoing=tuple(
                Edge(x, copies) for n in heads for x in _noisy(n, *_KERNELS)
            ),
        )
        below = self.body.layers(observation_shape, copies, *_noisy(0, *_KERNELS))
        return NetworkGraph((*below, dense))
