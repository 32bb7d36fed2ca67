import jax
import pytest

from helpers.interventions import TAU, make
from redo_dopamine.core.interventions import redo, redo_at_random

NETWORK = "dueling"


def recycled(case, key):
    _, _, _, metrics = case.at(20, jax.random.PRNGKey(key))
    return {name: int(value) for name, value in metrics.items()}


@pytest.mark.parametrize("key", range(3))
def test_it_recycles_as_many_of_each_layer_as_redo(key):
    expected = recycled(make(redo(TAU, 10), NETWORK), key)
    assert recycled(make(redo_at_random(TAU, 10), NETWORK), key) == expected
    assert sum(expected.values()) > 0


def test_which_neurons_it_recycles_is_left_to_chance():
    """Over many keys each neuron of the first layer is recycled; by ReDo a few are."""
    assert recycled_over_keys(redo_at_random(TAU, 10)) == set(range(6))
    assert 0 < len(recycled_over_keys(redo(TAU, 10))) < 6


def recycled_over_keys(factory):
    """Neurons of a first layer, whose weights no other recycle changes."""
    case = make(factory, "mlp")
    before = case.params["params"]["Dense_0"]["kernel"]
    found = set()
    for key in range(30):
        params, *_ = case.at(20, jax.random.PRNGKey(key))
        after = params["params"]["Dense_0"]["kernel"]
        found |= {int(i) for i in (before != after).any(axis=0).nonzero()[0]}
    return found


def test_a_threshold_below_zero_is_refused():
    with pytest.raises(ValueError, match="tau must be a finite number >= 0"):
        redo_at_random(-0.1)
