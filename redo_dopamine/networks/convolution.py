"""Flax's convolution, with a bias whose gradient costs less on a CPU."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from redo_dopamine.core.compiling import in_old_runtime


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
