import functools
import re

import flax
import jax
import pytest

from helpers import networks
from helpers.networks import Mlp, bias, kernel
from redo_dopamine.core.graph import (
    Edge,
    Layer,
    NetworkGraph,
    leaves_by_path,
    validate,
)

CASE = networks.CASES["dueling"]
CONV_0, CONV_1, DENSE_0 = CASE.graph.layers


def check(*layers):
    validate(NetworkGraph(layers), networks.params_of("dueling"))


@pytest.mark.parametrize("name", networks.CASES)
def test_the_graph_of_every_network_fits_its_parameters(name):
    params = networks.params_of(name)
    graph = networks.CASES[name].graph
    assert validate(graph, params) is None
    recorded = networks.activation_shapes(name)
    widths = {x.name: leaves_by_path(params)[x.kernel].shape[-1] for x in graph.layers}
    assert widths == {layer: shape[-1] for layer, shape in recorded.items()}


@pytest.mark.parametrize(
    "convert",
    [flax.core.freeze, lambda params: jax.eval_shape(lambda: params)],
    ids=["FrozenDict", "shapes"],
)
def test_frozen_parameters_and_shapes_are_read_like_plain_ones(convert):
    params = convert(networks.params_of("dueling"))
    validate(CASE.graph, params)
    wrong = NetworkGraph((CONV_0._replace(bias=bias("Dense_0")),))
    with pytest.raises(ValueError, match="the bias must have one entry per neuron"):
        validate(wrong, params)


def test_leaves_by_path_names_every_leaf():
    params = networks.params_of("nested")
    leaves = leaves_by_path(params)
    assert len(leaves) == len(jax.tree.leaves(params)) == 6
    path = ("params", "Torso_0", "Dense_0", "kernel")
    assert leaves[path] is params["params"]["Torso_0"]["Dense_0"]["kernel"]


def test_recyclable_layers_leaves_out_those_that_are_not():
    graph = NetworkGraph((CONV_0, CONV_1._replace(recyclable=False), DENSE_0))
    assert graph.recyclable_layers == (CONV_0, DENSE_0)


@pytest.mark.parametrize("field", ["kernel", "bias", "outgoing"])
def test_an_unknown_path_is_an_error_that_lists_the_known_ones(field):
    path = ("params", "Dens_0", "kernel")
    value = (Edge(path),) if field == "outgoing" else path
    known = [
        f"params/{module}/{weight}"
        for module in ("Conv_0", "Conv_1", "Dense_0", "advantage", "value")
        for weight in ("bias", "kernel")
    ]
    message = (
        "Layer 'Conv_0': path params/Dens_0/kernel is not in the parameter tree. "
        f"Use one of: {', '.join(known)}."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        check(CONV_0._replace(**{field: value}))


def test_a_bias_of_another_width_is_an_error():
    message = (
        r"Layer 'Conv_0': the bias must have one entry per neuron, \(4,\) as in "
        r"kernel params/Conv_0/kernel \(3, 3, 2, 4\), but params/Conv_1/bias has "
        r"shape \(3,\)\. Name the bias that belongs to this kernel\."
    )
    with pytest.raises(ValueError, match=message):
        check(CONV_0._replace(bias=bias("Conv_1")))


def test_wrong_copies_are_an_error_that_says_which_would_fit():
    message = (
        r"Layer 'Conv_1': an outgoing kernel must have neurons \* copies = 3 \* 1 = 3 "
        r"inputs, but params/Dense_0/kernel has shape \(36, 5\)\. .* "
        r"copies=12 would fit\.$"
    )
    with pytest.raises(ValueError, match=message):
        check(CONV_1._replace(outgoing=(Edge(kernel("Dense_0")),)))


def test_no_copies_are_suggested_where_none_would_fit():
    with pytest.raises(ValueError, match="must have neurons") as error:
        check(DENSE_0._replace(outgoing=(Edge(kernel("Dense_0")),)))
    assert "would fit" not in str(error.value)


def test_an_outgoing_path_that_is_no_kernel_is_an_error():
    with pytest.raises(ValueError, match=r"params/Conv_1/bias has shape \(3,\)"):
        check(CONV_0._replace(outgoing=(Edge(bias("Conv_1")),)))


@pytest.mark.parametrize("copies", [0, -1])
def test_copies_below_one_are_an_error(copies):
    message = f"copies must be a whole number and at least 1, but is {copies} for"
    with pytest.raises(ValueError, match=message):
        check(CONV_1._replace(outgoing=(Edge(kernel("Dense_0"), copies),)))


def test_a_name_used_twice_is_an_error():
    message = r"Layer names must be unique, but \['Conv_0'\] stand more than once"
    with pytest.raises(ValueError, match=message):
        check(CONV_0, CONV_1._replace(name="Conv_0"), DENSE_0)


def test_a_recyclable_layer_that_nothing_reads_is_an_error():
    message = "'Dense_0': a recyclable layer must have an outgoing kernel"
    with pytest.raises(ValueError, match=message):
        check(DENSE_0._replace(outgoing=()))


def test_a_layer_to_track_only_needs_no_outgoing_kernel():
    layer = DENSE_0._replace(outgoing=(), recyclable=False)
    assert check(CONV_0, layer) is None


@pytest.mark.parametrize(
    ("first", "second", "verb"),
    [
        ("Dense_0", "Dense_0", "fed by params/Dense_0/kernel"),
        ("Dense_0", "Dense_1", "read by params/Dense_2/kernel"),
    ],
)
def test_weights_shared_by_two_recyclable_layers_are_an_error(first, second, verb):
    params = networks.params_of("mlp")
    one = Layer("one", kernel(first), None, (Edge(kernel("Dense_2")),))
    readers = "Dense_1" if first == second else "Dense_2"
    two = Layer("two", kernel(second), None, (Edge(kernel(readers)),))
    with pytest.raises(ValueError, match=rf"layers \['one', 'two'\] are all {verb}"):
        validate(NetworkGraph((one, two)), params)
    tracked = one._replace(recyclable=False), two._replace(recyclable=False)
    assert validate(NetworkGraph(tracked), params) is None


def test_a_bias_shared_by_two_recyclable_layers_is_an_error():
    first, second, *_ = Mlp().graph().layers
    graph = NetworkGraph((first, second._replace(bias=first.bias)))
    with pytest.raises(ValueError, match=r"are all fed by params/Dense_0/bias"):
        validate(graph, networks.params_of("mlp"))


def test_graphs_built_alike_are_equal_and_hash_alike():
    assert Mlp().graph() == Mlp().graph()
    assert hash(Mlp().graph()) == hash(Mlp().graph())
    assert Mlp().graph() != Mlp(use_bias=False).graph()


def test_a_graph_is_static_under_jit():
    traced = []

    @functools.partial(jax.jit, static_argnums=0)
    def num_neurons(graph, params):
        traced.append(graph)
        return sum(leaves_by_path(params)[x.kernel].shape[-1] for x in graph.layers)

    params = networks.params_of("mlp")
    assert num_neurons(Mlp().graph(), params) == 12
    assert num_neurons(Mlp().graph(), params) == 12
    assert len(traced) == 1
    assert num_neurons(NetworkGraph(Mlp().graph().layers[:1]), params) == 6
