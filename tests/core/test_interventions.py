import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helpers import networks, trees
from helpers.optimizers import OPTIMIZERS, after_updates
from redo_dopamine.core.interventions import none, redo
from redo_dopamine.core.recycle import recycle
from redo_dopamine.plasticity.plasticity import say_unscored

NAME = "dueling"
CASE = networks.CASES[NAME]
OPTIMIZER, _ = OPTIMIZERS["adam"]
TAU = 0.6  # Between the scores of this small network, as a test below makes sure.
KEY = jax.random.PRNGKey(5)


def build(factory):
    return factory(CASE.graph, networks.draw_params(NAME), OPTIMIZER)


@functools.cache
def inputs():
    """Parameters and optimizer state after updates, and activations of a batch."""
    params, opt_state = after_updates(OPTIMIZER, networks.params_of(NAME))
    activations = networks.activations_of(NAME)(params, CASE.states(8))
    return params, opt_state, activations


@functools.cache
def jitted(period=10, start=0, stop=None):
    return jax.jit(build(redo(TAU, period, 8, start, stop)).apply)


def run(step, key=KEY, apply=None):
    params, opt_state, activations = inputs()
    apply = apply or jitted()
    return apply(key, params, opt_state, (), activations, step)


def assert_close(first, second):
    """Equal but for an ulp of the draw, which is compiled with other neighbors."""
    assert jax.tree.structure(first) == jax.tree.structure(second)
    for one, other in zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)
        np.testing.assert_array_equal(one == 0, other == 0)


def numpy_masks():
    """Dormant neurons of the inputs, by the definition."""
    masks = {}
    for layer, h in inputs()[2].items():
        magnitude = np.abs(np.asarray(h, np.float64)).reshape(-1, h.shape[-1]).mean(0)
        masks[layer] = magnitude / magnitude.mean() <= TAU
    return masks


def test_some_but_not_all_neurons_here_are_dormant():
    counts = {layer: (mask.sum(), mask.size) for layer, mask in numpy_masks().items()}
    assert all(dormant < total for dormant, total in counts.values())
    assert sum(dormant > 0 for dormant, _ in counts.values()) >= 2


@pytest.mark.parametrize("step", [0, 1, 9, 11, 25])
def test_redo_returns_what_it_was_given_outside_its_schedule(step):
    params, opt_state, _ = inputs()
    new_params, new_opt_state, state, metrics = run(step)
    trees.assert_same_bits((new_params, new_opt_state), (params, opt_state))
    assert state == ()
    assert {int(count) for count in metrics.values()} == {0}


@pytest.mark.parametrize(
    ("step", "acts"), [(10, False), (20, True), (30, True), (40, False), (50, False)]
)
def test_redo_acts_only_from_start_until_stop(step, acts):
    params, _, _ = inputs()
    new_params, _, _, metrics = run(step, apply=jitted(start=15, stop=40))
    kernel = ("params", "Dense_0", "kernel")
    changed = not trees.same_bits(
        trees.by_path(new_params)[kernel], trees.by_path(params)[kernel]
    )
    assert changed == acts
    assert (sum(int(x) for x in metrics.values()) > 0) == acts


def test_redo_recycles_the_dormant_neurons_with_newly_drawn_weights():
    params, opt_state, _ = inputs()
    fresh = networks.draw_params(NAME)(KEY)
    masks = numpy_masks()
    expected = recycle(CASE.graph, masks, params, fresh, opt_state, OPTIMIZER)
    new_params, new_opt_state, _, _ = run(10)
    assert_close((new_params, new_opt_state), expected)


def test_redo_reports_how_many_neurons_it_recycled_under_the_layer_names():
    _, _, _, metrics = run(10)
    expected = {f"recycled/{k}": int(mask.sum()) for k, mask in numpy_masks().items()}
    assert {k: int(v) for k, v in say_unscored(metrics, 10).items()} == expected
    assert set(say_unscored(metrics, 10)) == {
        "recycled/Conv_0",
        "recycled/Conv_1",
        "recycled/Dense_0",
    }


def test_redo_at_tau_zero_changes_no_output():
    params, opt_state, _ = inputs()
    leaves = trees.by_path(params)
    leaves["params", "Conv_1", "bias"][1] = -1e3
    leaves["params", "Dense_0", "bias"][2] = -1e3
    params, states = trees.from_paths(leaves), CASE.states(8)
    activations = networks.activations_of(NAME)(params, states)
    apply = build(redo(0.0, 10)).apply
    new_params, _, _, metrics = apply(KEY, params, opt_state, (), activations, 10)
    assert all(int(metrics[f"recycled/{k}"]) >= 1 for k in ("Conv_1", "Dense_0"))
    outputs = networks.outputs_of(NAME)
    assert np.max(np.abs(outputs(new_params, states) - outputs(params, states))) == 0.0


def test_redo_leaves_alone_a_layer_that_is_only_tracked():
    params, opt_state, activations = inputs()
    first, second, third = CASE.graph.layers
    graph = CASE.graph._replace(
        layers=(first._replace(recyclable=False), second, third)
    )
    apply = redo(TAU, 10)(graph, networks.draw_params(NAME), OPTIMIZER).apply
    new_params, _, _, metrics = apply(KEY, params, opt_state, (), activations, 10)
    assert set(say_unscored(metrics, 10)) == {"recycled/Conv_1", "recycled/Dense_0"}
    trees.assert_same_bits(new_params["params"]["Conv_0"], params["params"]["Conv_0"])


def test_redo_with_and_without_jit_agree():
    assert_close(run(10, apply=build(redo(TAU, 10)).apply), run(10))


def test_redo_is_deterministic_in_the_key():
    trees.assert_same_bits(run(10), run(10))
    other = trees.by_path(run(10, key=jax.random.PRNGKey(6))[0])
    kernel = ("params", "Dense_0", "kernel")
    assert not trees.same_bits(other[kernel], trees.by_path(run(10)[0])[kernel])


def test_redo_is_traced_once_for_all_steps_and_keys():
    intervention = build(redo(TAU, 2))
    params, opt_state, activations = inputs()
    state = intervention.init(params)
    num_traces = 0

    @jax.jit
    def apply(*args):
        nonlocal num_traces
        num_traces += 1
        return intervention.apply(*args)

    for step in range(5):
        params, opt_state, state, _ = apply(
            jax.random.PRNGKey(step),
            params,
            opt_state,
            state,
            activations,
            jnp.int32(step),
        )
    assert num_traces == 1


def states_asked_for(intervention):
    asked = []

    class Observer:
        def activations(self, batch_size):
            asked.append(batch_size)
            return {}

    intervention.observe(Observer())
    return asked


def test_redo_tells_its_schedule_and_its_batch_size():
    intervention = build(redo(TAU, period=7, score_batch_size=3, start=8, stop=22))
    assert [step for step in range(40) if intervention.schedule(step)] == [14, 21]
    assert states_asked_for(intervention) == [3]


def test_redo_has_the_settings_of_the_paper_as_defaults():
    intervention = build(redo())
    assert [t for t in range(3001) if intervention.schedule(t)] == [1000, 2000, 3000]
    assert states_asked_for(intervention) == [64]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tau": -0.1}, "tau must be a finite number >= 0, but is -0.1"),
        ({"tau": float("nan")}, "tau must be a finite number >= 0, but is nan"),
        ({"period": 0}, "period must be a whole number .* but is 0"),
        (
            {"start": -5},
            "start must be a whole number .* >= 0, but is -5",
        ),
        (
            {"start": 5, "stop": 5},
            "stop must be a whole number .* >= 6, but is 5",
        ),
        ({"score_batch_size": 0}, "score_batch_size must be .* >= 1, but is 0"),
        ({"score_batch_size": 64.5}, "score_batch_size must be .*, but is 64.5"),
        ({"score_batch_size": float("nan")}, "score_batch_size .*, but is nan"),
        ({"score_batch_size": "x"}, "score_batch_size must be .*, but is x"),
    ],
)
def test_a_setting_out_of_range_is_an_error_before_there_is_a_network(
    settings, message
):
    with pytest.raises(ValueError, match=message):
        redo(**settings)


def test_none_returns_what_it_was_given():
    intervention = build(none())
    params, opt_state, activations = inputs()
    state = intervention.init(params)
    found = intervention.apply(KEY, params, opt_state, state, activations, 1000)
    assert found[0] is params
    assert found[1] is opt_state
    assert found[2] is state
    assert found[3] == {}


def test_none_is_never_due_and_needs_no_batch():
    intervention = build(none())
    assert not any(intervention.schedule(step) for step in range(2001))
    assert states_asked_for(intervention) == []
