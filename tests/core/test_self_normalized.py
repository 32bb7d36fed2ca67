"""Self-normalized resets on one layer of three neurons, with every number by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from redo_dopamine.core.graph import Edge, Layer, NetworkGraph
from redo_dopamine.core.interventions import self_normalized_resets

GRAPH = NetworkGraph((Layer("h", ("in",), ("b",), (Edge(("out",)),)),))
OPTIMIZER = optax.adam(0.1)
PARAMS = {"in": jnp.ones((1, 3)), "b": jnp.ones(3), "out": jnp.ones((3, 2))}


def run(firing, **settings):
    """What is recycled at each step, and the memory after the last."""
    bound = self_normalized_resets(**settings)(GRAPH, lambda key: PARAMS, OPTIMIZER)
    params, opt_state, state = PARAMS, OPTIMIZER.init(PARAMS), bound.init(PARAMS)
    found = []
    for step, fires in enumerate(firing, 1):
        # The first of two states is always silent; below 0 is silent too.
        h = jnp.array([[0.0] * 3, [1.0 if x == "1" else -1.0 for x in fires]])
        *learner, state, metrics = bound.apply(
            jax.random.PRNGKey(0), params, opt_state, state, {"h": h}, step
        )
        found.append(int(metrics["recycled/h"]))
        silenced = learner[0]["out"].sum(axis=1) == 0
        assert int(silenced.sum()) == found[-1]
    return found, state["h"]


def test_a_neuron_is_recycled_at_its_threshold_and_its_silence_begins_again():
    settings = {"threshold": 2, "longest": 4, "threshold_period": 99}
    found, memory = run(["101", "100", "100", "101", "100"], **settings)
    assert found == [0, 1, 1, 1, 0]  # Neuron 1, 2, and 1 again.
    np.testing.assert_array_equal(memory.age, [0, 1, 1])
    assert int(memory.replaced) == 3
    # Of neuron 0 five firings after none; of neuron 1 two silences of length 2; of
    # neuron 2 a firing, a silence of length 2, and a firing.
    expected = [[5, 0, 0, 0, 0], [0, 0, 2, 0, 0], [2, 0, 1, 0, 0]]
    np.testing.assert_array_equal(memory.lengths, expected)


def test_thresholds_fall_to_the_quantile_of_silences_or_double():
    settings = {"threshold": 3, "longest": 5, "threshold_period": 6, "quantile": 0.5}
    # Neuron 0 is silent for 1, 1, 2; neuron 1 never; neuron 2 always.
    found, memory = run(["010", "110", "010", "110", "010", "010"], **settings)
    assert found == [0, 0, 1, 0, 0, 1]
    np.testing.assert_array_equal(memory.threshold, [1, 1, 5])  # Twice 3, at most 5.
    np.testing.assert_array_equal(memory.lengths, np.zeros((3, 6)))
    assert int(memory.steps) == 0


def test_a_layer_that_cannot_be_scored_remembers_what_it_did():
    bound = self_normalized_resets()(GRAPH, lambda key: PARAMS, OPTIMIZER)
    state = bound.init(PARAMS)
    h = {"h": jnp.full((2, 3), jnp.nan)}
    args = jax.random.PRNGKey(0), PARAMS, OPTIMIZER.init(PARAMS), state, h, 1
    after = bound.apply(*args)[2]
    for old, new in zip(jax.tree.leaves(state), jax.tree.leaves(after), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"quantile": 0.0}, r"quantile must be in \(0, 1\], but is 0.0"),
        ({"longest": 0}, "longest must be a whole number of steps"),
        ({"threshold_period": 1.5}, "threshold_period must be a whole number"),
        ({"threshold": 300}, "threshold must be at most longest, 200, but is 300"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        self_normalized_resets(**settings)
