"""What XLA's older runtime cannot compile leaves it; all else stays."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

from redo_dopamine.core import jit
from redo_dopamine.networks.layers import crelu, deep_fourier
from redo_dopamine.networks.nature import MinatarNetwork


class Pooled(nn.Module):
    channels: int

    @nn.compact
    def __call__(self, x):
        x = nn.Conv(self.channels, (1, 1))(x)
        return jax.jit(lambda y: nn.max_pool(y, (3, 3), strides=(2, 2)))(x).sum()


@pytest.mark.parametrize(("channels", "leaves"), [(32, False), (33, True)])
def test_a_network_that_pools_too_much_leaves_the_older_runtime(
    channels, leaves, monkeypatch
):
    monkeypatch.setattr(jit, "HAS_OLD_RUNTIME", True)
    monkeypatch.setattr(jit, "_is_left", False)
    state = jnp.zeros((84, 84, 4))
    jit.choose_runtime(
        lambda key: Pooled(channels).init(key, state), jnp.zeros(2, "u4")
    )
    assert jit.in_old_runtime() is not leaves
    jit.choose_runtime(lambda key: Pooled(1).init(key, state), jnp.zeros(2, "u4"))
    assert jit.in_old_runtime()  # Each network has its own, whatever came before.


@pytest.mark.parametrize(
    ("activation", "leaves"),
    [(crelu, False), (jnp.sin, False), (jnp.cos, False), (deep_fourier, True)],
)
def test_a_network_of_sines_and_cosines_leaves_the_older_runtime(
    activation, leaves, monkeypatch
):
    monkeypatch.setattr(jit, "_is_left", False)
    network = MinatarNetwork(3, width=0.1, activation=activation)
    states = jnp.zeros((32, 6, 4, 3, 1), "u1")
    jit.choose_runtime(lambda key: network.init(key, states[0]), jnp.zeros(2, "u4"))
    assert jit._is_left is (leaves and jit.HAS_OLD_RUNTIME)
    params = network.init(jax.random.PRNGKey(0), states[0])

    def loss(params, states, actions):
        values = jax.vmap(lambda x: network.apply(params, x).q_values)(states)
        return jnp.mean(jnp.take_along_axis(values, actions[:, None], 1) ** 2)

    jit.compiled(jax.grad(loss))(params, states, jnp.zeros(32, int))  # It ends.
