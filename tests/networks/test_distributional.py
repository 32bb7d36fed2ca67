import flax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helpers import trees

from redo_dopamine import compat  # noqa: F401  isort: skip  Before Dopamine.
from dopamine.jax import networks as dopamine_networks

from redo_dopamine.networks import distributional
from redo_dopamine.networks.layers import crelu
from redo_dopamine.tracing.traced import check_graph

STATE = np.random.default_rng(0).integers(0, 256, (20, 12, 2), np.uint8)
KEY = jax.random.PRNGKey(3)
SUPPORT = jnp.linspace(-1.0, 1.0, 5)
QUANTILES = {"num_quantiles": 4, "rng": KEY}
# Ours, Dopamine's, the second field, and what a call takes besides a state.
CASES = {
    "c51": ("NatureC51Network", "RainbowNetwork", 5, {"support": SUPPORT}),
    "quantile": ("NatureQuantileNetwork", "QuantileNetwork", 5, {}),
    "iqn": (
        *("NatureImplicitQuantileNetwork", "ImplicitQuantileNetwork"),
        *(6, QUANTILES),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_parameters_and_outputs_are_those_of_dopamines_network(case):
    name, theirs, size, inputs = CASES[case]
    ours = getattr(distributional, name)(3, size)
    theirs = getattr(dopamine_networks, theirs)(3, size)
    params = ours.init(KEY, STATE, **inputs)
    expected = theirs.init(KEY, STATE, **inputs)
    trees.assert_same_bits(params, flax.core.unfreeze(expected))
    found = ours.apply(params, STATE, **inputs)
    output = theirs.apply(params, STATE, **inputs)
    assert found._fields == output._fields
    assert np.ptp(found[0]) > 0
    trees.assert_same_bits(tuple(found), tuple(output))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("activation", [jax.nn.relu, crelu])
def test_the_graph_is_that_of_the_program(case, activation):
    name, _, size, inputs = CASES[case]
    network = getattr(distributional, name)(3, size, width=0.125, activation=activation)
    params = network.init(KEY, STATE, **inputs)
    graph = network.graph(STATE.shape[:2])
    check_graph(graph, lambda p, x: network.apply(p, x, **inputs), params, STATE)
    kept = [x.name for x in graph.layers if not x.recyclable]
    assert kept == (["Conv_2"] if case == "iqn" else [])
    assert graph.layers[-1].width(
        {x: y.shape for x, y in trees.by_path(params).items()}
    ) == (64)
