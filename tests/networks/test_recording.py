"""A layer is recorded once in a call."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

from redo_dopamine import collect, record


class Twice(nn.Module):
    @nn.compact
    def __call__(self, x):
        dense = nn.Dense(3, name="Dense_0")
        x = record(self, "Dense_0", dense(x))
        return record(self, "Dense_0", dense(x))


class Shared(nn.Module):
    @nn.compact
    def __call__(self, x):
        inner = Inner(name="inner")
        return inner(inner(x))


class Inner(nn.Module):
    @nn.compact
    def __call__(self, x):
        return record(self, "Dense_0", nn.Dense(3, name="Dense_0")(x))


class Other(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = record(self, "inner/Dense_0", x)
        return Inner(name="inner")(x)


@pytest.mark.parametrize("module", [Twice(), Shared(), Other()])
def test_a_name_that_is_recorded_twice(module):
    params = module.init(jax.random.PRNGKey(0), jnp.ones(3))
    with pytest.raises(ValueError, match="recorded"):
        collect(module.apply, params, jnp.ones((2, 3)))


def test_once_in_each_call_is_right():
    module = Inner()
    params = module.init(jax.random.PRNGKey(0), jnp.ones(3))
    for _ in range(2):
        found = collect(module.apply, params, jnp.ones((2, 3)))
        assert found["Dense_0"].shape == (2, 3)
