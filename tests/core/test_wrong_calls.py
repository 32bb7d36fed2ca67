"""The core called wrongly: every mistake is named, and none changes a result."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax.core import freeze

from redo_dopamine.core import masks, scores
from redo_dopamine.core.graph import Edge, Layer, NetworkGraph, validate
from redo_dopamine.core.metrics import dormancy, ranks
from redo_dopamine.core.recycle import recycle

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
