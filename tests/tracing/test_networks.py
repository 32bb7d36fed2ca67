"""Networks of many kinds: found and verified, or declined with the right reason."""

import jax
import pytest

from redo_dopamine.tracing import trace_network
from tracing import (
    cases,
    networks_adversarial,
    networks_flax,
    networks_more,
    networks_other,
)

CASES = (
    networks_flax.CASES
    | networks_other.CASES
    | networks_adversarial.CASES
    | networks_more.CASES
)


def traced(name):
    case = CASES[name]
    network = case.make()
    found = trace_network(
        network.apply, network.params, network.example, **case.options
    )
    return network, found


@pytest.mark.parametrize("name", CASES)
def test_a_network_is_found_or_declined_and_what_is_found_is_true(name):
    case = CASES[name]
    network, found = traced(name)
    widths = {x.name: x.num_neurons for x in found.graph.recyclable_layers}
    assert widths == case.recyclable, str(found)
    reasons = {x.name: "; ".join(x.reasons) for x in found.declined}
    assert reasons.keys() == case.declined.keys(), str(found)
    for layer, part in case.declined.items():
        assert part in reasons[layer], reasons
    assert {"/".join(path) for path in found.unexplained} == case.unexplained
    params = cases.draw(network.params)
    found.verify(params, network.example, whole=False)
    shapes = jax.eval_shape(found.collect, params, network.example)
    for layer in found.graph.layers:
        assert shapes[layer.name].shape[-1] == layer.num_neurons
    assert all(layer.name in str(found) for layer in found.graph.layers)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_every_neuron_of_a_network_is_where_the_graph_says(name):
    network, found = traced(name)
    for seed in range(2):
        found.verify(cases.draw(network.params, seed), network.example, seed=seed)
