import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from helpers import networks, trees
from helpers.interventions import TAU, make
from redo_dopamine.core.interventions import (
    adaptive_redo,
    redo,
    regrama,
    shrink_and_perturb,
)
from redo_dopamine.plasticity.plasticity import say_unscored

NAMES = ("mlp", "dueling", "nested")


def at_ten(factory, name):
    return make(factory, name).at(jnp.int32(10))


@pytest.mark.parametrize("name", NAMES)
def test_adaptive_is_redo_when_the_budget_does_not_bind(name):
    found = at_ten(adaptive_redo(1.0, TAU, 10), name)
    expected = at_ten(redo(TAU, 10), name)
    trees.assert_same_bits(found[:3], expected[:3])
    counts = {k: v for k, v in found[3].items() if not k.startswith("adaptive_tau")}
    trees.assert_same_bits(counts, expected[3])
    taus = [float(v) for k, v in found[3].items() if k.startswith("adaptive_tau")]
    assert taus == [pytest.approx(TAU)] * (len(expected[3]) // 2)


@pytest.mark.parametrize("max_fraction", [0.05, 0.17, 0.34, 0.5, 1.0])
@pytest.mark.parametrize("name", NAMES)
def test_adaptive_never_exceeds_its_fraction(name, max_fraction):
    case = make(adaptive_redo(max_fraction, 5.0, 10), name)
    for activations in (
        case.activations,
        jax.tree.map(jnp.zeros_like, case.activations),
        jax.tree.map(jnp.ones_like, case.activations),
    ):
        metrics = case._replace(activations=activations).at(jnp.int32(10))[3]
        for layer, h in activations.items():
            budget = math.floor(max_fraction * h.shape[-1] + 1e-9)
            assert int(metrics[f"recycled/{layer}"]) <= budget


def test_the_adaptive_threshold_by_hand():
    # Scores 0.25, 0.5, 0, 3, 1, 1.25.
    activations = {
        "Dense_0": jnp.array([[1.0, 2.0, 0.0, 12.0, 4.0, 5.0]]),
        "Dense_1": jnp.array([[1.0, 1.0, 1.0, 1.0, 1.0, 1.0]]),
    }
    case = make(adaptive_redo(0.34, 1.0, 10), "mlp")
    metrics = case._replace(activations=activations).at(jnp.int32(10))[3]
    assert {k: float(v) for k, v in say_unscored(metrics, 10).items()} == {
        "recycled/Dense_0": 2,
        "adaptive_tau/Dense_0": 0.25,
        "recycled/Dense_1": 2,
        "adaptive_tau/Dense_1": 1.0,
    }


def test_a_budget_of_less_than_a_neuron_recycles_none_and_has_no_threshold():
    metrics = at_ten(adaptive_redo(0.1, 5.0, 10), "mlp")[3]
    assert {k: float(v) for k, v in metrics.items() if "recycled" in k} == {
        "recycled/Dense_0": 0,
        "recycled/Dense_1": 0,
    }
    assert all(math.isnan(v) for k, v in metrics.items() if "tau" in k)


@pytest.mark.parametrize("name", NAMES)
def test_regrama_is_redo_of_the_arrays_it_is_given(name):
    trees.assert_same_bits(at_ten(regrama(TAU, 10), name), at_ten(redo(TAU, 10), name))


def test_regrama_asks_for_gradients():
    class Observer:
        def loss_gradients(self, batch_size):
            return {"asked for": batch_size}

    intervention = make(regrama(score_batch_size=7), "mlp").intervention
    assert intervention.observe(Observer()) == {"asked for": 7}


@pytest.mark.parametrize("name", NAMES)
def test_shrink_and_perturb_is_the_sum_of_the_two(name):
    case = make(shrink_and_perturb(0.5, 0.25, 10), name)
    graph, draw = networks.CASES[name].graph, networks.draw_params(name)
    apply = shrink_and_perturb(0.5, 0.25, 10)(graph, draw, optax.adam(1e-3)).apply
    params, opt_state, _, metrics = case.at(jnp.int32(10), apply=apply)
    before, after = trees.by_path(case.params), trees.by_path(params)
    fresh = trees.by_path(draw(jax.random.PRNGKey(5)))
    for path, weights in after.items():
        expected = 0.5 * before[path] + 0.25 * fresh[path]
        np.testing.assert_allclose(weights, expected, rtol=1e-6, atol=1e-8)
    trees.assert_same_bits(opt_state, case.opt_state)
    change = np.concatenate([(after[p] - before[p]).ravel() for p in after])
    assert float(metrics["perturbation_norm"]) == pytest.approx(
        np.linalg.norm(change), rel=1e-5
    )


@pytest.mark.parametrize(
    ("factory", "settings", "message"),
    [
        (adaptive_redo, {"max_fraction": 0.0}, r"must be in \(0, 1\], but is 0.0"),
        (adaptive_redo, {"max_fraction": 1.1}, r"must be in \(0, 1\], but is 1.1"),
        (adaptive_redo, {"max_fraction": float("nan")}, "but is nan"),
        (adaptive_redo, {"max_fraction": "half"}, "but is half"),
        (adaptive_redo, {"max_tau": -0.1}, "tau must be a finite number >= 0"),
        (adaptive_redo, {"score_batch_size": 0}, "score_batch_size .* >= 1, but is 0"),
        (regrama, {"tau": -0.1}, "tau must be a finite number >= 0"),
        (regrama, {"period": 0}, "period must be a whole number"),
        (regrama, {"score_batch_size": 0}, "score_batch_size .* >= 1, but is 0"),
        (shrink_and_perturb, {"shrink": 1.5}, r"shrink must be in \[0, 1\], but is 1"),
        (shrink_and_perturb, {"shrink": "0.8"}, r"shrink must be in .* but is 0.8"),
        (shrink_and_perturb, {"perturb": -1.0}, r"perturb must be in .* but is -1.0"),
        (shrink_and_perturb, {"period": 0}, "period must be a whole number"),
    ],
)
def test_a_setting_out_of_range_is_an_error(factory, settings, message):
    with pytest.raises(ValueError, match=message):
        factory(**settings)
