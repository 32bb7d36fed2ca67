"""Aggregates by hand on a small matrix, and against rliable called directly."""

import numpy as np
import pytest

from redo_dopamine.report import statistics

# Two seeds x four games.
SCORES = np.array([[0.0, 0.2, 0.4, 2.0], [0.2, 0.4, 0.6, 4.0]])


@pytest.fixture(scope="module")
def metrics():
    return pytest.importorskip("rliable.metrics")


def rank_test(x, y):
    """Ranks are within each game."""
    return statistics.rank_test(list(zip(x.T, y.T, strict=True)))


def test_aggregates_by_hand():
    found = statistics.aggregate(SCORES, repeats=20)
    # Sorted: 0 .2 .2 .4 .4 .6 2 4; a quarter is cut off at either end.
    assert found["iqm"].value == pytest.approx((0.2 + 0.4 + 0.4 + 0.6) / 4)
    # Means over seeds: .1 .3 .5 3.
    assert found["median"].value == pytest.approx(0.4)
    assert found["mean"].value == pytest.approx(3.9 / 4)
    # Clipped at 1: 0 .2 .2 .4 .4 .6 1 1.
    assert found["optimality_gap"].value == pytest.approx(1 - 3.8 / 8)


def test_values_are_those_of_rliable_and_intervals_come_out_alike(metrics):
    scores = np.random.default_rng(0).normal(size=(5, 7))
    theirs = {
        "iqm": metrics.aggregate_iqm,
        "median": metrics.aggregate_median,
        "mean": metrics.aggregate_mean,
        "optimality_gap": metrics.aggregate_optimality_gap,
    }
    found = statistics.aggregate(scores, repeats=200)
    assert found == statistics.aggregate(scores, repeats=200)
    assert list(found) == list(theirs)
    for name, function in theirs.items():
        assert found[name].value == pytest.approx(function(scores), rel=1e-12)
        assert found[name].low < found[name].value < found[name].high


def test_how_far_games_are_apart_is_part_of_the_interval():
    alike = np.tile([[0.0, 1.0]], (3, 1))
    found = statistics.aggregate(alike, repeats=500)["mean"]
    assert found == pytest.approx((0.5, 0, 1))


def test_of_one_game_intervals_are_students():
    scores = np.array([[0.5], [1.0], [1.5]])
    found = statistics.aggregate(scores, repeats=20)
    # s = 0.5, and t of 2 degrees of freedom is 4.302653: 4.302653 · 0.5 / √3.
    for name in ("iqm", "median", "mean"):
        assert found[name] == pytest.approx((1, 1 - 1.242069, 1 + 1.242069))
    # Of 0.5, 0 and 0.
    assert found["optimality_gap"].value == pytest.approx(1 / 6)
    curve = statistics.iqm_curve(np.stack([scores, 2 * scores], axis=2), 20)
    assert curve.low == pytest.approx([1 - 1.242069, 2 - 2.484138])
    # Above 0.7 are 2 of 3: Clopper and Pearson's.
    profile = statistics.profile(scores, np.array([0.7, 2.0]), 20)
    assert profile.value == pytest.approx([2 / 3, 0])
    assert profile.low == pytest.approx([0.094299, 0], abs=1e-6)
    assert profile.high == pytest.approx([0.991596, 0.707598], abs=1e-6)


def test_two_arms_in_one_game_are_compared_by_welch_and_ranks():
    x, y = np.array([[4.0], [5.0], [6.0]]), np.array([[1.0], [2.0], [3.0]])
    improvement = statistics.improvement(x, y, 20)
    assert improvement == pytest.approx((1, np.nan, np.nan), nan_ok=True)
    assert rank_test(x, y) == pytest.approx(0.1)
    # √(1/3 + 1/3), 4 degrees of freedom: t = 2.776445.
    found = statistics.difference(x, y, 20)
    assert found == pytest.approx((3, 3 - 2.266958, 3 + 2.266958))
    both = np.hstack([x, x]), np.hstack([y, y])
    assert rank_test(*both) == pytest.approx(2 / 400)
    assert statistics.difference(*both, 50).value == 3
    assert statistics.improvement(*both, 50) == pytest.approx((1, 1, 1))


def test_one_seed_has_points_and_no_interval():
    found = statistics.aggregate(SCORES[:1], repeats=20)
    assert found["mean"].value == pytest.approx(0.65)
    assert np.isnan([e.low for e in found.values()]).all()
    assert np.isnan([e.high for e in found.values()]).all()


def test_the_interval_of_a_mean_over_games_is_of_games_and_runs():
    alike = [np.full((3, 2), 1.0), np.full((2, 2), 6.0)]
    estimate = statistics.mean_curve(alike, 500)
    assert estimate.value.tolist() == [3, 3]  # (3·1 + 2·6) / 5
    assert estimate.low.tolist() == [1, 1]
    assert estimate.high.tolist() == [6, 6]
    one_run = statistics.mean_curve([alike[0], alike[1][:1]], 50)
    assert np.isfinite(one_run.value).all()
    assert np.isnan(one_run.low).all()


def test_the_interval_of_a_fraction_stays_in_0_and_1():
    runs = np.array([[0.0, 0.5], [0.0, 1.0], [0.9, 0.9]])
    found = statistics.mean_curve([runs], 20, fraction=True)
    assert (found.low[0], found.high.tolist()) == (0, [1, 1])
    found = statistics.mean_curve([runs], 20)
    assert found.low[0] < 0
    assert found.high[0] > 1


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (5, 17), (3, 2)])
def test_iqm_is_that_of_rliable_at_each_point(shape, metrics):
    scores = np.random.default_rng(1).normal(size=(*shape, 4))
    expected = [metrics.aggregate_iqm(scores[..., i]) for i in range(4)]
    assert statistics.iqm_of_points(scores) == pytest.approx(expected)
    iqm = statistics.METRICS["iqm"](scores[..., 0])
    assert iqm == pytest.approx(expected[0])
    assert statistics.iqm_curve(scores, 10).value == pytest.approx(expected)


def test_probability_of_improvement_is_that_of_rliable(metrics):
    rng = np.random.default_rng(2)
    # Whole numbers, so that there are ties.
    x, y = rng.integers(4, size=(5, 6)) * 1.0, rng.integers(4, size=(3, 6)) * 1.0
    expected = metrics.probability_of_improvement(x, y)
    found = statistics.improvement(x, y, 50)
    assert found.value == pytest.approx(expected)
    assert found.low <= found.value <= found.high
    assert 0 < rank_test(x, y) <= 1
    # Of game 1, x always wins; of game 2, they tie once in two and lose once.
    by_hand = statistics.probability_of_improvement(
        np.array([[1.0, 0.0]]), np.array([[0.0, 0.0], [0.0, 1.0]])
    )
    assert by_hand == pytest.approx((1 + 0.25) / 2)


def test_profiles_are_those_of_rliable():
    thresholds = np.array([-1.0, 0.0, 0.2, 0.5, 4.0])
    found = statistics.profile(SCORES, thresholds, 50)
    # Above 0: 7 of 8; above .2: 5; above .5: 3; above 4: none.
    assert found.value == pytest.approx([1, 7 / 8, 5 / 8, 3 / 8, 0])
    library = pytest.importorskip("rliable.library")
    assert found.value == pytest.approx(library.score_distributions(SCORES, thresholds))
