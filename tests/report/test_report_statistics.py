"""Intervals and tests by hand, and how often intervals cover what they are of."""

import numpy as np
import pytest
from scipy import stats

from redo_dopamine.report import statistics

THREE = np.array([1.0, 2.0, 3.0])
NAN = (np.nan, np.nan)


def test_a_t_interval_by_hand():
    # s = 1, and 2.5% of Student's t with 2 degrees of freedom is beyond 4.302653.
    assert statistics.t_interval(THREE) == pytest.approx((2, -0.484138, 4.484138))
    along = statistics.t_interval(np.stack([THREE, 2 * THREE], axis=1))
    assert along.value.tolist() == [2, 4]
    assert along.low == pytest.approx([-0.484138, -0.968276])
    one = statistics.t_interval(THREE[:1])
    assert one == pytest.approx((1, *NAN), nan_ok=True)


def test_welchs_interval_by_hand():
    found = statistics.welch(THREE, np.array([2.0, 4.0, 6.0]))
    # The error is √(1/3 + 4/3), with 50/17 degrees of freedom: t = 3.218760.
    assert found == pytest.approx((-2, -6.155400, 2.155400), abs=1e-4)
    theirs = stats.ttest_ind(THREE, [2, 4, 6], equal_var=False).confidence_interval()
    assert (found.low, found.high) == pytest.approx(tuple(theirs))
    assert statistics.welch(THREE, THREE[:1]) == pytest.approx((1, *NAN), nan_ok=True)
    alike = statistics.welch(np.ones(3), np.zeros(3))
    assert alike == pytest.approx((1, 1, 1))


def test_the_interval_of_an_interquartile_mean_by_hand():
    # Of 0 2 4 6 the middle is 2 and 4; winsorized 2 2 4 4 has s = √(4/3). The error
    # is s √4 / 2; t of one degree of freedom is 12.706205.
    found = statistics.iqm_interval(np.array([6.0, 0.0, 2.0, 4.0]))
    assert found == pytest.approx((3, 3 - 14.671862, 3 + 14.671862))
    assert statistics.iqm_interval(THREE) == pytest.approx(statistics.t_interval(THREE))
    assert np.isnan(statistics.iqm_interval(THREE[:1]).low)


@pytest.mark.parametrize(
    ("hits", "number", "low", "high"),
    # Of all of n: the n-th root of 0.025.
    [(3, 3, 0.292402, 1), (0, 3, 0, 0.707598), (1, 2, 0.012579, 0.987421)],
)
def test_the_interval_of_a_fraction_by_hand(hits, number, low, high):
    found = statistics.fraction_interval(np.array(hits), number)
    assert found == pytest.approx((hits / number, low, high), abs=1e-6)
    assert np.isnan(statistics.fraction_interval(np.array([0, 1]), 1).low).all()


def test_a_clipped_interval_stays_where_fractions_are():
    found = statistics.t_interval(np.array([0.0, 0.0, 0.9])).clipped()
    assert found == pytest.approx((0.3, 0, 1))


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        # One of the 20 arrangements of 3 and 3, and its mirror.
        ([4, 5, 6], [1, 2, 3], 2 / 20),
        ([1, 2, 3], [4, 5, 6], 2 / 20),
        # 2 of 20 are as far, and 4 next to them: 1 3 | 2, say.
        ([3, 5, 6], [1, 2, 4], 4 / 20),
        (range(6), range(6, 12), 2 / 924),
        ([1, 1, 1], [1, 1, 1], 1),
        # Ranks 1 2.5 | 2.5 4. Of 6 arrangements, sums of two: 3.5 3.5 5 5 6.5 6.5.
        ([1, 2], [2, 3], 4 / 6),
        ([1], [2], 1),
    ],
)
def test_a_rank_test_by_hand(x, y, expected):
    assert statistics.rank_test([(list(x), list(y))]) == pytest.approx(expected)


def test_without_ties_a_rank_test_is_scipys():
    random = np.random.default_rng(0)
    for sizes in ((3, 4), (5, 5), (6, 3), (2, 7)):
        x, y = (random.normal(size=size) for size in sizes)
        theirs = stats.mannwhitneyu(x, y, method="exact").pvalue
        assert statistics.rank_test([(x, y)]) == pytest.approx(theirs)


@pytest.mark.parametrize(
    ("strata", "expected"),
    [
        # Sums of ±1 and ±1: -2 0 0 2.
        ([([1], [0]), ([1], [0])], 2 / 4),
        ([([1], [0]), ([0], [1])], 1),
        # Of ±3 and ±1, as far as 2: all four.
        ([([3], [0]), ([0], [1])], 1),
        ([([3], [0]), ([1], [0])], 2 / 4),
        ([([4, 5, 6], [1, 2, 3])] * 2, 2 / 400),
        ([([4, 5, 6], [1, 2, 3])] * 3, 2 / 8_000),
        # Of means, not of sums: (2+2)/2 - 0 against (2+0)/2 - 2, twice.
        ([([2, 2], [0])], 1 / 3),
    ],
)
def test_a_stratified_permutation_test_by_hand(strata, expected):
    found = statistics.stratified_permutation_test(strata)
    assert found == pytest.approx(expected)


def test_many_arrangements_are_drawn_and_give_nearly_the_same():
    random = np.random.default_rng(1)
    strata = [(random.normal(0.8, size=3), random.normal(size=3)) for _ in range(3)]
    exact = statistics.stratified_permutation_test(strata)
    drawn = statistics.stratified_permutation_test(strata, most_arrangements=1)
    assert exact != drawn
    assert drawn == pytest.approx(exact, abs=0.005)
    assert drawn == statistics.stratified_permutation_test(strata, 1)
    apart = [([10.0 + i, 11, 12, 13, 14, 15], range(6)) for i in range(3)]
    # None of the draws is as far: only the one at hand counts.
    assert statistics.stratified_permutation_test(apart) == pytest.approx(1 / 100_001)


@pytest.mark.parametrize("strata", [[], [([], [1])], [([1], [1]), ([1], [])]])
def test_a_stratum_without_values_is_refused(strata):
    with pytest.raises(ValueError, match="a value of both arms"):
        statistics.stratified_permutation_test(strata)


def covers(estimate, truth=0.0):
    return float(np.mean((estimate.low <= truth) & (truth <= estimate.high)))


def draws(number, scale=1.0, seed=0):
    return np.random.default_rng(seed).normal(0, scale, size=(number, 40_000))


def test_t_intervals_cover_the_mean_in_19_of_20_cases():
    for number in (2, 3, 6):
        assert covers(statistics.t_interval(draws(number))) == pytest.approx(
            0.95, abs=0.005
        )
    # What a percentile bootstrap of three values comes to.
    three = draws(3)
    lowest_to_highest = statistics.Estimate(
        three.mean(axis=0), three.min(axis=0), three.max(axis=0)
    )
    assert covers(lowest_to_highest) == pytest.approx(0.75, abs=0.01)


def test_intervals_of_a_difference_and_of_the_middle_cover_it():
    found = statistics.welch(draws(3), draws(6, scale=2.0, seed=1))
    assert 0.94 < covers(found) < 0.97
    # Of so few values a little too narrow.
    assert 0.91 < covers(statistics.iqm_interval(draws(8))) < 0.96


def test_a_rank_test_of_equals_is_below_a_twentieth_in_a_twentieth_at_most():
    random = np.random.default_rng(2)
    found = [
        statistics.rank_test([random.normal(size=(2, 4)), random.normal(size=(2, 3))])
        for _ in range(400)
    ]
    assert 0.01 < np.mean(np.array(found) <= 0.05) < 0.08


def mean(games):
    return np.mean([runs.mean() for runs in games])


def test_games_are_drawn_and_then_runs_within_them():
    apart = [np.zeros(2), np.ones(2)]
    # Both 0 in a quarter of draws, both 1 in another.
    assert statistics.hierarchical([apart], mean, 500) == pytest.approx((0.5, 0, 1))
    alike = [np.array([0.0, 1.0])] * 2
    found = statistics.hierarchical([alike], mean, 2_000)
    # The mean of four draws of 0 and 1: 0 in one of 16.
    assert found == pytest.approx((0.5, 0, 1))
    again = statistics.hierarchical([alike], mean, 2_000)
    assert again == found
    one_run = statistics.hierarchical([[np.zeros(2), np.ones(1)]], mean, 50)
    assert one_run == pytest.approx((0.5, *NAN), nan_ok=True)


def test_arms_are_compared_in_the_same_games():
    x = [np.full(2, 10.0), np.full(2, 1.0)]
    y = [np.full(2, 8.0), np.full(2, -1.0)]
    found = statistics.hierarchical([x, y], lambda a, b: mean(a) - mean(b), 200)
    assert found == pytest.approx((2, 2, 2))


def test_intervals_over_games_cover_the_mean_of_games_like_them():
    random = np.random.default_rng(3)
    hits, within = 0, 0
    for _ in range(60):
        levels = random.normal(size=12)
        games = [random.normal(level, 0.3, size=4) for level in levels]
        found = statistics.hierarchical([games], mean, 100)
        hits += found.low <= 0 <= found.high
        error = 0.3 / np.sqrt(48)
        within += abs(float(found.value)) <= 2 * error
    assert hits / 60 > 0.85
    assert within / 60 < 0.5  # Of runs within games alone.
