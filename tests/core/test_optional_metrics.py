from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helpers.networks import CASES, activations_of, params_of
from helpers.trees import by_path
from redo_dopamine.core.graph import Edge, Layer, NetworkGraph
from redo_dopamine.core.metrics import catalogue
from redo_dopamine.core.metrics.base import View, measure_all
from redo_dopamine.core.metrics.catalogue import FACTORIES

LAYER = Layer("hidden", ("w",), None, (Edge(("v",)),))
GRAPH = NetworkGraph((LAYER,))
NAN = float("nan")


class Output(NamedTuple):
    q_values: jax.Array


def view(params=None, activation=None, states=None, **parts):
    """What a metric looks at, with only the parts that it should need."""
    view = View(*[None] * len(View._fields))._replace(graph=GRAPH, params=params)
    if activation is not None:
        view = view._replace(activations={"hidden": jnp.asarray(activation)})
    if states is not None:
        view = view._replace(inputs=jnp.asarray(states))
    return view._replace(**parts)


def measured(metric, *views):
    """Values of successive measurements, the first after `init` on its parameters."""
    state = metric.init(GRAPH, views[0].params)
    rows = []
    for each in views:
        found, state = metric.measure(each, state)
        rows.append({name: float(value) for name, value in found.items()})
    return rows


# One by one, by hand.


def test_previous_share_by_hand():
    params = {"w": jnp.zeros((2, 4))}
    dormant = ["1100", "1010", "0000", "0001"]
    views = [view(params, [[1.0 - int(c) for c in text]]) for text in dormant]
    rows = measured(catalogue.previous_share(taus=(0,)), *views)
    assert [list(row) for row in rows] == [["previous_share/0.0/hidden"]] * 4
    values = [row["previous_share/0.0/hidden"] for row in rows]
    assert values == pytest.approx([NAN, 0.5, 0, NAN], nan_ok=True)


def test_previous_share_has_sets_of_every_threshold():
    params = {"w": jnp.zeros((2, 2))}
    low, lower = view(params, [[1.0, 0.1]]), view(params, [[1.0, 0.01]])
    metric = catalogue.previous_share(taus=(0.1, 0.5))
    first, second = measured(metric, low, lower)[1], measured(metric, lower, low)[1]
    assert first["previous_share/0.5/hidden"] == 1
    assert np.isnan(first["previous_share/0.1/hidden"])
    assert second["previous_share/0.1/hidden"] == 0


@pytest.mark.parametrize(
    ("name", "expected"),
    [("stable_rank", 1.5), ("effective_rank", 2**1.5), ("srank", 3)],
)
def test_ranks_of_features_by_hand(name, expected):
    activation = np.diag([4.0, 2, 2, 0]).reshape(2, 2, 4)  # Two states, two positions.
    (row,) = measured(getattr(catalogue, name)(), view({}, activation))
    assert row == {f"{name}/hidden": pytest.approx(expected, rel=1e-5)}


def test_srank_has_a_delta():
    activation = np.diag([4.0, 2, 2, 0])
    (row,) = measured(catalogue.srank(delta=0.3), view({}, activation))
    assert row == {"srank/hidden": 2}


def test_weight_norm_by_hand():
    params = {"w": jnp.array([[3.0, 0], [0, -4]]), "v": jnp.full(3, 9.0)}
    (row,) = measured(catalogue.weight_norm(), view(params))
    assert row == {"weight_norm/hidden": 5}


def test_distance_is_from_the_parameters_of_init():
    start, moved = jnp.ones((2, 2)), jnp.array([[4.0, 1], [1, 5]])
    rows = measured(
        catalogue.distance_from_initial(),
        view({"w": start}),
        view({"w": moved}),
        view({"w": moved}),
    )
    assert [row["distance_from_initial/hidden"] for row in rows] == [0, 5, 5]


def test_feature_norm_is_per_state_over_positions_and_neurons():
    dense = [[3.0, -4], [0, 0]]
    (row,) = measured(catalogue.feature_norm(), view({}, dense))
    assert row == {"feature_norm/hidden": 2.5}
    conv = np.reshape([2.0, 2, 2, 2, 0, 0, 6, 8], (2, 2, 1, 2))
    (row,) = measured(catalogue.feature_norm(), view({}, conv))
    assert row == {"feature_norm/hidden": 7}


def test_gradients_of_the_loss_by_hand():
    looked_at = view({"w": jnp.array([[1.0, 2], [3, 4]]), "v": jnp.ones(2)})
    # dL/dW = [[6, 0], [0, -8]]
    looked_at = looked_at._replace(
        loss=lambda p: 3 * p["w"][0, 0] ** 2 - 8 * p["w"][1, 1] + p["v"].sum()
    )
    (row,) = measured(catalogue.gradient_norm(), looked_at)
    assert row == {"gradient_norm/hidden": 10}
    (row,) = measured(catalogue.loss_gradient(), looked_at)
    assert row == {"loss_gradient/hidden": 3.5}
    (row,) = measured(catalogue.sharpness(), looked_at)  # Of 3 w^2 alone.
    assert row["sharpness"] == pytest.approx(6)


@pytest.mark.parametrize("rows", [[[2, 1], [1, 2]], [[1, 3], [3, 1]], [[0, 0], [0, 0]]])
def test_sharpness_is_an_eigenvalue_of_the_hessian(rows):
    hessian = jnp.array(rows, jnp.float32)
    looked_at = view({"w": jnp.ones((2, 1)), "v": jnp.ones(2)})
    looked_at = looked_at._replace(
        loss=lambda p: 0.5 * (p["w"].T @ hessian @ p["w"])[0, 0] + p["v"].sum()
    )
    (row,) = measured(catalogue.sharpness(), looked_at)
    eigenvalues = np.linalg.eigvalsh(hessian)
    assert row["sharpness"] == pytest.approx(eigenvalues[1], abs=1e-5)
    with pytest.raises(ValueError, match=r"sharpness\.num_iterations must be"):
        catalogue.sharpness(0)


STATES = jnp.array([[1.0, 2.0], [3.0, 4.0]])


def relu_view(w, states=STATES):
    def observe(params):
        return {"hidden": jax.nn.relu(states @ params["w"])}

    params = {"w": jnp.array(w, jnp.float32)}
    return view(params, observe(params)["hidden"], states, observe=observe)


def test_weight_statistics_by_hand():
    looked_at = view({"w": jnp.array([[1.0, -3], [0.01, 0]])})
    (row,) = measured(catalogue.weight_statistics(near_zero=0.1), looked_at)
    expected = {
        "weight_mean/hidden": -1.99 / 4,
        "weight_largest/hidden": 3,
        "weight_near_zero_fraction/hidden": 0.5,
    }
    assert row == pytest.approx(expected)


@pytest.mark.parametrize("near_zero", [-1, NAN, float("inf"), "1e-5"])
def test_near_zero_out_of_range(near_zero):
    with pytest.raises(ValueError, match=f"near_zero must be .* but is {near_zero}"):
        catalogue.weight_statistics(near_zero=near_zero)


def test_magi_and_zero_gradient_neurons_by_hand():
    first = relu_view([[1.0, -1, -1, 1], [1, -1, -1, 1]])  # 1 and 2 are shut.
    second = relu_view([[1.0, -1, 1, -1], [1, -1, 1, -1]])  # 1 and 3 are shut.
    rows = measured(catalogue.magi(), first, second)
    # An open neuron: |mean x| / 4 neurons = (2, 3) / 4, on average .625.
    expected = {
        "magi/hidden": 0.625 / 2,
        "zero_gradient_fraction": 0.5,
        "zero_gradient_fraction/hidden": 0.5,
        "zero_gradient_overlap/hidden": NAN,
        "zero_gradient_dormant_overlap/hidden": 1,
        "zero_gradient_of_dormant/hidden": 1,
        "dormant_of_zero_gradient/hidden": 1,
        "zero_gradient_threshold": 0,
    }
    assert rows[0] == pytest.approx(expected, nan_ok=True)
    expected["zero_gradient_overlap/hidden"] = 0.5
    assert rows[1] == pytest.approx(expected)


def test_magi_has_a_threshold():
    looked_at = relu_view([[1.0, 1], [1, 1]])  # Both (2, 3) / 2, on average 1.25.
    for threshold, fraction in ((1.2, 0), (1.3, 1)):
        (row,) = measured(catalogue.magi(threshold), looked_at)
        assert row["zero_gradient_fraction/hidden"] == fraction
        assert row["zero_gradient_threshold"] == pytest.approx(threshold)


def test_dormant_and_zero_gradient_sets_may_differ():
    # Without inputs no neuron has a gradient; ReLU of nothing is dormant as well.
    states = jnp.zeros((2, 2))
    silent = relu_view([[1.0, 1], [1, 1]], states)
    loud = silent._replace(activations={"hidden": jnp.ones((2, 2))})  # As by a bias.
    (row,) = measured(catalogue.magi(), silent)
    assert row["zero_gradient_dormant_overlap/hidden"] == 1
    (row,) = measured(catalogue.magi(), loud)
    assert row["zero_gradient_fraction/hidden"] == 1
    assert np.isnan(row["zero_gradient_dormant_overlap/hidden"])
    half = loud._replace(activations={"hidden": jnp.array([[0.0, 1], [0, 1]])})
    (row,) = measured(catalogue.magi(), half)
    assert row["zero_gradient_dormant_overlap/hidden"] == 1
    assert row["zero_gradient_of_dormant/hidden"] == 1
    assert row["dormant_of_zero_gradient/hidden"] == 0.5


def q_view(params):
    return view(
        jnp.array(params),
        states=[[1.0, 0], [0, 1], [1, 1], [2, 1]],
        apply=lambda params, state: Output(state * params),
    )


def test_policy_churn_by_hand():
    # Greedy actions 0101 ... with weights (1, 3): 0, 1, 1, 1. With (3, 1): 0, 1, 0, 0.
    rows = measured(
        catalogue.policy_churn(),
        q_view([1.0, 3.0]),
        q_view([3.0, 1.0]),
        q_view([3.0, 1.0]),
        q_view([1.0, 3.0]),
    )
    assert [row["policy_churn"] for row in rows] == [0, 0.5, 0, 0.5]


def test_policy_churn_of_a_diverged_network_is_nan():
    rows = measured(catalogue.policy_churn(), q_view([NAN, 1.0]))
    assert np.isnan(rows[0]["policy_churn"])


def test_the_largest_q_value_by_hand():
    rows = measured(catalogue.largest_q(), q_view([-1.0, 3.0]))
    assert rows == [{"largest_q": 3}]
    rows = measured(catalogue.largest_q(), q_view([-1.0, -3.0]))
    assert rows == [{"largest_q": 0}]
    rows = measured(catalogue.largest_q(), q_view([NAN, 1.0]))
    assert np.isnan(rows[0]["largest_q"])


def test_value_churn_by_hand():
    # Mean state (1, 0.75); its weights move by (2, 2), then not at all.
    rows = measured(
        catalogue.value_churn(),
        q_view([1.0, 3.0]),
        q_view([3.0, 1.0]),
        q_view([3.0, 1.0]),
    )
    assert [row["value_churn"] for row in rows] == [0, 1.75, 0]


def test_active_and_linearized_neurons_by_hand():
    # On for some, for all, for none, and below 0 alone; two states at two positions.
    outputs = np.reshape([0, 1, 0, -1, 0, 2, 0, -2, 3, 1, 0, -1, 0, 2, 0, 0], (2, 2, 4))
    (row,) = measured(catalogue.active_fraction(), view({}, outputs))
    assert row == {"active_fraction": 0.5, "active_fraction/hidden": 0.5}
    (row,) = measured(catalogue.linearized_fraction(), view({}, outputs))
    assert row == {"linearized_fraction": 0.25, "linearized_fraction/hidden": 0.25}


def test_ntk_rank_by_hand():
    # Q = state * weights: the gradients are (1, 0), (0, 1), (0, 1) and (2, 0), whose
    # kernel has the eigenvalues 5, 2, 0 and 0.
    (row,) = measured(catalogue.ntk_rank(), q_view([1.0, 1.5]))
    shares = np.array([5, 2]) / 7
    expected = np.exp(-np.sum(shares * np.log(shares)))
    assert row == {"ntk_rank": pytest.approx(expected, rel=1e-5)}
    (row,) = measured(catalogue.ntk_rank(num_states=2), q_view([1.0, 1.5]))
    assert row == {"ntk_rank": pytest.approx(2, rel=1e-5)}


def test_gradient_cosine_by_hand():
    # Gradients (1, 0), (3, 0), (-1, 0) and (0, 0): cosines 1, -1, -1 and 0, 0, 0.
    looked_at = view(
        {"w": jnp.ones(1), "v": jnp.ones(1)},
        batch={"x": jnp.array([1.0, 3, -1, 0])},
        loss_of=lambda params, batch: params["w"][0] * batch["x"].mean(),
    )
    (row,) = measured(catalogue.gradient_cosine(), looked_at)
    assert row == {"gradient_cosine": pytest.approx(-1 / 6, rel=1e-6)}
    (row,) = measured(catalogue.gradient_cosine(num_examples=2), looked_at)
    assert row == {"gradient_cosine": pytest.approx(1)}


def test_fewer_than_two_gradients_are_refused():
    with pytest.raises(ValueError, match=r"ntk_rank\.num_states must be .* but is 1"):
        catalogue.ntk_rank(1)
    with pytest.raises(ValueError, match="num_examples must be a whole number"):
        catalogue.gradient_cosine(2.5)


@pytest.mark.parametrize(
    "metric", ["policy_churn", "largest_q", "value_churn", "ntk_rank"]
)
def test_some_metrics_need_q_values(metric):
    looked_at = q_view([1.0, 3.0])._replace(apply=lambda params, state: state)
    with pytest.raises(TypeError, match=f"{metric} needs .* has q_values, but this"):
        measured(getattr(catalogue, metric)(), looked_at)


@pytest.mark.parametrize("delta", [0, 1, -0.1, NAN, "0.01"])
def test_delta_out_of_range(delta):
    with pytest.raises(ValueError, match=rf"delta must be in \(0, 1\), but is {delta}"):
        catalogue.srank(delta)


@pytest.mark.parametrize("threshold", [-1e-3, NAN, float("inf"), "0"])
def test_threshold_out_of_range(threshold):
    with pytest.raises(ValueError, match=f"finite number >= 0, but is {threshold}"):
        catalogue.magi(threshold)


def test_taus_out_of_range():
    with pytest.raises(ValueError, match=r"tau must be .* but is -0\.1"):
        catalogue.previous_share(taus=(0.1, -0.1))


# All of them, on a network.

CASE = CASES["dueling"]
METRICS = tuple(make() for make in FACTORIES)
NETWORK_STATES = CASE.states(5)


def network_view(params):
    def observe(params):
        return activations_of("dueling")(params, NETWORK_STATES)

    def q_values(params):
        outputs = jax.vmap(CASE.network.apply, in_axes=(None, 0))
        return outputs(params, NETWORK_STATES)

    return View(
        graph=CASE.graph,
        params=params,
        batch={"state": NETWORK_STATES},
        inputs=NETWORK_STATES,
        activations=observe(params),
        observe=observe,
        apply=lambda params, state: Output(CASE.network.apply(params, state)),
        loss=lambda params: jnp.mean(q_values(params) ** 2),
        loss_of=lambda params, batch: jnp.mean(
            jax.vmap(CASE.network.apply, in_axes=(None, 0))(params, batch["state"]) ** 2
        ),
    )


def initial_states():
    return tuple(m.init(CASE.graph, params_of("dueling")) for m in METRICS)


def test_names_are_metric_and_layer():
    found, _ = measure_all(
        METRICS, network_view(params_of("dueling")), initial_states()
    )
    layers = ("Conv_0", "Conv_1", "Dense_0")
    per_layer = (
        *(f"previous_share/{tau}" for tau in (0.0, 0.025, 0.1)),
        *("stable_rank", "effective_rank", "srank", "feature_norm", "weight_norm"),
        *("distance_from_initial", "gradient_norm", "loss_gradient", "magi"),
        *("zero_gradient_fraction", "zero_gradient_overlap"),
        *("zero_gradient_dormant_overlap", "zero_gradient_of_dormant"),
        *("dormant_of_zero_gradient", "weight_mean", "weight_largest"),
        *("weight_near_zero_fraction", "active_fraction", "linearized_fraction"),
    )
    pooled = {
        "zero_gradient_fraction",
        "zero_gradient_threshold",
        "policy_churn",
        "largest_q",
        "sharpness",
        *("active_fraction", "linearized_fraction", "value_churn"),
        *("ntk_rank", "gradient_cosine"),
    }
    assert set(found) == {f"{m}/{k}" for m in per_layer for k in layers} | pooled
    assert all(value.shape == () for value in found.values())


def test_with_and_without_jit_they_agree_on_one_trace():
    num_traces = 0

    @jax.jit
    def compiled(params, states):
        nonlocal num_traces
        num_traces += 1
        return measure_all(METRICS, network_view(params), states)

    states = plain_states = initial_states()
    for seed in (0, 1, 2):
        params = params_of("dueling", seed)
        found, states = compiled(params, states)
        expected, plain_states = measure_all(
            METRICS, network_view(params), plain_states
        )
        for name, value in expected.items():
            np.testing.assert_allclose(found[name], value, rtol=2e-4, err_msg=name)
    assert num_traces == 1
    assert float(found["distance_from_initial/Dense_0"]) > 0


def test_norms_of_a_network_are_numpys():
    metrics = [catalogue.weight_norm(), catalogue.distance_from_initial()]
    states = [m.init(CASE.graph, params_of("dueling", 0)) for m in metrics]
    found, _ = measure_all(metrics, network_view(params_of("dueling", 1)), states)
    before, now = by_path(params_of("dueling", 0)), by_path(params_of("dueling", 1))
    for layer in CASE.graph.layers:
        norm = np.linalg.norm(now[layer.kernel])
        distance = np.linalg.norm(now[layer.kernel] - before[layer.kernel])
        np.testing.assert_allclose(found[f"weight_norm/{layer.name}"], norm, rtol=1e-5)
        np.testing.assert_allclose(
            found[f"distance_from_initial/{layer.name}"], distance, rtol=1e-5
        )


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_states_share_no_memory_with_the_parameters(metric):
    params = jax.tree.map(jnp.copy, params_of("dueling"))
    state = metric.init(CASE.graph, params)
    measure = jax.jit(lambda p, s: metric.measure(network_view(p), s))
    _, new_state = measure(params, state)
    jax.tree.map(lambda x: x.delete(), params)  # As an update that donates them does.
    for leaf in jax.tree.leaves((state, new_state)):
        np.asarray(leaf)
    measure(params_of("dueling"), new_state)
