"""Whatever the trace says of a random network must be true."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from redo_dopamine.tracing import trace_network
from tracing.cases import draw
from tracing.random_networks import random_network


def check(seed, **options):
    """The number of layers that are recycled; the trace is true of all of them."""
    network = random_network(seed)
    found = trace_network(network.apply, network.params, network.example, **options)
    if found.graph.recyclable_layers:
        found.verify(draw(network.params, seed), network.example, seed=seed)
    return len(found.graph.recyclable_layers)


@settings(max_examples=25)
@example(375300, True)  # XLA folds this one's gather wrongly if it knows the inputs.
@given(st.integers(0, 2**31), st.booleans())
def test_what_is_found_of_a_random_network_is_true(seed, both):
    check(seed, linear=both, joint=both)


@pytest.mark.slow
@settings(max_examples=300)
@given(st.integers(0, 2**31), st.booleans())
def test_what_is_found_of_hundreds_is_true(seed, both):
    check(seed, linear=both, joint=both)


@pytest.mark.soak
@pytest.mark.timeout(3000)
@settings(max_examples=2000)
@given(st.integers(0, 2**31), st.booleans())
def test_what_is_found_of_thousands_is_true(seed, both):
    check(seed, linear=both, joint=both)


def test_most_random_networks_have_something_to_recycle():
    found = []
    for seed in range(60):
        network = random_network(seed)
        traced = trace_network(network.apply, network.params, network.example)
        found.append(len(traced.graph.recyclable_layers))
    assert sum(n > 0 for n in found) > 20
