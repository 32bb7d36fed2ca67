"""The network of Dopamine's full Rainbow and DrQ(ε) agents, and its graph."""

from collections import namedtuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from redo_dopamine.core.graph import NetworkGraph
from redo_dopamine.networks.layers import Activation, MakeNormalization, Nonlinearity
from redo_dopamine.networks.nature import (
    QNetworkOutput,
    from_bytes,
    nature_features,
    nature_layers,
)

# Dopamine's agents read these fields of what a network returns.
RainbowNetworkOutput = namedtuple(
    "RainbowNetworkOutput", ["q_values", "logits", "probabilities"]
)


class RainbowNetwork(nn.Module):
    """The Nature network's features with the heads of Rainbow.

    The heads may be dueling (Wang et al., ICML 2016) and may give a distribution
    of returns over atoms (Bellemare et al., ICML 2017). DrQ(ε) is dueling and has
    one atom (Agarwal et al., NeurIPS 2021). At width 1 this equals Dopamine's
    `FullRainbowNetwork` without noise, parameter names included.

    Attributes:
        num_actions: number of Q-values.
        num_atoms: number of atoms of a return's distribution. Where it is not
            distributional, a Q-value is the sum over them.
        noisy: must be False; Dopamine's agents hand it over.
        dueling: whether an advantage and a value head are read in place of one.
        distributional: whether Q-values are means of distributions.
        inputs_preprocessed: whether states come as floats; if not, they are bytes
            and are divided by 255.
        width: factor on every layer's neurons, rounded up.
        activation: the activation function of every layer (`layers.Nonlinearity`).
        normalize: makes a layer's normalization, before the activation; None for
            none (`layers.Nonlinearity`).

    Raises:
        ValueError: `noisy` is True.
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

    def __post_init__(self) -> None:
        if self.noisy:
            raise ValueError(
                f"RainbowNetwork must not be noisy, but noisy = {self.noisy}: a noisy "
                "layer draws its weights again at every call, so no fixed weights feed "
                "its neurons. Set JaxFullRainbowAgent.noisy = False."
            )
        super().__post_init__()

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
            eval_mode: without effect; Dopamine's agents hand it over for noise.
            key: without effect, likewise.

        Returns:
            `q_values`, and where it is distributional `logits` and `probabilities`
            [num_actions, num_atoms].
        """
        if not self.inputs_preprocessed:
            x = from_bytes(x)
        nonlinearity = Nonlinearity(self.activation, self.normalize)
        x = nature_features(self, x, self.width, nonlinearity)
        logits = self._dueling_logits(x) if self.dueling else self._logits(x)
        if not self.distributional:
            return QNetworkOutput(jnp.sum(logits, axis=1))
        probabilities = nn.softmax(logits)
        q_values = jnp.sum(support * probabilities, axis=1)
        return RainbowNetworkOutput(q_values, logits, probabilities)

    def _logits(self, x: jax.Array, num_rows: int | None = None) -> jax.Array:
        num_rows = num_rows or self.num_actions
        kernel_init = nn.initializers.xavier_uniform()
        x = nn.Dense(num_rows * self.num_atoms, kernel_init=kernel_init)(x)
        return x.reshape(num_rows, self.num_atoms)

    def _dueling_logits(self, x: jax.Array) -> jax.Array:
        advantage = self._logits(x)
        value = self._logits(x, num_rows=1)
        return value + (advantage - jnp.mean(advantage, axis=0, keepdims=True))

    def graph(self, observation_shape: tuple[int, int] = (84, 84)) -> NetworkGraph:
        """Its four layers of neurons; the heads are none, and both read `Dense_0`.

        Args:
            observation_shape: height and width of a state, which decide how many
                positions the last convolution is flattened into.
        """
        heads = ("Dense_1", "Dense_2") if self.dueling else ("Dense_1",)
        copies = Nonlinearity(self.activation).copies
        return NetworkGraph(nature_layers(observation_shape, copies, heads))
