"""Continual backprop on one layer of three neurons, with every number by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from redo_dopamine.core.graph import Edge, Layer, NetworkGraph
from redo_dopamine.core.interventions import continual_backprop

GRAPH = NetworkGraph((Layer("h", ("in",), ("b",), (Edge(("out",)),)),))
OPTIMIZER = optax.adam(0.1)
PARAMS = {
    "in": jnp.full((1, 3), 5.0),
    "b": jnp.full(3, 5.0),
    "out": jnp.array([[1.0, -1.0], [0.5, 0.5], [2.0, 0.0]]),  # magnitudes 2, 1, 2
}


def draw(key):
    """Parameters that are 6 and the number of the step."""
    return jax.tree.map(lambda x: jnp.full_like(x, 6 + key[1]), PARAMS)


class Run:
    """Steps of one intervention, the parameters but for recycles unchanged."""

    def __init__(self, *settings):
        self.bound = continual_backprop(*settings)(GRAPH, draw, OPTIMIZER)
        self.params, self.opt_state = PARAMS, OPTIMIZER.init(PARAMS)
        self.state, self.step = self.bound.init(PARAMS), 0

    def __call__(self, *magnitudes):
        """Take a step; the neurons that were recycled."""
        self.step += 1
        before = self.params
        activations = {
            "h": jnp.array([magnitudes, magnitudes]) * jnp.array([[1], [-1]])
        }
        self.params, self.opt_state, self.state, metrics = self.bound.apply(
            *(
                jax.random.PRNGKey(self.step),
                before,
                self.opt_state,
                self.state,
                activations,
            ),
            self.step,
        )
        found = np.flatnonzero(self.params["in"][0] != before["in"][0])
        assert metrics["recycled/h"] == found.size
        return list(found)


def test_utilities_are_running_means_that_are_corrected_for_their_age():
    run = Run(0.0, 0, 0.5)
    assert run(1.0, 3.0, 0.0) == []
    memory = run.state["h"]
    np.testing.assert_allclose(memory.mean, [1.0, 1.5, 0.0])  # Halves of 2, 3, 0.
    np.testing.assert_array_equal(memory.age, [1, 1, 1])
    run(0.0, 1.0, 4.0)
    memory = run.state["h"]
    np.testing.assert_allclose(memory.mean, [0.5, 1.25, 4.0])
    np.testing.assert_array_equal(memory.age, [2, 2, 2])


def test_a_neuron_is_replaced_when_a_whole_one_is_owed():
    run = Run(0.125, 0, 0.5)  # Three eighths a step.
    assert [run(1.0, 3.0, 0.5) for _ in range(2)] == [[], []]
    assert float(run.state["h"].owed) == 0.75
    assert run(1.0, 3.0, 0.5) == [2]  # Utilities 2, 3 and 1.
    memory = run.state["h"]
    assert float(memory.owed) == 0.125
    assert int(memory.replaced) == 1
    np.testing.assert_array_equal(memory.age, [3, 3, 0])
    assert memory.mean[2] == 0
    np.testing.assert_array_equal(run.params["in"], [[5, 5, 9]])
    np.testing.assert_array_equal(run.params["b"], [5, 5, 9])
    np.testing.assert_array_equal(run.params["out"], [[1, -1], [0.5, 0.5], [0, 0]])


def test_a_young_neuron_is_spared_and_counts_not():
    run = Run(0.5, 2, 0.5)
    assert [run(1.0, 3.0, 0.5) for _ in range(2)] == [[], []]
    assert float(run.state["h"].owed) == 0  # None is older than two steps.
    assert run(1.0, 3.0, 0.5) == [2]  # Owed 1.5; of utility 1.
    assert run(1.0, 3.0, 0.0) == [0]  # Owed .5 + 2 halves; the youngest is spared.
    assert float(run.state["h"].owed) == 0.5


def test_a_replaced_neuron_competes_by_its_mean_since_then():
    run = Run(0.25, 0, 0.9)
    assert [run(1.0, 3.0, 0.5) for _ in range(2)] == [[], [2]]
    run.params = run.params | {"out": PARAMS["out"]}  # As if it had learned.
    # Neuron 0 has the mean .542 of three steps, 2 in truth; neuron 2 has the mean .4
    # of one step, 4 in truth.
    assert run(1.0, 3.0, 2.0) == [0]


def test_a_layer_that_cannot_be_scored_remembers_what_it_did():
    run = Run(0.5, 0, 0.5)
    run(1.0, 3.0, 0.5)
    before = run.state
    assert run(1.0, jnp.nan, 0.5) == []
    for old, new in zip(
        jax.tree.leaves(before), jax.tree.leaves(run.state), strict=True
    ):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"replacement_rate": 1.5},
            r"replacement_rate must be in \[0, 1\], but is 1.5",
        ),
        ({"decay": 1.0}, r"decay must be in \[0, 1\), but is 1.0"),
        ({"maturity": -1}, "maturity must be a whole number of steps"),
        ({"period": 0}, "period must be"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        continual_backprop(**settings)
