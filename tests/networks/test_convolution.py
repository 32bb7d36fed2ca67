import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helpers import trees
from redo_dopamine.core import jit
from redo_dopamine.networks.layers import Conv

IMAGES = np.random.default_rng(0).normal(size=(5, 9, 7, 3)).astype(np.float32)


def networks(**settings):
    """Ours and flax's, with the same settings."""
    kernel_init = nn.initializers.xavier_uniform()
    arguments = {"features": 4, "kernel_size": (3, 2), "kernel_init": kernel_init}
    return [kind(**arguments | settings) for kind in (Conv, nn.Conv)]


@pytest.fixture(params=[True, False], ids=["old runtime", "default"])
def runtime(request, monkeypatch):
    monkeypatch.setattr(jit, "HAS_OLD_RUNTIME", request.param)


@pytest.mark.usefixtures("runtime")
@pytest.mark.parametrize("settings", [{}, {"strides": (2, 2)}, {"padding": "VALID"}])
def test_parameters_and_outputs_are_those_of_flax(settings):
    ours, theirs = networks(bias_init=nn.initializers.normal(), **settings)
    params = theirs.init(jax.random.PRNGKey(1), IMAGES[0])
    trees.assert_same_bits(ours.init(jax.random.PRNGKey(1), IMAGES[0]), params)
    for states in (IMAGES, IMAGES[0]):
        found, expected = (net.apply(params, states) for net in (ours, theirs))
        assert trees.same_bits(found, expected)


@pytest.mark.usefixtures("runtime")
def test_gradients_are_those_of_flax_up_to_the_order_of_summation():
    ours, theirs = networks(strides=(2, 2))
    params = theirs.init(jax.random.PRNGKey(1), IMAGES[0])

    def loss(network, params, images):
        outputs = jax.vmap(lambda image: network.apply(params, image))(images)
        return jnp.sum(nn.relu(outputs) ** 2)

    found, expected = (
        jax.grad(loss, argnums=(1, 2))(net, params, IMAGES) for net in (ours, theirs)
    )
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), found, expected
    )
    assert float(jnp.abs(found[0]["params"]["bias"]).min()) > 1


def test_without_the_older_runtime_gradients_are_bit_for_bit_those_of_flax(monkeypatch):
    monkeypatch.setattr(jit, "HAS_OLD_RUNTIME", False)
    ours, theirs = networks()
    params = theirs.init(jax.random.PRNGKey(1), IMAGES[0])

    def gradient(network):
        return jax.jit(jax.grad(lambda p: jnp.sum(network.apply(p, IMAGES) ** 2)))

    trees.assert_same_bits(gradient(ours)(params), gradient(theirs)(params))


def test_the_bias_is_named_as_in_flax():
    ours, theirs = networks()
    paths = [
        jax.tree.map(jnp.shape, net.init(jax.random.PRNGKey(0), IMAGES[0]))
        for net in (ours, theirs)
    ]
    assert paths[0] == paths[1] == {"params": {"kernel": (3, 2, 3, 4), "bias": (4,)}}
