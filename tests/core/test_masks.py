import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.settings import CHEAP
from redo_dopamine.core.masks import (
    dormant,
    lowest,
    lowest_fraction,
    threshold,
    thresholds,
)


def test_masks_by_hand():
    score = jnp.array([0.0, 0.05, 0.1, 0.11, 2.0])
    assert dormant(score, 0.1).tolist() == [True, True, True, False, False]


def test_a_score_at_the_threshold_is_dormant():
    assert dormant(jnp.array([0.5, jnp.nextafter(0.5, 1.0)]), 0.5).tolist() == [
        True,
        False,
    ]


def test_threshold_zero_marks_only_scores_of_zero():
    tiny = jnp.finfo(jnp.float32).tiny
    assert dormant(jnp.array([0.0, tiny, 1.0]), 0).tolist() == [True, False, False]


@pytest.mark.parametrize("tau", [-0.1, float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("check", [threshold, lambda tau: dormant(jnp.ones(3), tau)])
def test_a_threshold_that_is_no_finite_number_from_zero_on_is_an_error(check, tau):
    with pytest.raises(
        ValueError, match=f"tau must be a finite number >= 0, but is {tau}"
    ):
        check(tau)


NAN = float("nan")


@pytest.mark.parametrize(
    ("score", "count", "expected"),
    [
        ([3.0, 1.0, 2.0, 0.0], 0, []),
        ([3.0, 1.0, 2.0, 0.0], 2, [1, 3]),
        ([3.0, 1.0, 2.0, 0.0], 4, [0, 1, 2, 3]),
        ([3.0, 1.0, 2.0, 0.0], 9, [0, 1, 2, 3]),
        ([1.0, 1.0, 1.0, 1.0], 3, [0, 1, 2]),
        ([1.0, 0.0, 1.0, 0.0], 3, [0, 1, 3]),
        ([NAN, 5.0, NAN, 9.0], 3, [0, 1, 3]),
        ([0.0, -1.0, -0.0, 1.0], 2, [0, 1]),
    ],
)
def test_the_lowest_by_hand(score, count, expected):
    assert np.flatnonzero(lowest(jnp.array(score), count)).tolist() == expected
    traced = jax.jit(lowest)(jnp.array(score), count)
    assert np.flatnonzero(traced).tolist() == expected


@CHEAP
@given(st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0]), min_size=1, max_size=20))
def test_the_lowest_are_exactly_as_many_and_none_left_out_is_lower(values):
    score = np.array(values, np.float32)
    for count in range(score.size + 1):
        mask = np.asarray(lowest(jnp.asarray(score), count))
        assert mask.sum() == count
        if 0 < count < score.size:
            assert score[mask].max() <= score[~mask].min()


@pytest.mark.parametrize(
    ("fraction", "expected"),
    [(0, 0), (0.04, 0), (0.1, 1), (0.3, 3), (0.26, 3), (1, 10)],
)
def test_a_fraction_is_rounded_to_whole_neurons(fraction, expected):
    score = jnp.zeros(10)
    assert int(lowest_fraction(score, fraction).sum()) == expected
    assert int(jax.jit(lowest_fraction)(score, fraction).sum()) == expected


@pytest.mark.parametrize("taus", [0.1, "0.1", None, (0.1, 0.1), (-1.0,), (0.0, -0.0)])
def test_thresholds_are_several_numbers_that_differ(taus):
    with pytest.raises((TypeError, ValueError), match="taus must be "):
        thresholds(taus)


def test_minus_zero_is_zero():
    assert str(thresholds((-0.0, 1))) == "(0.0, 1.0)"
