"""The core called wrongly: every mistake is named, and none changes a result."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax.core import freeze

from redo_dopamine.core import masks, scores
from redo_dopamine.core.graph import Edge, Layer, NetworkGraph, validate
from redo_dopamine.core.interventions import layer_reset, prune, redo
from redo_dopamine.core.layer import Weights
from redo_dopamine.core.metrics import dormancy, ranks
from redo_dopamine.core.neuron_index import along
from redo_dopamine.core.recycle import recycle
from redo_dopamine.networks.capture import collect, record
from redo_dopamine.networks.layers import neurons

KERNEL, BIAS, OUT = (
    ("params", "a", "kernel"),
    ("params", "a", "bias"),
    ("params", "b", "kernel"),
)
LAYER = Layer("a", KERNEL, BIAS, (Edge(OUT),))
MASK = jnp.array([True, False, False, False])
ADAM = optax.adam(1e-3)


def tree(value=1.0, dtype=jnp.float32):
    return {
        "params": {
            "a": {
                "kernel": jnp.full((3, 4), value, dtype),
                "bias": jnp.zeros(4, dtype),
            },
            "b": {"kernel": jnp.full((4, 2), value, dtype)},
        }
    }


def with_kernel(kernel):
    fresh = tree(7.0)
    fresh["params"]["a"]["kernel"] = kernel
    return fresh


def run(**changed: Any):
    given = {
        "graph": NetworkGraph((LAYER,)),
        "dormant": {"a": MASK},
        "params": tree(),
        "fresh_params": tree(7.0),
        "opt_state": ADAM.init(tree()),
        "optimizer": ADAM,
    } | changed
    return recycle(**given)


def of(**changed):
    return NetworkGraph((LAYER._replace(**changed),))


RECYCLES = {
    "a mask that is a list": ({"dormant": {"a": [True] * 4}}, "but is list"),
    "a mask that is None": ({"dormant": {"a": None}}, "but is NoneType"),
    "masks that are an array": ({"dormant": MASK}, "Masks must be a mapping"),
    "new values that would be spread": (
        {"fresh_params": with_kernel(jnp.ones((1, 4)))},
        r"params/a/kernel is float32 \[3, 4\] and its new value float32 \[1, 4\]",
    ),
    "a new value that is a scalar": (
        {"fresh_params": with_kernel(jnp.asarray(7.0))},
        "tree like the current ones",
    ),
    "new values of another dtype": (
        {"params": tree(dtype=jnp.bfloat16)},
        "is bfloat16 .* its new value float32",
    ),
    "new parameters in another container": (
        {"fresh_params": freeze(tree())},
        "containers differ",
    ),
    "new parameters without a leaf": (
        {"fresh_params": {"params": {"a": tree()["params"]["a"]}}},
        "params/b/kernel'] are in only one",
    ),
    "no such outgoing kernel": (
        {"graph": of(outgoing=(Edge(("params", "c", "kernel")),))},
        "params/c/kernel is not in the parameter tree",
    ),
    "no such bias": (
        {"graph": of(bias=("params", "a", "bais"))},
        "params/a/bais is not in the parameter tree",
    ),
    "parameters without their collection": (
        {"params": tree()["params"], "fresh_params": tree()["params"]},
        "params/a/kernel is not in the parameter tree",
    ),
    "no graph": ({"graph": None}, "A graph must be a NetworkGraph"),
    "state of another optimizer": (
        {"opt_state": optax.sgd(1.0).init(tree())},
        "the state is of another optimizer",
    ),
    "state of other parameters": (
        {"opt_state": ADAM.init({"params": {"a": jnp.ones(2)}})},
        "state must be of the parameters",
    ),
}


@pytest.mark.parametrize("mistake", RECYCLES)
def test_a_recycle_of_what_does_not_fit_is_refused(mistake):
    changed, message = RECYCLES[mistake]
    with pytest.raises((TypeError, ValueError), match=message):
        run(**changed)
    run()  # Without the mistake.


GRAPHS = {
    "no graph": ((LAYER,), "A graph must be a NetworkGraph"),
    "a name that stands for all layers": (
        of(name=""),
        "Layer .* must be named by text",
    ),
    "a name that is None": (of(name=None), "Layer .* must be named by text"),
    "recyclable in words": (of(recyclable="no"), "recyclable must be True or False"),
    "copies that are text": (of(outgoing=(Edge(OUT, "1"),)), "copies must be a whole"),
    "copies that are NaN": (of(outgoing=(Edge(OUT, np.nan),)), "copies must be a"),
    "copies that are a float": (of(outgoing=(Edge(OUT, 1.0),)), "copies must be a"),
    "no heads": (NetworkGraph((LAYER,), None), "a head of the graph must be a path"),
}


@pytest.mark.parametrize("mistake", GRAPHS)
def test_a_graph_of_wrong_types_is_refused(mistake):
    graph, message = GRAPHS[mistake]
    with pytest.raises((TypeError, ValueError), match=message):
        validate(graph, tree())
    validate(of(outgoing=(Edge(OUT, np.int64(1)),)), tree())


@pytest.mark.parametrize(
    "activation",
    [
        [[1.0, 2.0]],
        (jnp.ones((1, 2)),),
        {"a": jnp.ones((1, 2))},
        None,
        np.array([["a", "b"]]),
        np.array([[1, None]], dtype=object),
        jax.random.split(jax.random.key(0), 4).reshape(2, 2),
    ],
    ids=["list", "tuple", "dict", "None", "text", "objects", "keys"],
)
def test_activations_that_are_no_array_of_numbers_are_refused(activation):
    for function in (scores.dormancy_score, scores.not_finite, ranks.features):
        with pytest.raises(TypeError, match="needs activations"):
            function(activation)


@pytest.mark.parametrize("tau", [2**63, 10**30, 1e39])
def test_a_threshold_of_any_size_is_compared(tau):
    assert masks.dormant(jnp.array([1.0, jnp.nan]), tau).tolist() == [True, False]


@pytest.mark.parametrize("tau", [True, np.True_, "0.1", [0.1], 1j, None])
def test_what_is_no_threshold_is_refused(tau):
    with pytest.raises(ValueError, match="tau must be a finite number"):
        masks.dormant(jnp.ones(2), tau)


@pytest.mark.parametrize("rank", [ranks.srank, ranks.stable_rank, ranks.effective_rank])
@pytest.mark.parametrize("sigma", [[np.inf, 1.0], [np.nan, 1.0]])
def test_ranks_of_what_is_not_finite_are_nan(rank, sigma):
    assert np.isnan(rank(jnp.array(sigma)))


@pytest.mark.parametrize("rank", [ranks.srank, ranks.effective_rank])
def test_a_rank_is_nan_where_the_sum_overflows(rank):
    assert np.isnan(rank(jnp.array([3e38, 3e38])))


def test_a_utility_of_another_layers_kernel_is_refused():
    with pytest.raises(ValueError, match="kernel that feeds the 4 neurons"):
        scores.utility(jnp.ones((2, 4)), jnp.ones((3, 8)), [jnp.ones((4, 2))])


def test_a_fraction_of_no_layer_is_refused():
    with pytest.raises(ValueError, match="at least one layer"):
        dormancy.dormant_fraction({})


@pytest.mark.parametrize("optimizer", [None, optax.adam, (1, 2), "adam", {}])
def test_what_is_no_optimizer(optimizer):
    with pytest.raises(TypeError, match="must be an optax transformation"):
        redo()(NetworkGraph((LAYER,)), lambda key: tree(), optimizer)


@pytest.mark.parametrize("graph", [(), None, {}, "graph"])
def test_what_is_no_graph(graph):
    with pytest.raises(TypeError, match="must be a NetworkGraph"):
        redo()(graph, lambda key: {}, optax.adam(1e-3))


def test_a_graph_without_a_layer():
    with pytest.raises(ValueError, match="must have a layer at least"):
        redo()(NetworkGraph(()), lambda key: {}, optax.adam(1e-3))


def test_a_threshold_of_the_device_is_one_of_the_host():
    intervention = redo(tau=jnp.float32(0.5), period=1)(
        NetworkGraph((LAYER,)), lambda key: tree(7.0), ADAM
    )
    activations = {"a": jnp.array([[0.0, 1.0, 1.0, 1.0]])}
    state = intervention.init(tree())
    *_, metrics = jax.jit(intervention.apply)(
        jax.random.PRNGKey(0), tree(), ADAM.init(tree()), state, activations, 1
    )
    assert metrics["recycled/a"] == 1


class Net(nn.Module):
    layer: Any = "a"

    @nn.compact
    def __call__(self, x):
        x = record(self, self.layer, nn.relu(nn.Dense(4, name="a")(x)))
        return nn.Dense(2, name="b")(x)


NET = Net()
WEIGHTS = NET.init(jax.random.PRNGKey(0), jnp.ones(3))


@pytest.mark.parametrize("name", ["", " ", "a,b", "a\nb", None, 5])
def test_a_layers_name_is_a_line_of_text(name):
    with pytest.raises(ValueError, match="A layer's name must be printable text"):
        Net(name).init(jax.random.PRNGKey(0), jnp.ones(3))
    with pytest.raises(ValueError, match="A layer's name must be printable text"):
        neurons(name)


@pytest.mark.parametrize(
    "states",
    [jnp.ones(3), jnp.ones(()), jnp.ones((0, 3)), None, [], 1.0, jnp.ones((2, 5))],
    ids=["one state", "number", "empty", "None", "list", "float", "wrong shape"],
)
def test_states_are_a_batch(states):
    with pytest.raises(ValueError, match="states must be"):
        collect(NET.apply, WEIGHTS, states)


@pytest.mark.parametrize("score", [[0.0, 1.0], None, "x", 0.5])
def test_scores_are_an_array(score):
    with pytest.raises(TypeError, match="score must be an array"):
        masks.dormant(score, 0.1)


@pytest.mark.parametrize("edge", ["b", ("params", "b", "kernel"), None])
def test_what_reads_neurons_is_an_edge(edge):
    with pytest.raises(TypeError, match="must be an Edge"):
        neurons("a", edge)


@pytest.mark.parametrize("intervention", [redo(), prune(), layer_reset(1, 1)])
@pytest.mark.parametrize(
    ("place", "value"),
    [(0, None), (0, "x"), (1, None), (1, 5), (2, None), (2, "adam"), (2, optax.adam)],
)
def test_an_intervention_is_bound_to_what_it_needs(intervention, place, value):
    given = [NetworkGraph((LAYER,)), NET.init, ADAM]
    given[place] = value
    with pytest.raises(TypeError, match="must be"):
        intervention(*given)


def test_a_python_number_among_the_parameters_is_left_alone():
    params, fresh = ({**tree(x), "scale": 1.0} for x in (1.0, 7.0))
    new, _ = run(params=params, fresh_params=fresh, opt_state=ADAM.init(params))
    assert new["scale"] == 1.0


@pytest.mark.parametrize(
    "changed",
    [
        {"num_neurons": 4.0},
        {"num_neurons": True},
        {"incoming": (Weights(KERNEL, along(-1), "no"),)},
        {"incoming": (Weights(KERNEL, along(-1), None),)},
    ],
    ids=str,
)
def test_numbers_and_kinds_of_weights_are_what_they_are_called(changed):
    with pytest.raises(TypeError, match=r"must be (a whole number|True or False)"):
        validate(NetworkGraph((LAYER._replace(**changed),)), tree())


def test_minus_zero_is_zero():
    found = dormancy.dormant_fractions({"a": jnp.ones((2, 3))}, [-0.0])
    assert sorted(found) == ["dormant_fraction/0.0", "dormant_fraction/0.0/a"]


@pytest.mark.parametrize("widths", [{"a": 1}, {"b": 3}, {"a": 3, "b": 3}], ids=str)
def test_a_record_is_of_the_same_layers(widths):
    record = dormancy.no_record(widths, [0.1])
    with pytest.raises(ValueError, match="record must be of the same thresholds"):
        dormancy.measure_dormancy({"a": jnp.ones((2, 3))}, [0.1], record)
