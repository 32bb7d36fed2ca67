"""The network for MinAtar: shapes, widths, and what it computes, by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from redo_dopamine.core import graph
from redo_dopamine.networks.capture import collect
from redo_dopamine.networks.nature import MinatarNetwork

STATE = jnp.zeros((10, 10, 6, 1), jnp.uint8)


def shapes(width):
    params = jax.eval_shape(
        MinatarNetwork(6, width=width).init, jax.random.PRNGKey(0), STATE
    )
    return {path[1:]: x.shape for path, x in graph.leaves_by_path(params).items()}


@pytest.mark.parametrize(
    ("width", "channels", "units"), [(1, 16, 128), (2, 32, 256), (0.3, 5, 39)]
)
def test_width_multiplies_every_layer_but_the_head(width, channels, units):
    assert shapes(width) == {
        ("Conv_0", "kernel"): (3, 3, 6, channels),
        ("Conv_0", "bias"): (channels,),
        ("Dense_0", "kernel"): (100 * channels, units),
        ("Dense_0", "bias"): (units,),
        ("Dense_1", "kernel"): (units, 6),
        ("Dense_1", "bias"): (6,),
    }


def test_channels_and_stacked_observations_are_inputs_alike():
    network = MinatarNetwork(3, width=0.25)
    states = np.random.default_rng(0).integers(2, size=(1, 10, 10, 4, 2))
    params = network.init(jax.random.PRNGKey(0), states[0])
    found = collect(network.apply, params, jnp.asarray(states))["Conv_0"][0]
    kernel = params["params"]["Conv_0"]["kernel"]
    padded = np.pad(states[0].reshape(10, 10, 8), ((1, 1), (1, 1), (0, 0)))
    for i, j in ((0, 0), (4, 7), (9, 9)):
        patch = padded[i : i + 3, j : j + 3]
        expected = np.maximum(np.einsum("hwc,hwcn->n", patch, kernel), 0)
        np.testing.assert_allclose(found[i, j], expected, atol=1e-5)
