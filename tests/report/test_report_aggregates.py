"""Aggregates by hand on a small matrix, and against rliable called directly."""

import numpy as np
import pytest
from rliable import library, metrics

from redo_dopamine.report import aggregates

# Two seeds x four games.
SCORES = np.array([[0.0, 0.2, 0.4, 2.0], [0.2, 0.4, 0.6, 4.0]])


def test_aggregates_by_hand():
    found = aggregates.aggregate(SCORES, repeats=20)
    # Sorted: 0 .2 .2 .4 .4 .6 2 4; a quarter is cut off at either end.
    assert found["iqm"].value == pytest.approx((0.2 + 0.4 + 0.4 + 0.6) / 4)
    # Means over seeds: .1 .3 .5 3.
    assert found["median"].value == pytest.approx(0.4)
    assert found["mean"].value == pytest.approx(3.9 / 4)
    # Clipped at 1: 0 .2 .2 .4 .4 .6 1 1.
    assert found["optimality_gap"].value == pytest.approx(1 - 3.8 / 8)


def test_intervals_are_those_of_rliable_and_come_out_alike():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(5, 7))
    theirs = [
        metrics.aggregate_iqm,
        metrics.aggregate_median,
        metrics.aggregate_mean,
        metrics.aggregate_optimality_gap,
    ]
    np.random.seed(aggregates.RANDOM_STATE)
    values, intervals = library.get_interval_estimates(
        {"x": scores}, lambda x: np.array([f(x) for f in theirs]), reps=200
    )
    np.random.seed(1)
    before = np.random.get_state()[1].copy()
    found = aggregates.aggregate(scores, repeats=200)
    again = aggregates.aggregate(scores, repeats=200)
    # The caller's random stream is as it was.
    assert (np.random.get_state()[1] == before).all()
    assert found == again
    for index, name in enumerate(aggregates.METRICS):
        low, high = intervals["x"][:, index]
        expected = (values["x"][index], low, high)
        assert found[name] == pytest.approx(expected)
        assert low < values["x"][index] < high


def test_one_seed_has_points_and_no_interval():
    found = aggregates.aggregate(SCORES[:1], repeats=20)
    assert found["mean"].value == pytest.approx(0.65)
    assert np.isnan([e.low for e in found.values()]).all()
    assert np.isnan([e.high for e in found.values()]).all()


def test_the_interval_of_a_mean_is_of_runs_within_each_game():
    alike = [np.full((3, 2), 1.0), np.full((2, 2), 6.0)]
    estimate = aggregates.mean_curve(alike, 50)
    np.testing.assert_array_equal(estimate, np.full((3, 2), 3.0))  # (3·1 + 2·6) / 5
    apart = [np.array([[0.0], [2.0]]), np.full((2, 1), 6.0)]
    estimate = aggregates.mean_curve(apart, 500)
    assert [float(end[0]) for end in estimate] == [3.5, 3.0, 4.0]
    one_run = aggregates.mean_curve([alike[0], alike[1][:1]], 50)
    assert np.isfinite(one_run.value).all()
    assert np.isnan(one_run.low).all()


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (5, 17), (3, 2)])
def test_iqm_is_that_of_rliable_at_each_point(shape):
    scores = np.random.default_rng(1).normal(size=(*shape, 4))
    expected = [metrics.aggregate_iqm(scores[..., i]) for i in range(4)]
    assert aggregates.iqm_of_points(scores) == pytest.approx(expected)
    assert aggregates.iqm(scores[..., 0]) == pytest.approx(expected[0])
    assert aggregates.iqm_curve(scores, 10).value == pytest.approx(expected)


def test_probability_of_improvement_is_that_of_rliable():
    rng = np.random.default_rng(2)
    # Whole numbers, so that there are ties.
    x, y = rng.integers(4, size=(5, 6)) * 1.0, rng.integers(4, size=(3, 6)) * 1.0
    expected = metrics.probability_of_improvement(x, y)
    found = aggregates.improvement(x, y, 50)
    assert found.value == pytest.approx(expected)
    assert found.low <= found.value <= found.high
    # Of game 1, x always wins; of game 2, they tie once in two and lose once.
    by_hand = aggregates.probability_of_improvement(
        np.array([[1.0, 0.0]]), np.array([[0.0, 0.0], [0.0, 1.0]])
    )
    assert by_hand == pytest.approx((1 + 0.25) / 2)


def test_profiles_are_those_of_rliable():
    thresholds = np.array([-1.0, 0.0, 0.2, 0.5, 4.0])
    found = aggregates.profile(SCORES, thresholds, 50)
    # Above 0: 7 of 8; above .2: 5; above .5: 3; above 4: none.
    assert found.value == pytest.approx([1, 7 / 8, 5 / 8, 3 / 8, 0])
    assert found.value == pytest.approx(library.score_distributions(SCORES, thresholds))
