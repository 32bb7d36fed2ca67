import jax.numpy as jnp
import pytest

from redo_dopamine.core.masks import dormant, validate_threshold


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
@pytest.mark.parametrize(
    "check", [validate_threshold, lambda tau: dormant(jnp.ones(3), tau)]
)
def test_a_threshold_that_is_no_finite_number_from_zero_on_is_an_error(check, tau):
    with pytest.raises(
        ValueError, match=f"tau must be a finite number >= 0, but is {tau}"
    ):
        check(tau)
