"""The rows of a dense kernel that a channel of the last convolution feeds."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from helpers import released
from redo_dopamine.core.recycle import recycle
from redo_dopamine.networks.nature import NatureNetwork

CHANNEL = 5
OWN_ROWS = {position * 64 + CHANNEL for position in range(121)}


@pytest.fixture(scope="module")
def params():
    """Parameters of the network at 84 x 84, all ones: only the shapes matter."""
    state = jax.ShapeDtypeStruct((84, 84, 4), jnp.uint8)
    init = NatureNetwork(num_actions=4).init
    shapes = jax.eval_shape(init, jax.random.PRNGKey(0), state)
    return jax.tree.map(lambda x: jnp.ones(x.shape), shapes)


def test_one_dead_channel_zeroes_exactly_its_rows_of_the_dense_kernel(params):
    graph = NatureNetwork(num_actions=4).graph((84, 84))
    masks = {"Conv_2": np.arange(64) == CHANNEL}
    optimizer = optax.sgd(1e-3)
    fresh = jax.tree.map(lambda x: 2 * x, params)
    new_params, _ = recycle(
        graph, masks, params, fresh, optimizer.init(params), optimizer
    )
    kernel = np.asarray(new_params["params"]["Dense_0"]["kernel"])
    assert kernel.shape == (7744, 512)
    assert set(np.flatnonzero(np.all(kernel == 0, axis=1))) == OWN_ROWS
    assert np.all(np.delete(kernel, list(OWN_ROWS), axis=0) == 1)


def test_the_released_implementation_zeroes_rows_of_other_channels(params):
    recycler = released.weight_recyclers.NeuronRecycler(["Conv_2", "Dense_0"])
    _, outgoing = recycler.create_mask_helper(
        jnp.arange(64) == CHANNEL,
        params["params"]["Conv_2"]["kernel"],
        params["params"]["Dense_0"]["kernel"],
    )
    rows = set(np.flatnonzero(np.all(outgoing, axis=1)))
    assert len(rows) == 121
    assert rows & OWN_ROWS == {645, 709}
