"""Aggregates, intervals and tests for a few runs: which is for what.

- One game: Student's t interval of a mean; Welch's of a difference of two arms;
  Tukey and McLaughlin's of an interquartile mean. A percentile bootstrap of three
  values is [min, max], and covers the mean in 3 cases of 4.
- Several games: games are resampled, then runs within each.
- Is one arm better? A permutation test within each stratum (a game, a replay ratio),
  which assumes nothing but that without an effect arms can be exchanged.

Values have runs on their first axis; scores of an arm are seeds x games [x points]. Of
one run there is no interval: its ends are NaN.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

LEVEL = 0.95
MIN_RUNS = 2
FEW_RUNS = 5  # Below it, the number of runs stands beside the number.
RANDOM_STATE = 20230
_MOST_ARRANGEMENTS = 200_000
_DRAWS = 100_000

# Of one stratum: the values of two arms.
Pair = tuple[Sequence[float] | np.ndarray, Sequence[float] | np.ndarray]


class Estimate(NamedTuple):
    """A value, or an array of values, between the ends of its interval."""

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def clipped(self, low: float = 0.0, high: float = 1.0) -> "Estimate":
        """Return the same with an interval of what can be, such as a fraction."""
        ends = (np.clip(end, low, high) for end in (self.low, self.high))
        return Estimate(self.value, *ends)

    def at(self, place: int) -> "Estimate":
        """Return that of one of the values."""
        return Estimate(*(end[place] for end in self))


def point(value: np.ndarray) -> Estimate:
    """Return an estimate without an interval."""
    nan = np.full(np.shape(value), np.nan)
    return Estimate(value, nan, nan)


NOTHING = point(np.array(np.nan))


def t_interval(values: np.ndarray) -> Estimate:
    r"""Return the mean over runs, $\bar x \pm t_{n-1} s / \sqrt n$."""
    values = np.asarray(values, float)
    mean = values.mean(axis=0)
    if len(values) < MIN_RUNS:
        return point(mean)
    error = values.std(axis=0, ddof=1) / math.sqrt(len(values))
    return _around(mean, error, len(values) - 1)


def iqm_interval(values: np.ndarray) -> Estimate:
    r"""Return the mean without a quarter at each end, and its t interval.

    Tukey and McLaughlin, 1963: with g of n values cut off at each end, the standard
    error is $s_w \sqrt n / h$ with $h = n - 2g$, where $s_w$ is the standard deviation
    of the winsorized values, and there are h - 1 degrees of freedom. Of fewer than
    four values none is cut off, and this is `t_interval`; of 4 to 12 normal values it
    covers the mean in 92 to 93 of 100 cases.
    """
    ordered = np.sort(np.asarray(values, float), axis=0)
    number = len(ordered)
    cut = number // 4
    mean = ordered[cut : number - cut].mean(axis=0)
    if number < MIN_RUNS:
        return point(mean)
    winsorized = np.clip(ordered, ordered[cut], ordered[number - 1 - cut])
    left = number - 2 * cut
    deviation = winsorized.std(axis=0, ddof=1)
    return _around(mean, deviation * math.sqrt(number) / left, left - 1)


def welch(x: np.ndarray, y: np.ndarray) -> Estimate:
    """Return the difference of two means, x - y, with Welch's interval."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    difference = x.mean(axis=0) - y.mean(axis=0)
    if min(len(x), len(y)) < MIN_RUNS:
        return point(difference)
    of_x, of_y = (values.var(axis=0, ddof=1) / len(values) for values in (x, y))
    error = np.sqrt(of_x + of_y)
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = error**4 / (of_x**2 / (len(x) - 1) + of_y**2 / (len(y) - 1))
    # Without any spread the interval is a point, whatever the degrees of freedom.
    return _around(difference, error, np.where(error > 0, freedom, 1.0))


def fraction_interval(hits: np.ndarray, number: int) -> Estimate:
    """Return the fraction `hits` of `number` runs; Clopper and Pearson's interval."""
    hits = np.asarray(hits)
    if number < MIN_RUNS:
        return point(hits / number)
    tail = (1 - LEVEL) / 2
    low = stats.beta.ppf(tail, hits, number - hits + 1)
    high = stats.beta.ppf(1 - tail, hits + 1, number - hits)
    low, high = np.where(hits == 0, 0.0, low), np.where(hits == number, 1.0, high)
    return Estimate(hits / number, low, high)


def hierarchical(
    arms: Sequence[Sequence[np.ndarray]],
    statistic: Callable[..., np.ndarray],
    repeats: int,
) -> Estimate:
    """Return a statistic of runs of several games, with a bootstrap interval.

    Games are drawn with replacement, the same for each arm, then the runs within each
    drawn game. Percentiles of `repeats` draws with a fixed seed. A game or an arm with
    a single run leaves no interval. The statistic is of a list of values [runs, ...] by
    game, for each arm.
    """
    value = np.asarray(statistic(*arms), float)
    if min(len(runs) for games in arms for runs in games) < MIN_RUNS:
        return point(value)
    random = np.random.default_rng(RANDOM_STATE)

    def resampled(runs: np.ndarray) -> np.ndarray:
        return runs[random.integers(len(runs), size=len(runs))]

    number = len(arms[0])
    draws = np.empty((repeats, *value.shape))
    for draw in range(repeats):
        games = random.integers(number, size=number)
        draws[draw] = statistic(*([resampled(arm[x]) for x in games] for arm in arms))
    tail = 50 * (1 - LEVEL)
    return Estimate(value, *np.percentile(draws, [tail, 100 - tail], axis=0))


def rank_test(strata: Sequence[Pair]) -> float:
    """Return the two-sided p-value of Mann and Whitney's test, exact with ties too.

    Of several strata, ranks are within each: van Elteren's test, unweighted.
    """
    ranks = [(stats.rankdata(np.concatenate(pair)), len(pair[0])) for pair in strata]
    return stratified_permutation_test([(x[:size], x[size:]) for x, size in ranks])


def stratified_permutation_test(
    strata: Sequence[Pair], most_arrangements: int = _MOST_ARRANGEMENTS
) -> float:
    """Return the two-sided p-value of a difference between two arms.

    The statistic is the sum over the strata of the difference of the two means; p is
    how likely a sum is that is at least as far from 0. Within each stratum every
    arrangement of the values is as likely, if arms make no difference. Exact where
    there are few arrangements; else by a fixed number of random ones with a fixed
    seed, the one at hand among them. A stratum may be a game at a replay ratio.
    """
    pairs = [(np.asarray(x, float), np.asarray(y, float)) for x, y in strata]
    if not pairs or any(not len(x) or not len(y) for x, y in pairs):
        raise ValueError("each stratum must have a value of both arms")
    observed = sum(x.mean() - y.mean() for x, y in pairs)
    size = sum(float(np.abs(np.concatenate(pair)).max()) for pair in pairs)
    least = abs(observed) - 1e-9 * size  # But for rounding.
    number = math.prod(math.comb(len(x) + len(y), len(x)) for x, y in pairs)
    if number <= most_arrangements:
        sums = np.zeros(1)
        for x, y in pairs:
            sums = np.add.outer(sums, _all_differences(x, y)).ravel()
        return float(np.mean(np.abs(sums) >= least))
    random = np.random.default_rng(RANDOM_STATE)
    sums = np.zeros(_DRAWS)
    for x, y in pairs:
        shuffled = random.permuted(np.tile(np.concatenate([x, y]), (_DRAWS, 1)), axis=1)
        sums += shuffled[:, : len(x)].mean(axis=1) - shuffled[:, len(x) :].mean(axis=1)
    return float((1 + (np.abs(sums) >= least).sum()) / (1 + _DRAWS))


def iqm_of_points(scores: np.ndarray) -> np.ndarray:
    """Return the mean without a quarter at each end, over runs and games, by point."""
    ordered = np.sort(scores.reshape(-1, scores.shape[-1]), axis=0)
    cut = len(ordered) // 4
    return ordered[cut : len(ordered) - cut].mean(axis=0)


# Of scores, seeds x games, the values of rliable's functions (Agarwal et al., NeurIPS
# 2021), which a test compares.
METRICS: dict[str, Callable[[np.ndarray], float]] = {
    "iqm": lambda scores: iqm_of_points(scores[..., None])[0],
    "median": lambda scores: np.median(scores.mean(axis=0)),
    "mean": lambda scores: scores.mean(axis=0).mean(),
    "optimality_gap": lambda scores: 1 - np.minimum(scores, 1).mean(),
}


def _estimate(
    arms: Sequence[np.ndarray],
    of_one: Callable[..., Estimate],
    statistic: Callable[..., np.ndarray],
    repeats: int,
) -> Estimate:
    """Return an estimate of the scores of arms: `of_one` game, or by bootstrap."""
    if arms[0].shape[1] == 1:
        return of_one(*(scores[:, 0] for scores in arms))
    return hierarchical(
        [list(np.moveaxis(scores, 1, 0)) for scores in arms],
        lambda *drawn: statistic(*(np.stack(games, axis=1) for games in drawn)),
        repeats,
    )


def aggregate(scores: np.ndarray, repeats: int) -> dict[str, Estimate]:
    """Return IQM, median, mean and optimality gap of scores, seeds x games."""

    def of_one(scores: np.ndarray) -> Estimate:
        mean = t_interval(scores)
        shortfall = t_interval(1 - np.minimum(scores, 1))
        # Over one game, the median of the games' means is its mean.
        found = [iqm_interval(scores), mean, mean, shortfall]
        return Estimate(*(np.array(end) for end in zip(*found, strict=True)))

    def of_several(scores: np.ndarray) -> np.ndarray:
        return np.array([metric(scores) for metric in METRICS.values()])

    found = _estimate([scores], of_one, of_several, repeats)
    return {name: found.at(index) for index, name in enumerate(METRICS)}


def iqm_curve(scores: np.ndarray, repeats: int) -> Estimate:
    """Return the IQM at each point of scores, seeds x games x points."""
    return _estimate([scores], iqm_interval, iqm_of_points, repeats)


def mean_curve(
    games: Sequence[np.ndarray], repeats: int, fraction: bool = False
) -> Estimate:
    """Return the mean over all runs [runs, points] of games, of any metric.

    The interval of a `fraction` is within 0 and 1.
    """

    def of_all(games: Sequence[np.ndarray]) -> np.ndarray:
        return np.concatenate(games).mean(axis=0)

    one = len(games) == 1
    found = t_interval(games[0]) if one else hierarchical([games], of_all, repeats)
    return found.clipped() if fraction else found


def profile(scores: np.ndarray, thresholds: np.ndarray, repeats: int) -> Estimate:
    """Return the fraction of runs whose score is above each threshold."""

    def above(x: np.ndarray) -> np.ndarray:
        ordered = np.sort(x, axis=None)
        return len(ordered) - np.searchsorted(ordered, thresholds, side="right")

    return _estimate(
        [scores],
        lambda x: fraction_interval(above(x), x.size),
        lambda x: above(x) / x.size,
        repeats,
    )


def improvement(x: np.ndarray, y: np.ndarray, repeats: int) -> Estimate:
    """Return the probability that a run of `x` beats one of `y`, over the games.

    Of one game without an interval: of a few runs there is none that is worth its
    name. What it can tell is `rank_test`'s p-value.
    """
    return _estimate(
        [x, y],
        lambda a, b: point(probability_of_improvement(a[:, None], b[:, None])),
        probability_of_improvement,
        repeats,
    )


def difference(x: np.ndarray, y: np.ndarray, repeats: int) -> Estimate:
    """Return the mean score of `x` less that of `y`: of one game, with Welch's t."""

    def of_means(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.asarray(np.mean(a.T.copy()) - np.mean(b.T.copy()))

    return _estimate([x, y], welch, of_means, repeats)


def probability_of_improvement(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return P(x > y) + P(x = y) / 2 within each game, as a mean over the games.

    The value of rliable's function of that name.
    """
    difference = x[:, None, :] - y[None, :, :]
    return np.asarray(np.mean((difference > 0) + 0.5 * (difference == 0)))


def _around(mean: np.ndarray, error: np.ndarray, freedom: np.ndarray | int) -> Estimate:
    reach = stats.t.ppf((1 + LEVEL) / 2, freedom) * error
    return Estimate(mean, mean - reach, mean + reach)


def _all_differences(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the difference of means of every arrangement of the values."""
    values = np.concatenate([x, y])
    sums = np.array(list(itertools.combinations(values, len(x)))).sum(axis=1)
    return sums / len(x) - (values.sum() - sums) / len(y)
