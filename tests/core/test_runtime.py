"""What XLA's older runtime cannot compile leaves it; all else stays."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

from redo_dopamine.core import jit


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
