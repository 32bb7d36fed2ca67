import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helpers.trees import assert_same_bits
from redo_dopamine.core.jit import unrolled
from redo_dopamine.networks.nature import NatureNetwork


@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 5), (129, 65)])
@pytest.mark.parametrize("seed", [0, 1, 2**31 - 1])
@pytest.mark.parametrize(
    "draw",
    [
        jax.random.bits,
        jax.random.uniform,
        jax.random.normal,
        lambda key, shape: jax.random.bits(key, shape, jnp.uint8),
        lambda key, shape: jax.random.randint(key, shape, 0, 10),
    ],
)
def test_numbers_are_those_of_the_plain_key(draw, seed, shape):
    key = jax.random.PRNGKey(seed)
    np.testing.assert_array_equal(draw(unrolled(key), shape), draw(key, shape))


def test_derived_keys_are_those_of_the_plain_key():
    key = jax.random.PRNGKey(5)
    for derive in (
        lambda k: jax.random.split(k)[1],
        lambda k: jax.random.fold_in(k, 9),
    ):
        np.testing.assert_array_equal(
            jax.random.uniform(derive(unrolled(key)), (9,)),
            jax.random.uniform(derive(key), (9,)),
        )


def test_numbers_are_the_same_over_many_keys_at_once():
    keys = jax.random.split(jax.random.PRNGKey(2), 4)
    np.testing.assert_array_equal(
        jax.vmap(lambda key: jax.random.uniform(unrolled(key), (5,)))(keys),
        jax.vmap(lambda key: jax.random.uniform(key, (5,)))(keys),
    )


@pytest.mark.parametrize(
    "initializer", ["xavier_uniform", "orthogonal", "lecun_normal"]
)
def test_initializers_draw_the_same(initializer):
    draw = getattr(nn.initializers, initializer)()
    key = jax.random.PRNGKey(3)
    np.testing.assert_array_equal(draw(unrolled(key), (6, 4)), draw(key, (6, 4)))


def test_a_network_gets_the_same_parameters():
    network, state = NatureNetwork(num_actions=3, width=0.125), jnp.zeros((20, 20, 2))
    key = jax.random.PRNGKey(11)
    assert_same_bits(network.init(unrolled(key), state), network.init(key, state))
