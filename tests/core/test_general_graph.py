"""Recycling over graphs of the general form, against index arithmetic by hand."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import networks, trees
from redo_dopamine.core import neuron_index, scores
from redo_dopamine.core.graph import (
    Edge,
    Layer,
    NetworkGraph,
    NeuronIndex,
    Weights,
    resolve,
    validate,
)
from redo_dopamine.core.interventions import layer_reset, redo, spectral_norm
from redo_dopamine.core.interventions.recycling import View, live_norm, lowest_utility
from redo_dopamine.core.metrics import gradients
from redo_dopamine.core.neuron_index import along
from redo_dopamine.core.recycle import recycle

RNG = np.random.default_rng(0)
ADAM = optax.adam(1e-3)


def layer(name, width, incoming, outgoing, biases=()):
    fed = [Weights((path,), index) for path, index in incoming]
    fed += [Weights((path,), index, is_kernel=False) for path, index in biases]
    read = [Weights((path,), index) for path, index in outgoing]
    return Layer(name, width, tuple(fed), tuple(read))


# By name: shapes of the parameters, a layer, and by parameter the neuron of each entry,
# computed another way.
def grid(*shape, of):
    return np.fromfunction(np.vectorize(of, otypes=[int]), shape)


CASES = {
    "[out, in] kernels": (
        {"a": (4, 3), "b": (2, 4)},
        layer("h", 4, [("a", along(0))], [("b", along(1))]),
        {"a": grid(4, 3, of=lambda o, i: o)},
        {"b": grid(2, 4, of=lambda o, i: i)},
    ),
    "channel first, flattened": (
        {"a": (3, 3, 2, 4), "b": (4 * 6, 5)},
        layer("h", 4, [("a", along(-1))], [("b", along(0, repeat=6))]),
        {"a": grid(3, 3, 2, 4, of=lambda y, x, i, o: o)},
        {"b": grid(24, 5, of=lambda p, j: p // 6)},
    ),
    "channel last, flattened": (
        {"a": (2, 4), "b": (4 * 6, 5)},
        layer("h", 4, [("a", along(-1))], [("b", along(0, copies=6))]),
        {"a": grid(2, 4, of=lambda i, o: o)},
        {"b": grid(24, 5, of=lambda p, j: p % 4)},
    ),
    "skip concatenation": (
        {"a": (5, 4), "b": (12, 3)},
        layer("h", 4, [("a", along(-1))], [("b", along(0, start=5))]),
        {"a": grid(5, 4, of=lambda i, o: o)},
        {"b": grid(12, 3, of=lambda p, j: p - 5 if 5 <= p < 9 else -1)},
    ),
    "CReLU": (
        {"a": (5, 4), "b": (8, 3)},
        layer("h", 4, [("a", along(-1))], [("b", along(0, copies=2))]),
        {"a": grid(5, 4, of=lambda i, o: o)},
        {"b": grid(8, 3, of=lambda p, j: p % 4)},
    ),
    "grouped convolution": (
        {"a": (1, 4), "b": (3, 2, 6)},  # [width, in of a group, out], two groups.
        layer(
            "h",
            4,
            [("a", along(-1))],
            [("b", NeuronIndex([[[0, 0, 0, 2, 2, 2], [1, 1, 1, 3, 3, 3]]]))],
        ),
        {"a": grid(1, 4, of=lambda i, o: o)},
        {"b": grid(3, 2, 6, of=lambda x, i, o: 2 * (o // 3) + i)},
    ),
    "ensemble": (
        {"a": (2, 5, 3), "b": (2, 3, 1)},
        layer(
            "h",
            6,
            [("a", NeuronIndex(np.arange(6).reshape(2, 1, 3)))],
            [("b", NeuronIndex(np.arange(6).reshape(2, 3, 1)))],
        ),
        {"a": grid(2, 5, 3, of=lambda m, i, o: 3 * m + o)},
        {"b": grid(2, 3, 1, of=lambda m, i, o: 3 * m + i)},
    ),
    "scale and offset of a norm": (
        {"a": (5, 4), "scale": (4,), "offset": (4,), "b": (4, 3)},
        layer(
            "h",
            4,
            [("a", along(-1))],
            [("b", along(-2))],
            [("scale", along(0)), ("offset", along(0))],
        ),
        {
            "a": grid(5, 4, of=lambda i, o: o),
            "scale": np.arange(4),
            "offset": np.arange(4),
        },
        {"b": grid(4, 3, of=lambda i, o: i)},
    ),
    "a recurrent kernel": (
        {"a": (5, 4), "u": (4, 4), "b": (4, 3)},
        layer(
            "h",
            4,
            [("a", along(-1)), ("u", along(-1))],
            [("u", along(-2)), ("b", along(-2))],
        ),
        {
            "a": grid(5, 4, of=lambda i, o: o),
            "u": grid(4, 4, of=lambda i, o: o),
        },
        {"u": grid(4, 4, of=lambda i, o: i), "b": grid(4, 3, of=lambda i, o: i)},
    ),
    "fused gates": (
        {"a": (5, 12), "b": (4, 3)},
        layer("h", 4, [("a", along(-1, copies=3))], [("b", along(-2))]),
        {"a": grid(5, 12, of=lambda i, o: o % 4)},
        {"b": grid(4, 3, of=lambda i, o: i)},
    ),
}
every_case = pytest.mark.parametrize("name", CASES)


def drawn(name, seed):
    rng = np.random.default_rng(seed)
    shapes = CASES[name][0]
    return {k: jnp.asarray(rng.normal(size=s), jnp.float32) for k, s in shapes.items()}


def graph_of(name):
    return NetworkGraph((CASES[name][1],))


@settings(max_examples=10)
@given(st.integers(0, 2**32 - 1))
@every_case
def test_recycling_changes_what_the_index_says_and_nothing_else(name, seed):
    shapes, own, feeds, reads = CASES[name]
    params, fresh = drawn(name, 1), drawn(name, 2)
    mask = np.random.default_rng(seed).random(own.num_neurons) < 0.5
    state = ADAM.init(params)
    ones = jax.tree.map(lambda x: x + 1 if x.ndim else x + 7, state)
    validate(graph_of(name), params)
    run = functools.partial(recycle, graph_of(name), optimizer=ADAM)
    found, moments = run({"h": mask}, params, fresh, opt_state=ones)
    marked = np.append(mask, False)
    for path in shapes:
        nowhere = np.full(shapes[path], -1)
        fed = marked[feeds.get(path, nowhere)]
        read = marked[reads.get(path, nowhere)]
        expected = np.where(read, 0, np.where(fed, fresh[path], params[path]))
        assert trees.same_bits(found[path], expected.astype(np.float32)), path
        forgotten = np.where(fed | read, 0, ones[0].mu[path]).astype(np.float32)
        assert trees.same_bits(moments[0].mu[path], forgotten)
        assert trees.same_bits(moments[0].nu[path], forgotten)
    assert int(moments[0].count) == 7


@every_case
def test_one_trace_and_no_mask_of_full_size(name):
    params, traces = drawn(name, 1), []
    state = ADAM.init(params)

    @jax.jit
    def run(mask, fresh):
        traces.append(mask)
        return recycle(graph_of(name), {"h": mask}, params, fresh, state, ADAM)

    width = CASES[name][1].num_neurons
    for seed in range(3):
        run(np.random.default_rng(seed).random(width) < 0.5, drawn(name, seed))
    assert len(traces) == 1
    for weights in resolve(graph_of(name), params).layers[0].incoming:
        assert weights.neurons.array.size <= 3 * width


@every_case
def test_sums_and_spreads_follow_the_index(name):
    _, own, feeds, reads = CASES[name]
    params, width = drawn(name, 1), own.num_neurons
    shapes = {(k,): v.shape for k, v in params.items()}
    values = jnp.asarray(RNG.normal(size=width), jnp.float32)
    for weights, table in ((own.fed_by(shapes), feeds), (own.read_by(shapes), reads)):
        for (path,), index, _ in weights:
            ids, leaf = table[path], params[path]
            expected = [np.sum(np.asarray(leaf)[ids == n]) for n in range(width)]
            found = neuron_index.sum_by_neuron(leaf, index, width)
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
            counts = neuron_index.count_by_neuron(index, leaf.shape, width)
            assert counts.tolist() == [(ids == n).sum() for n in range(width)]
            each = np.broadcast_to(neuron_index.spread(values, index, 9), leaf.shape)
            assert trees.same_bits(each, np.append(values, np.float32(9))[ids])
            assert neuron_index.entries(leaf, index).size == (ids >= 0).sum()


@every_case
def test_metrics_and_interventions_take_the_general_form(name):
    _, own, _, _ = CASES[name]
    graph, params, fresh = graph_of(name), drawn(name, 1), drawn(name, 2)
    width = own.num_neurons
    activation = jnp.asarray(RNG.random((6, width)), jnp.float32)
    per_neuron = gradients.loss_gradient(
        graph, lambda p: sum(jnp.sum(x**2) for x in p.values()) / 2, params
    )
    assert per_neuron["h"].shape == (width,)
    assert np.all(per_neuron["h"] > 0)
    mask = {"h": jnp.arange(width) < 2}
    assert jax.tree.all(
        jax.tree.map(
            lambda x: jnp.all(jnp.isfinite(x)), live_norm(graph, mask, params, fresh)
        )
    )
    view = View(own, activation, params, 0, jax.random.PRNGKey(0))
    assert np.all(lowest_utility(view) > 0)
    held, _ = spectral_norm(0.1)(graph, lambda key: fresh, ADAM).constrain(
        params, ADAM.init(params), ()
    )
    assert jax.tree.map(jnp.shape, held) == jax.tree.map(jnp.shape, params)
    for factory in (redo(tau=0.5, period=1), layer_reset(1, period=1)):
        made = factory(graph, lambda key: fresh, ADAM)
        state, opt_state = made.init(params), ADAM.init(params)
        key = jax.random.PRNGKey(0)
        made.apply(key, params, opt_state, state, {"h": activation}, 1)


def test_the_short_form_is_the_general_one():
    short = Layer("h", ("a",), ("c",), (Edge(("b",), 2),))
    params = {"a": np.ones((5, 4)), "c": np.ones(4), "b": np.ones((8, 3))}
    general = Layer(
        "h",
        4,
        (
            Weights(("a",), NeuronIndex([[0, 1, 2, 3]])),
            Weights(("c",), NeuronIndex([0, 1, 2, 3]), is_kernel=False),
        ),
        (Weights(("b",), NeuronIndex(np.tile(np.arange(4), 2)[:, None])),),
    )
    assert resolve(NetworkGraph((short,)), params).layers == (general,)
    assert hash(general) == hash(resolve(NetworkGraph((general,)), params).layers[0])
    assert (short.kernel, short.bias, short.num_neurons) == (("a",), ("c",), None)
    assert Layer(*general) == general
    assert Layer(*short) == short
    by_name = {"num_neurons": 4, "incoming": general[2], "outgoing": general[3]}
    assert Layer("h", **by_name) == general


@pytest.mark.parametrize("name", ["nature_width_0.25", "dueling", "impala", "sac"])
def test_indices_are_equal_by_what_they_say(name):
    params = networks.params_of(name)
    graph = resolve(networks.ALL_CASES[name].graph, params)
    again = resolve(networks.ALL_CASES[name].graph, params)
    assert graph == again
    assert hash(graph) == hash(again)
    assert validate(graph, params) is None


def test_an_index_is_compressed():
    index = NeuronIndex(np.broadcast_to(np.arange(3), (4, 5, 3)))
    assert index.array.shape == (1, 1, 3)
    assert index == NeuronIndex([[[0, 1, 2]]])
    assert index != NeuronIndex([[0, 1, 2]])
    with pytest.raises(TypeError, match="must be whole numbers"):
        NeuronIndex([0.5])


WRONG = {
    "past the end": (
        along(0, start=2),
        r"repeat \* copies = 2 \+ 4",
    ),
    "no such axis": (along(3), "must stand on axis 3"),
    "a neuron too many": (NeuronIndex([[4], [0], [0], [0]]), r"be in \[-1, 4\)"),
    "of another rank": (NeuronIndex([0, 1, 2, 3]), "must broadcast to its shape"),
    "a list": ([0, 1, 2, 3], "must be a NeuronIndex or along"),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_an_index_that_does_not_fit_is_refused(mistake):
    index, message = WRONG[mistake]
    graph = NetworkGraph((layer("h", 4, [("a", along(-1))], [("b", index)]),))
    params = {"a": np.ones((5, 4)), "b": np.ones((4, 3))}
    with pytest.raises((TypeError, ValueError), match=message):
        validate(graph, params)


def test_two_layers_may_share_a_parameter_but_no_entry():
    params = {"a": np.ones((5, 4)), "c": np.ones((5, 2)), "b": np.ones((6, 3))}
    one = layer("one", 4, [("a", along(-1))], [("b", along(0))])
    two = layer("two", 2, [("c", along(-1))], [("b", along(0, start=4))])
    assert validate(NetworkGraph((one, two)), params) is None
    over = layer("two", 2, [("c", along(-1))], [("b", along(0, start=3))])
    with pytest.raises(ValueError, match=r"\['one', 'two'\] are all read by b"):
        validate(NetworkGraph((one, over)), params)


def test_utility_is_that_of_the_kernels():
    name = "dueling"
    params, case = networks.params_of(name), networks.CASES[name]
    leaves = trees.by_path(params)
    own = case.graph.layers[2]
    activation = networks.activations_of(name)(params, case.states(5))[own.name]
    view = View(own, activation, params, 0, jax.random.PRNGKey(0))
    expected = scores.utility(
        activation,
        jnp.asarray(leaves[own.kernel]),
        [jnp.asarray(leaves[edge.kernel]) for edge in own.outgoing],
    )
    assert trees.same_bits(lowest_utility(view), expected)


@pytest.mark.parametrize("name", ["axis", "copies", "repeat", "start"])
@pytest.mark.parametrize("value", [None, True, 1.0, float("nan"), "0", np.float32(1)])
def test_a_rule_takes_whole_numbers_only(name, value):
    with pytest.raises(TypeError, match=f"{name} must be a whole number, but is"):
        along(**({"axis": 0} | {name: value}))


@pytest.mark.parametrize(
    "numbers",
    [[2**32], np.array([2**64 - 1], np.uint64), [[-2], [0]], [2**31]],
    ids=str,
)
def test_an_index_holds_numbers_of_neurons(numbers):
    with pytest.raises(ValueError, match="must hold numbers of neurons"):
        NeuronIndex(np.array(numbers))
