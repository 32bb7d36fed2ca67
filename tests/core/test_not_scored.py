"""What is not scored is not recycled, and said; and two silent layers in a row."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from helpers import networks, trees
from redo_dopamine.core import interventions
from redo_dopamine.core.graph import Edge, Layer, NetworkGraph, of_layers, validate
from redo_dopamine.networks.capture import collect
from redo_dopamine.plasticity.plasticity import say_unscored

GRAPH = networks.CASES["mlp"].graph
PARAMS = networks.params_of("mlp")
ADAM = optax.adam(1e-3)
STEP = jnp.int32(10)
LIVE = jnp.array([[1.0, 2.0, 3.0, 4.0, 5.0, 0.0]])
SCORED = {
    "redo": interventions.redo(0.0, 10),
    "redo_of_many": interventions.redo(1.5, 10),
    "adaptive_redo": interventions.adaptive_redo(0.5, 1.5, 10),
    "regrama": interventions.regrama(1.5, 10),
    "fixed_budget": interventions.fixed_budget(lambda step: 0.5, period=10),
    "lowest_utility": interventions.fixed_budget(
        lambda step: 0.5, interventions.lowest_utility, period=10
    ),
    "prune": interventions.prune(1.5, 10),
}


def acted(name, activations):
    intervention = SCORED[name](GRAPH, networks.draw_params("mlp"), ADAM)
    state = intervention.init(PARAMS)
    return intervention.apply(
        jax.random.PRNGKey(0), PARAMS, ADAM.init(PARAMS), state, activations, STEP
    )


@pytest.mark.parametrize("bad", [jnp.inf, 3e38])
@pytest.mark.parametrize("name", SCORED)
def test_a_layer_that_is_not_finite_is_left_alone_and_told(name, bad):
    first = jnp.concatenate([LIVE, LIVE]).at[:, 5].set(bad)
    params, _, _, metrics = acted(name, {"Dense_0": first, "Dense_1": LIVE})
    verb = "pruned" if name == "prune" else "recycled"
    assert int(metrics[f"{verb}/Dense_0"]) == 0
    assert int(metrics[f"{verb}/Dense_1"]) > 0
    for before, after in zip(
        jax.tree.leaves(PARAMS["params"]["Dense_0"]),
        jax.tree.leaves(params["params"]["Dense_0"]),
        strict=True,
    ):
        assert trees.same_bits(np.asarray(after), np.asarray(before))
    told = say_unscored(jax.device_get(metrics), 10)
    assert told["not_finite/Dense_0"] > 0
    assert "not_finite/Dense_1" not in told


def test_the_host_is_told_once_and_only_then(caplog):
    quiet = {"recycled/a": np.int32(0), "not_finite/a": np.int32(0)}
    assert list(say_unscored(quiet, 5)) == ["recycled/a"]
    assert not caplog.records


@pytest.mark.parametrize("name", SCORED)
def test_an_activation_that_is_missing_is_named(name):
    with pytest.raises(ValueError, match=r"\['Dense_0', 'Dense_1'\] are missing"):
        acted(name, {"layers_0": LIVE})


# Descriptions that are easily written and are none.

LAYER = GRAPH.layers[0]


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (NetworkGraph(LAYER), r"layers must be a tuple of Layers.*Write \(Layer"),
        (NetworkGraph((LAYER._replace(kernel="params"),)), "kernel must be a path"),
        (NetworkGraph((LAYER._replace(bias="params"),)), "bias must be a path"),
        (
            NetworkGraph((LAYER._replace(outgoing=LAYER.outgoing[0]),)),
            r"outgoing must be a tuple of Edges",
        ),
        (
            NetworkGraph((LAYER._replace(outgoing=(Edge("params"),)),)),
            "kernel of an outgoing edge must be a path",
        ),
        (NetworkGraph((LAYER,), "params"), "a head of the graph must be a path"),
        (NetworkGraph(("Dense_0",)), "must be a tuple of Layers"),
    ],
)
def test_a_short_form_that_is_none_is_an_error(graph, message):
    with pytest.raises(TypeError, match=message):
        validate(graph, PARAMS)


def test_a_graph_may_be_a_list_of_layers():
    validate(NetworkGraph(list(GRAPH.layers)), PARAMS)


def test_nothing_recorded_and_a_misspelt_name_are_told():
    with pytest.raises(ValueError, match="recorded none"):
        collect(lambda params, x, mutable: (x, {}), PARAMS, jnp.ones((2, 3)))
    layers = (Layer("layers_0", LAYER.kernel, None, LAYER.outgoing),)
    with pytest.raises(ValueError, match=r"\['layers_0'\] are missing.*\['Dense_0'\]"):
        of_layers(layers, {"Dense_0": LIVE})


# Two silent layers, one behind the other.


def test_of_two_silent_layers_the_second_waits_for_the_next_recycle():
    leaves = trees.by_path(PARAMS)
    for name in ("Dense_0", "Dense_1"):
        leaves["params", name, "bias"][:] = -1e3
    params = trees.from_paths(leaves)
    states = networks.CASES["mlp"].states(8)
    observe = networks.activations_of("mlp")
    apply = interventions.redo(0.0, 10)(GRAPH, networks.draw_params("mlp"), ADAM).apply

    def silent(params):
        seen = observe(params, states)
        return {k: not np.any(x) for k, x in seen.items()}

    assert silent(params) == {"Dense_0": True, "Dense_1": True}
    for step, expected in ((10, True), (20, False)):
        params = apply(
            jax.random.PRNGKey(step),
            params,
            ADAM.init(params),
            (),
            observe(params, states),
            jnp.int32(step),
        )[0]
        assert silent(params) == {"Dense_0": False, "Dense_1": expected}
