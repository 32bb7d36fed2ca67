"""Every graph tells the truth about its network, and the probe can tell."""

import flax.linen as nn
import jax
import pytest

from helpers import networks, probe
from helpers.networks import Case, DuelingConvNet, Mlp, kernel
from redo_dopamine.core.graph import Edge, NetworkGraph, validate
from redo_dopamine.networks.capture import record


def faults(case, graph=None):
    state = case.states(1)[0]
    params = jax.jit(case.network.init)(jax.random.PRNGKey(0), state)
    graph = graph or case.graph
    validate(graph, params)
    return probe.faults(case.network.apply, params, case.states(4), graph)


@pytest.mark.parametrize("name", networks.CASES)
def test_the_graph_of_every_network_is_true(name):
    assert faults(networks.CASES[name]) == []


def with_layer(graph, index, **changes):
    layers = list(graph.layers)
    layers[index] = layers[index]._replace(**changes)
    return NetworkGraph(tuple(layers))


def test_the_probe_finds_a_kernel_of_the_right_shape_that_reads_another_layer():
    graph = Mlp().graph()
    skipping = with_layer(graph, 0, outgoing=(Edge(kernel("Dense_2")),))
    # On its own, or validate would find two layers that share a kernel.
    found = faults(networks.CASES["mlp"], NetworkGraph(skipping.layers[:1]))
    assert "Dense_0[0] reaches the output past its outgoing weights" in found


def test_the_probe_finds_a_head_that_was_left_out():
    case = networks.CASES["dueling"]
    one_head = with_layer(case.graph, 2, outgoing=(Edge(kernel("advantage")),))
    found = faults(case, one_head)
    assert found
    assert {fault.split("[")[0] for fault in found} == {"Dense_0"}
    assert all("reaches the output past" in fault for fault in found)


class TwoStreams(nn.Module):
    """Two parallel layers of one width, each with its own reader."""

    @nn.compact
    def __call__(self, x):
        left = record(self, "Dense_0", nn.relu(nn.Dense(4)(x)))
        right = record(self, "Dense_1", nn.relu(nn.Dense(4)(x)))
        return nn.Dense(2)(left) + nn.Dense(2)(right)


def test_the_probe_finds_an_edge_too_many():
    graph = NetworkGraph(
        (
            networks.Layer(
                "Dense_0",
                kernel("Dense_0"),
                None,
                (Edge(kernel("Dense_2")), Edge(kernel("Dense_3"))),
            ),
        )
    )
    found = faults(Case(TwoStreams(), graph, (3,)))
    assert "Dense_0[0] is not read by params/Dense_3/kernel" in found
    assert all("is not read by params/Dense_3/kernel" in fault for fault in found)


class ChannelFirstFlatten(DuelingConvNet):
    """Flattens channel first, so that rows are ordered by `repeat`, not `tile`."""

    @nn.compact
    def __call__(self, x):
        x = record(self, "Conv_0", nn.relu(nn.Conv(4, (3, 3), (2, 2))(x)))
        x = record(self, "Conv_1", nn.relu(nn.Conv(3, (2, 2))(x)))
        x = x.transpose(2, 0, 1).reshape(-1)
        x = record(self, "Dense_0", nn.relu(nn.Dense(5)(x)))
        return nn.Dense(1, name="value")(x) + nn.Dense(3, name="advantage")(x)


def test_the_probe_finds_a_flatten_in_another_order():
    network = ChannelFirstFlatten()
    found = faults(Case(network, network.graph((7, 5)), (7, 5, 2)))
    assert found
    assert {fault.split("[")[0] for fault in found} == {"Conv_1"}


def test_the_probe_leaves_record_as_it_was():
    faults(networks.CASES["mlp"])
    assert networks.record is record
    assert probe.record is record
