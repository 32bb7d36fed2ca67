"""What the networks share: widths, activation functions, and rows of a graph."""

import math
from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from redo_dopamine.core.checks import call, is_number, layer_name
from redo_dopamine.core.graph import Edge, Layer
from redo_dopamine.core.jit import in_old_runtime
from redo_dopamine.networks.capture import record


@jax.custom_vjp
def _add_bias(x: jax.Array, bias: jax.Array) -> jax.Array:
    return x + bias


def _forward(x: jax.Array, bias: jax.Array) -> tuple[jax.Array, None]:
    return _add_bias(x, bias), None


def _backward(_: None, cotangent: jax.Array) -> tuple[jax.Array, jax.Array]:
    rows = cotangent.reshape(-1, cotangent.shape[-1])
    return cotangent, jnp.ones(len(rows), rows.dtype) @ rows


_add_bias.defvjp(_forward, _backward)


class Conv(nn.Conv):
    """A convolution with a bias: `nn.Conv`, parameters, names and outputs alike.

    The gradient of a bias is a sum over all positions. XLA's older CPU runtime takes
    it in the same loop as the derivative of the activation, which it then does not
    vectorise; as a product with a vector of ones it takes a sixth of the time. Only
    there is it taken so: the order of summation, and with it the last bits, differ.
    """

    use_bias: bool = False  # Of the parent, which is to leave the bias to this class.

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Outputs [..., H', W', features] of [..., H, W, C]."""
        x = super().__call__(x)
        bias = self.param("bias", self.bias_init, (self.features,), self.param_dtype)
        return _add_bias(x, bias) if in_old_runtime() else x + bias


_LARGEST_WIDTH = 10_000
Activation = Callable[[jax.Array], jax.Array]
MakeNormalization = Callable[[], nn.Module]
Initializer = Callable[..., jax.Array]


def scale_width(num_neurons: int, width: float) -> int:
    """`num_neurons * width`, rounded up.

    Raises:
        ValueError: the width is not a positive number, or one beyond any machine.
    """
    if not (is_number(width) and 0 < width <= _LARGEST_WIDTH):
        most = f" and <= {_LARGEST_WIDTH}" if is_number(width) and width > 0 else ""
        raise ValueError(
            f"width must be > 0{most}, but is {width}. The paper uses 1, 2 and 4; "
            "fractions are rounded up to whole neurons."
        )
    return math.ceil(num_neurons * width)


def crelu(x: jax.Array) -> jax.Array:
    r"""Concatenated ReLU: two outputs per neuron, of which one is always silent.

    .. math:: [\max(x, 0), \; \max(-x, 0)]

    Shang et al., "Understanding and Improving Convolutional Neural Networks via
    Concatenated Rectified Linear Units", ICML 2016; against the loss of plasticity:
    Abbas et al., "Loss of Plasticity in Continual Deep Reinforcement Learning",
    CoLLAs 2023.

    Args:
        x: pre-activations [..., N].

    Returns:
        Outputs [..., 2 N]; those of neuron i are at i and N + i.
    """
    return jnp.concatenate([nn.relu(x), nn.relu(-x)], axis=-1)


def deep_fourier(x: jax.Array) -> jax.Array:
    r"""Deep Fourier features: the sine and the cosine of each pre-activation.

    .. math:: [\sin x, \; \cos x]

    Wherever one of the two is flat the other is steep, so that no neuron loses its
    gradient. Lewandowski, Schuurmans and Machado, "Plastic Learning with Deep Fourier
    Features", ICLR 2025 (arXiv 2410.20634), who have it in every layer and regularize
    beside it. A network of `width` 0.5 has as many outputs a layer as one of ReLUs.

    A neuron is never silent: where x is 0 it says 0 and 1. It is scored by x
    (`Nonlinearity`), so that a dormant one says this constant whatever the state, and
    to recycle it changes the output by what readers made of the 1. A network that is
    traced (`trace_network`) is scored by its outputs, where no such neuron is dormant.

    Args:
        x: pre-activations [..., N].

    Returns:
        Outputs [..., 2 N]; those of neuron i are at i and N + i.
    """
    return jnp.concatenate([jnp.sin(x), jnp.cos(x)], axis=-1)


def layer_norm(epsilon: float = 1e-6) -> nn.Module:
    """Layer normalization over the neurons, without a scale and an offset.

    Ba et al., 2016; against the loss of plasticity: Lyle et al., "Understanding
    Plasticity in Neural Networks", ICML 2023.

    A scale and an offset would be weights of a neuron that its `Layer` does not
    name: a recycled neuron would keep them, and where it is they that silence it,
    it would stay silent. The incoming weights and the bias, which come before the
    normalization, can express nearly the same.
    """
    return nn.LayerNorm(epsilon=epsilon, use_bias=False, use_scale=False)


class Nonlinearity(NamedTuple):
    """What stands between a layer's weights and its readers.

    Attributes:
        activation: of pre-activations [..., N]; elementwise, or with several
            outputs per neuron [..., K N] in the order of `crelu`.
        normalize: makes the module that normalizes the pre-activations, a new one
            per layer; None for none. Use one without parameters (`layer_norm`),
            since recycling leaves them as they are. It couples the neurons of a
            layer, so that recycling at tau = 0 may change the network's output.
    """

    activation: Activation = nn.relu
    normalize: MakeNormalization | None = None

    def __call__(self, module: nn.Module, layer: str, x: jax.Array) -> jax.Array:
        """Normalize, activate and record the pre-activations of a layer.

        An activation with one output per neuron is recorded as it is. `crelu` has
        two, x's positive and its negative part; what is recorded is x, whose
        magnitude is their sum, so that a score is that of both together and a
        neuron is dormant where both are. It lies on the path, like any other. Of
        `deep_fourier` x is recorded too: where it is 0, the two outputs are constants.

        Args:
            module: the module that is being called.
            layer: the layer's name.
            x: pre-activations [..., N].

        Returns:
            What the layer's readers read, [..., `copies` * N].
        """
        x = self._normalized(x)
        if self.copies == 1:
            return record(module, layer, self.activation(x))
        return self.activation(record(module, layer, x))

    def unrecorded(self, x: jax.Array) -> jax.Array:
        """Outputs of pre-activations [..., N], for neurons of no layer of the graph."""
        return self.activation(self._normalized(x))

    def _normalized(self, x: jax.Array) -> jax.Array:
        normalize = self.normalize
        if normalize is None:
            return x
        return call(
            "normalize",
            lambda y: normalize()(y),
            x,
            of="nothing that makes a module, which keeps shapes",
            shape=x.shape,
            named=normalize,
        )

    @property
    def copies(self) -> int:
        """Outputs per neuron.

        Raises:
            ValueError: the activation does not give whole numbers of outputs.
        """
        inputs = jax.ShapeDtypeStruct((2, 3), jnp.float32)
        shape = call(
            "activation",
            lambda x: jax.eval_shape(self.activation, x).shape,
            inputs,
            of="an array of pre-activations",
            named=self.activation,
        )
        copies, rest = divmod(shape[-1] if shape[:-1] == (2,) else 0, 3)
        if copies < 1 or rest:
            raise ValueError(
                "An activation must map pre-activations [..., N] to outputs [..., N], "
                f"or [..., K N] as crelu does, but maps (2, 3) to {shape}. Use an "
                "elementwise function or crelu."
            )
        return copies


def kernel(*modules: str) -> tuple[str, ...]:
    """Path of a module's kernel in the parameter tree."""
    return ("params", *modules, "kernel")


def neurons(module: str, *outgoing: Edge, recyclable: bool = True) -> Layer:
    """The neurons that a module feeds, under its path: `Stack_0/Conv_1`.

    Raises:
        TypeError: an edge is none.
        ValueError: the path is no text.
    """
    layer_name(module)
    for edge in outgoing:
        if not isinstance(edge, Edge):
            raise TypeError(
                "What reads neurons must be an Edge, such as Edge(kernel('Dense_1')), "
                f"but is a {type(edge).__name__}."
            )
    bias = ("params", *module.split("/"), "bias")
    return Layer(module, kernel(*module.split("/")), bias, outgoing, recyclable)


# The lowest and the highest action, each one number per dimension.
ActionLimits = tuple[tuple[float, ...], tuple[float, ...]]

# The largest magnitude whose inverse tanh is finite in float32.
_ALMOST_ONE = 0.99999997


class Gaussian(NamedTuple):
    r"""A normal distribution with independent dimensions, squashed into limits.

    .. math:: a = c + m \tanh(u), \quad u \sim N(\mu, \sigma^2)

    where c is the limits' middle and m half of their distance; without limits
    a = u. Haarnoja et al., "Soft Actor-Critic Algorithms and Applications", 2018,
    appendix C. Methods take and give *u*, from which an action and its density
    follow without the inverse of tanh, which loses digits near the limits.

    Attributes:
        mean: mu [A].
        std: sigma [A].
        limits: lowest and highest action, or None.
    """

    mean: jax.Array
    std: jax.Array
    limits: ActionLimits | None = None

    def draw(self, key: jax.Array) -> jax.Array:
        """A random u [A]."""
        noise = jax.random.normal(key, self.mean.shape, self.mean.dtype)
        return noise * self.std + self.mean

    def to_action(self, u: jax.Array) -> jax.Array:
        """The action [A] of u [A]."""
        if self.limits is None:
            return u
        middle, half = _middle_and_half(self.limits)
        return middle + half * jnp.tanh(u)

    def from_action(self, action: jax.Array) -> jax.Array:
        """The u [A] of an action [A]; finite at the limits and beyond them."""
        if self.limits is None:
            return action
        middle, half = _middle_and_half(self.limits)
        return jnp.arctanh(
            jnp.clip((action - middle) / half, -_ALMOST_ONE, _ALMOST_ONE)
        )

    def log_probability(self, u: jax.Array) -> jax.Array:
        r"""Log density [] of the action of u [A].

        .. math:: \sum_i \log N(u_i; \mu_i, \sigma_i^2)
                  - \log m_i - 2 (\log 2 - u_i - \mathrm{softplus}(-2 u_i))

        of which the second line is the log of the derivative of m tanh(u).
        """
        z = (u - self.mean) / self.std
        densities = -0.5 * z**2 - jnp.log(self.std) - 0.5 * math.log(2 * math.pi)
        if self.limits is not None:
            _, half = _middle_and_half(self.limits)
            log_slope = 2 * (math.log(2) - u - jax.nn.softplus(-2 * u))
            densities -= jnp.log(half) + log_slope
        return jnp.sum(densities)

    def entropy(self) -> jax.Array:
        r"""Entropy [] of u, in nats: that of the actions has no closed form.

        .. math:: \sum_i \tfrac{1}{2} \log(2 \pi e \sigma_i^2)
        """
        return jnp.sum(jnp.log(self.std) + 0.5 * math.log(2 * math.pi * math.e))


def _middle_and_half(limits: ActionLimits) -> tuple[jax.Array, jax.Array]:
    lowest, highest = (jnp.asarray(limit, jnp.float32) for limit in limits)
    return (lowest + highest) / 2, (highest - lowest) / 2
