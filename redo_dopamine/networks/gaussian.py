"""Actions drawn from a normal distribution, within limits where there are any."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

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
