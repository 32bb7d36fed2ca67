"""The trace finds what the networks of this package declare."""

import collections
import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helpers import networks, trees
from redo_dopamine.core.graph import Edge, Layer, NetworkGraph, resolve, validate
from redo_dopamine.core.layer import Weights
from redo_dopamine.core.neuron_index import along
from redo_dopamine.core.scores import dormancy_score
from redo_dopamine.networks.capture import collect, loss_gradients, record
from redo_dopamine.tracing import check_graph, trace_network
from tracing import cases

# CReLU is recorded before it is applied, so that activations are not the same.
DOUBLED = [name for name in networks.ALL_CASES if "crelu" in name]
OTHERS = [name for name in networks.ALL_CASES if name not in DOUBLED]


@functools.cache
def shapes_of(name):
    case = networks.ALL_CASES[name]
    state = jax.ShapeDtypeStruct(case.state_shape, case.dtype)
    return jax.eval_shape(case.network.init, cases.key(), state), state


@functools.cache
def traced(name, vmapped=False):
    apply, (params, state) = networks.ALL_CASES[name].network.apply, shapes_of(name)
    if vmapped:
        apply = jax.vmap(apply, in_axes=(None, 0))
        state = jax.ShapeDtypeStruct((3, *state.shape), state.dtype)
    return trace_network(apply, params, state, linear="identity" in name)


def content(graph):
    """Layers apart from their names and their order."""
    return {
        (
            layer.num_neurons,
            frozenset((x.path, x.neurons) for x in layer.incoming),
            frozenset((x.path, x.neurons) for x in layer.outgoing),
            layer.recyclable,
        ): layer.name
        for layer in graph.layers
    }


@pytest.mark.parametrize("vmapped", [False, True])
@pytest.mark.parametrize("name", networks.ALL_CASES)
def test_the_derived_graph_is_the_declared_one(name, vmapped):
    case, (params, _) = networks.ALL_CASES[name], shapes_of(name)
    found = traced(name, vmapped)
    declared = resolve(case.graph, params)
    assert content(found.graph).keys() == content(declared).keys()
    assert validate(found.graph, params) is None
    coupled = {
        x for x, notes in found.notes.items() if any("coupled" in n for n in notes)
    }
    assert bool(coupled) == (name in networks.COUPLED_CASES)
    if case.graph.heads:
        assert set(found.graph.heads) == set(case.graph.heads)


@pytest.mark.parametrize("name", networks.ALL_CASES)
def test_a_declared_graph_passes_the_check(name):
    case = networks.ALL_CASES[name]
    assert check_graph(case.graph, case.network.apply, *shapes_of(name)) == ()


def paired(name):
    """Names of the derived layers by those of the declared ones."""
    declared = content(resolve(networks.ALL_CASES[name].graph, shapes_of(name)[0]))
    derived = content(traced(name).graph)
    return {declared[key]: derived[key] for key in declared}


@pytest.mark.parametrize("name", ["mlp", "dueling", "impala", "drq", "sac"])
def test_activations_are_those_that_are_recorded_bit_for_bit(name):
    case, params = networks.ALL_CASES[name], networks.params_of(name)
    states = case.states(4)
    found = jax.jit(traced(name).collect)(params, states)
    expected = networks.activations_of(name)(params, states)
    for declared, derived in paired(name).items():
        assert trees.same_bits(found[derived], expected[declared]), declared


@pytest.mark.parametrize("name", ["nature_crelu", "impala_crelu", "sac_crelu"])
def test_scores_behind_a_crelu_are_those_that_are_recorded(name):
    case, params = networks.ALL_CASES[name], networks.params_of(name)
    states = case.states(4)
    found = traced(name).collect(params, states)
    expected = networks.activations_of(name)(params, states)
    for declared, derived in paired(name).items():
        np.testing.assert_allclose(
            dormancy_score(found[derived]),
            dormancy_score(expected[declared]),
            rtol=1e-4,
            atol=1e-6,
        )


@pytest.mark.parametrize("name", ["mlp", "minatar", "dueling"])
def test_gradients_in_activations_are_those_of_record(name):
    case, params = networks.ALL_CASES[name], networks.params_of(name)
    batch = {"state": case.states(3)}

    def value(outputs):
        return sum(jnp.sum(jnp.sin(x)) for x in jax.tree.leaves(outputs))

    def recorded_loss(params, batch):
        return value(case.network.apply(params, batch["state"][0]))

    expected = loss_gradients(case.network.apply, recorded_loss, params, batch)
    found = traced(name).loss_gradients(
        lambda p, example: value(case.network.apply(p, example["state"])),
        params,
        batch,
    )
    for declared, derived in paired(name).items():
        assert np.any(expected[declared])
        np.testing.assert_allclose(
            found[derived], expected[declared], rtol=1e-6, atol=1e-7
        )


def test_the_check_names_what_is_wrong():
    case, shapes = networks.ALL_CASES["dueling"], shapes_of("dueling")
    check = functools.partial(check_graph, apply=case.network.apply)
    first, second, last = case.graph.layers

    def of(*layers):
        return check(NetworkGraph(layers), params=shapes[0], example=shapes[1])

    one_head = last._replace(outgoing=last.outgoing[:1])
    with pytest.raises(ValueError, match=r"'Dense_0'.*value/kernel read it, too"):
        of(first, second, one_head)
    no_bias = first._replace(bias=None)
    with pytest.raises(ValueError, match=r"'Conv_0'.*Conv_0/bias feed it, too"):
        of(no_bias, second, last)
    assert of(first, last) == ()


def test_the_check_finds_another_order_of_a_flatten():
    from core.test_graph_probe import ChannelFirstFlatten

    network, state = ChannelFirstFlatten(), jnp.zeros((7, 5, 2))
    params = jax.eval_shape(network.init, cases.key(), state)
    with pytest.raises(ValueError, match=r"'Conv_1'.*kernel has its neurons in"):
        check_graph(network.graph((7, 5)), network.apply, params, state)
    found = trace_network(network.apply, params, state)
    index = resolve(found.graph, params).layers[1].outgoing[0].neurons.array
    assert index.ravel().tolist() == np.repeat(np.arange(3), 12).tolist()


def test_the_check_declines_a_stream_that_is_called_recyclable():
    case = networks.ALL_CASES["impala"]
    layers = tuple(x._replace(recyclable=True) for x in case.graph.layers)
    with pytest.raises(ValueError, match="residual stream"):
        check_graph(NetworkGraph(layers), case.network.apply, *shapes_of("impala"))


def _two_dense():
    """A network of two hidden layers of 4 that records both, and how to write it."""

    class Network(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = record(self, "Dense_0", nn.relu(nn.Dense(4)(x)))
            x = record(self, "Dense_1", nn.relu(nn.Dense(4)(x)))
            return nn.Dense(2, name="out")(x)

    network = Network()
    states = jax.random.normal(jax.random.PRNGKey(0), (16, 3))
    params = network.init(jax.random.PRNGKey(1), states[0])
    recorded = collect(network.apply, params, states)

    def graph(first, second, heads=(), is_kernel=False):
        weights = [("params", name, "kernel") for name in ("Dense_0", "Dense_1", "out")]
        bias = Weights(("params", "Dense_0", "bias"), along(-1), is_kernel)
        layers = (
            Layer(
                name=first,
                incoming=(Weights(weights[0], along(-1)), bias),
                outgoing=(Edge(weights[1]),),
            ),
            Layer(
                second, weights[1], ("params", "Dense_1", "bias"), (Edge(weights[2]),)
            ),
        )
        return NetworkGraph(layers, heads)

    return graph, (network.apply, params, states, recorded)


def test_names_heads_and_kinds_of_weights_are_checked():
    graph, network = _two_dense()
    out, hidden = ("params", "out", "kernel"), ("params", "Dense_1", "kernel")
    assert check_graph(graph("Dense_0", "Dense_1", (out,)), *network) == ()
    for wrong, said in (
        (graph("Dense_1", "Dense_0"), "what is recorded under a layer's name"),
        (graph("Dense_0", "Dense_2"), "must have the name"),
        (graph("Dense_0", "Dense_1", (hidden,)), "heads of a graph must be different"),
        (graph("Dense_0", "Dense_1", (out, out)), "heads of a graph must be different"),
        (graph("Dense_0", "Dense_1", is_kernel=True), "is_kernel must be True for"),
    ):
        with pytest.raises(ValueError, match=said):
            check_graph(wrong, *network)


@pytest.mark.parametrize(
    "build",
    [
        lambda x: nn.PReLU()(nn.Dense(6)(x)),
        lambda x: nn.relu(nn.Dense(6)(x))[..., np.array([1, 0, 2, 4, 3, 5])],
    ],
    ids=["a scalar parameter", "a constant permutation"],
)
def test_a_layer_is_found_behind(build):
    class Network(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Dense(2)(build(x))

    state = jnp.arange(4.0)
    params = Network().init(jax.random.PRNGKey(0), state)
    traced = trace_network(Network().apply, params, state)
    assert [x.num_neurons for x in traced.graph.recyclable_layers] == [6]
    traced.verify(params, state)


def test_a_parameter_without_entries_is_refused():
    params = {"a": jnp.ones((3, 4)), "z": jnp.ones((3, 0)), "o": jnp.ones((4, 2))}
    with pytest.raises(ValueError, match=r"but z has shape \(3, 0\)"):
        trace_network(lambda p, x: x @ p["a"] @ p["o"], params, jnp.ones(3))


def _dense(params, x):
    return jax.nn.relu(x @ params["a"]) @ params["b"] @ params["c"]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda p: {k: p[k] for k in "ab"},
        lambda p: p | {"d": p["a"]},
        lambda p: p | {"a": p["a"][:, :3]},
        lambda p: collections.OrderedDict((k, p[k]) for k in "bac"),
        lambda p: None,
        lambda p: list(p.values()),
    ],
    ids=["missing", "more", "another shape", "another order", "none", "a list"],
)
def test_another_tree_of_parameters_is_refused(wrong):
    params = {k: jnp.eye(4) for k in "abc"}
    found = trace_network(_dense, params, jnp.ones(4))
    for use in (found.collect, found.verify):
        with pytest.raises(ValueError, match="tree of parameters"):
            use(wrong(params), jnp.ones(4))


def test_a_random_key_among_parameters_and_outputs_is_left_alone():
    params = {k: jnp.eye(4) for k in "abc"} | {"key": jax.random.key(0)}

    def apply(p, x):
        return _dense(p, x), p["key"], jax.random.key(1)

    found = trace_network(apply, params, jnp.ones(4))
    found.verify(params, jnp.arange(4.0))


def test_a_function_that_remembers_its_calls_is_found_out():
    calls = []

    def apply(p, x):
        calls.append(x)
        return _dense(p, x) * len(calls)

    params = {k: jnp.eye(4) for k in "abc"}
    found = trace_network(apply, params, jnp.ones(4))
    with pytest.raises(ValueError, match="must be pure"):
        found.verify(params, jnp.arange(4.0))
