import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helpers import networks, trees
from helpers.interventions import make, trained
from redo_dopamine.core.interventions import (
    at_random,
    fixed_budget,
    highest_score,
    lowest_score,
    lowest_utility,
)
from redo_dopamine.core.schedules import constant, cosine
from redo_dopamine.core.scores import dormancy_score
from redo_dopamine.plasticity.plasticity import say_unscored

SELECTIONS = [lowest_score, highest_score, at_random, lowest_utility]


def recycled(case, step=10, key=None):
    """Indices of the neurons whose outgoing weights became zero, per layer."""
    params = trees.by_path(case.at(jnp.int32(step), key)[0])
    found = {}
    for layer in networks.ALL_CASES["mlp"].graph.layers:
        rows = params[layer.outgoing[0].kernel]
        found[layer.name] = np.flatnonzero(~rows.any(axis=1)).tolist()
    return found


@pytest.mark.parametrize("select", SELECTIONS)
@pytest.mark.parametrize(("share", "count"), [(0.0, 0), (0.2, 1), (0.5, 3), (1.0, 6)])
def test_it_recycles_exactly_its_number_when_all_scores_tie(select, share, count):
    case = make(fixed_budget(constant(share), select, 10), "mlp")
    for tie in (0.0, 1.0):
        same = jax.tree.map(lambda x, tie=tie: jnp.full_like(x, tie), case.activations)
        tied = case._replace(activations=same)
        found = recycled(tied)
        assert [len(x) for x in found.values()] == [count, count]
        metrics = tied.at(jnp.int32(10))[3]
        assert {k: int(v) for k, v in say_unscored(metrics, 10).items()} == {
            "recycled/Dense_0": count,
            "recycled/Dense_1": count,
        }
        # No neuron's output varies, so that utilities tie as well.
        if select is not at_random:
            assert set(map(tuple, found.values())) == {tuple(range(count))}


@pytest.mark.parametrize("select", SELECTIONS)
def test_it_recycles_exactly_its_number_of_real_scores(select):
    case = make(fixed_budget(constant(0.34), select, 10), "mlp")
    assert [len(x) for x in recycled(case).values()] == [2, 2]


def test_lowest_and_highest_score_take_the_two_ends():
    activations = {
        "Dense_0": jnp.array([[3.0, 1.0, 2.0, 6.0, 5.0, 4.0]]),
        "Dense_1": jnp.array([[1.0, 1.0, 9.0, 1.0, 9.0, 1.0]]),
    }
    for select, expected in (
        (lowest_score, {"Dense_0": [1, 2], "Dense_1": [0, 1]}),
        (highest_score, {"Dense_0": [3, 4], "Dense_1": [2, 4]}),
    ):
        case = make(fixed_budget(constant(0.34), select, 10), "mlp")
        assert recycled(case._replace(activations=activations)) == expected


def test_lowest_utility_weighs_what_is_read():
    params, _, activations = trained("mlp")
    leaves = trees.by_path(params)
    leaves["params", "Dense_1", "kernel"][3] *= 1e-3
    leaves["params", "Dense_0", "kernel"][:, 5] *= 1e-3
    varied = np.random.default_rng(0).normal(size=(8, 6)).astype(np.float32)
    case = make(fixed_budget(constant(0.2), lowest_utility, 10), "mlp")
    case = case._replace(
        params=trees.from_paths(leaves), activations=activations | {"Dense_0": varied}
    )
    # Neuron 3 is hardly read; neuron 5 makes its output of small weights.
    assert recycled(case)["Dense_0"] == [3]


def test_random_selection_differs_between_keys_and_layers():
    case = make(fixed_budget(constant(0.5), at_random, 10), "mlp")
    found = [recycled(case, key=jax.random.PRNGKey(i)) for i in range(8)]
    assert len({str(x) for x in found}) > 4
    assert any(x["Dense_0"] != x["Dense_1"] for x in found)
    assert {i for x in found for i in x["Dense_0"]} == set(range(6))


def test_the_budget_follows_its_schedule():
    case = make(fixed_budget(cosine(1.0, 40), lowest_score, 10), "mlp")
    counts = [len(recycled(case, step)["Dense_0"]) for step in (10, 20, 30, 40, 50)]
    # 6 cos(pi / 2 * t / 40): 5.54, 4.24, 2.30, 0, 0.
    assert counts == [6, 4, 2, 0, 0]


def test_the_default_is_the_papers():
    case = make(fixed_budget(), "mlp")
    schedule = case.intervention.schedule
    assert [t for t in range(3001) if schedule(t)] == [1000, 2000, 3000]
    # round(0.1 * 6) = 1: the neuron with the lowest score.
    lowest = {k: [int(dormancy_score(h).argmin())] for k, h in case.activations.items()}
    found = recycled(case, 1000)
    assert {k: len(x) for k, x in found.items()} == {"Dense_0": 1, "Dense_1": 1}
    assert found == lowest


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fraction": 0.1}, r"fraction must be a function, but is 0\.1\. Use sched"),
        ({"select": "lowest"}, "select must be a function, but is 'lowest'"),
        ({"period": -1}, "period must be a whole number"),
        ({"score_batch_size": 0}, "score_batch_size must be .* >= 1, but is 0"),
    ],
)
def test_a_setting_out_of_range_is_an_error(settings, message):
    with pytest.raises(ValueError, match=message):
        fixed_budget(**settings)
