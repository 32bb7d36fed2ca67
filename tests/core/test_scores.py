import hypothesis.extra.numpy as hnp
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import released
from helpers.settings import CHEAP
from redo_dopamine.core.masks import dormant
from redo_dopamine.core.scores import dormancy_score, not_finite

# Whole numbers, so that sums are exact and no property drowns in rounding.
ACTIVATIONS = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=4, max_side=5),
    elements=st.integers(-50, 50).map(float),
)


def test_score_of_a_dense_layer_by_hand():
    # Means of |h| are 1, 3, 0, 0; the layer's mean is 1.
    activation = jnp.array([[1.0, -4.0, 0.0, 0.0], [1.0, 2.0, 0.0, 0.0]])
    assert dormancy_score(activation).tolist() == [1.0, 3.0, 0.0, 0.0]


def test_score_of_a_convolution_by_hand_averages_over_space():
    # One state, 2 x 1 positions, two channels with means 1 and 3.
    activation = jnp.array([[[[2.0, 3.0]], [[0.0, 3.0]]]])
    assert dormancy_score(activation).tolist() == [0.5, 1.5]


@pytest.mark.parametrize(
    ("activation", "bad"),
    [
        (np.array([[1, 2, 3, 4, 5, np.inf]], np.float32), 1),
        (np.array([[1, -np.inf, 3, 4, np.nan, np.inf]], np.float32), 3),
        (np.array([[1.0, 60_000.0]], np.float16) * np.float16(2), 1),  # Overflows.
        (np.full((2, 3), 3e38, np.float32), 3),  # Of finite numbers, the sum does.
        (np.full((1, 3), 3e38, np.float32), 3),
        (np.array([[1, 2, 3, 4, 5, 0]], np.float32), 0),
        (np.zeros((2, 3), np.float32), 0),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow")
def test_a_layer_that_is_not_finite_has_no_dormant_neuron(activation, bad):
    assert int(not_finite(jnp.asarray(activation))) == bad
    score = dormancy_score(jnp.asarray(activation))
    assert np.isnan(score).all() == (bad > 0)
    if bad:
        assert not dormant(score, 1e30).any()


@pytest.mark.parametrize("shape", [(0, 3), (0, 4, 4, 3), (2, 0, 3)])
def test_an_empty_batch_is_an_error(shape):
    with pytest.raises(ValueError, match=r"at least one state.*not empty"):
        dormancy_score(jnp.zeros(shape))


@CHEAP
@given(ACTIVATIONS)
def test_scores_average_one_unless_the_layer_is_silent(activation):
    expected = 1.0 if np.any(activation) else 0.0
    assert np.mean(dormancy_score(activation)) == pytest.approx(expected, rel=1e-5)


@CHEAP
@given(ACTIVATIONS)
def test_one_score_per_neuron_and_none_negative(activation):
    score = dormancy_score(activation)
    assert score.shape == activation.shape[-1:]
    assert np.all(score >= 0)


@CHEAP
@given(ACTIVATIONS, st.floats(1e-3, 1e3))
def test_scores_do_not_change_when_the_layer_is_scaled(activation, scale):
    scaled = dormancy_score(activation * np.float32(scale))
    np.testing.assert_allclose(scaled, dormancy_score(activation), rtol=1e-5)


@CHEAP
@given(ACTIVATIONS, st.randoms(use_true_random=False))
def test_scores_permute_with_the_neurons(activation, random):
    order = random.sample(range(activation.shape[-1]), activation.shape[-1])
    permuted = dormancy_score(activation[..., order])
    score = np.asarray(dormancy_score(activation))
    np.testing.assert_allclose(permuted, score[order], rtol=1e-6)


@CHEAP
@given(ACTIVATIONS)
def test_space_counts_like_more_states(activation):
    as_states = activation.reshape(-1, activation.shape[-1])
    np.testing.assert_allclose(
        dormancy_score(activation), dormancy_score(as_states), rtol=1e-6
    )


@CHEAP
@given(ACTIVATIONS)
def test_a_neuron_scores_zero_exactly_where_it_never_fires(activation):
    silent = ~np.any(activation, axis=tuple(range(activation.ndim - 1)))
    assert np.array_equal(dormancy_score(activation) == 0, silent)


def test_a_silent_layer_scores_zero_everywhere():
    assert dormancy_score(jnp.zeros((3, 4))).tolist() == [0.0] * 4


def test_nan_stays_nan_and_no_threshold_calls_it_dormant():
    score = dormancy_score(jnp.array([[1.0, jnp.nan], [0.0, 2.0]]))
    assert np.all(np.isnan(score))
    assert not np.any(dormant(score, 1e30))


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float32, jnp.int32])
def test_scores_are_float32_for_inputs_up_to_float32(dtype):
    score = dormancy_score(jnp.array([[1, 3]], dtype))
    assert score.dtype == jnp.float32
    assert score.tolist() == [0.5, 1.5]


def test_bfloat16_activations_are_averaged_in_float32():
    # 256 + 1 is not a bfloat16: a running sum in bfloat16 would stop at 256.
    activation = jnp.ones((1000, 2), jnp.bfloat16).at[:, 1].set(3)
    np.testing.assert_allclose(dormancy_score(activation), [0.5, 1.5], rtol=1e-6)


@pytest.mark.parametrize("shape", [(16, 7, 5, 12), (32, 40)])
def test_scores_equal_those_of_the_released_implementation(shape):
    normal = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    activation = np.maximum(normal, 0)
    activation[..., 2] = 0
    recycler = released.weight_recyclers.BaseRecycler(all_layers_names=["layer"])
    expected = recycler.estimate_neuron_score(activation)
    np.testing.assert_allclose(dormancy_score(activation), expected, rtol=1e-5)


def test_activations_without_a_batch_axis_are_an_error():
    message = (
        r"A score needs activations \[batch, ..., neurons\], but the shape is "
        r"\(5,\)\. Add the batch axis \(one state: x\[None\]\)\."
    )
    with pytest.raises(ValueError, match=message):
        dormancy_score(jnp.ones(5))
