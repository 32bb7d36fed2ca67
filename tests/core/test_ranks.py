import jax
import jax.numpy as jnp
import numpy as np
import pytest

from redo_dopamine.core.metrics.ranks import (
    effective_rank,
    features,
    singular_values,
    srank,
    stable_rank,
)

RANKS = {"stable": stable_rank, "effective": effective_rank, "srank": srank}


def of(matrix):
    sigma = singular_values(jnp.asarray(matrix, jnp.float32))
    return {name: float(rank(sigma)) for name, rank in RANKS.items()}


def numpy_ranks(matrix, delta=0.01):
    sigma = np.linalg.svd(np.asarray(matrix, np.float64), compute_uv=False)
    p = sigma / sigma.sum()
    kept = next(k for k in range(len(p) + 1) if p[:k].sum() >= 1 - delta)
    return {
        "stable": np.linalg.norm(matrix) ** 2 / np.linalg.norm(matrix, 2) ** 2,
        "effective": np.exp(-(p[p > 0] * np.log(p[p > 0])).sum()),
        "srank": kept,
    }


@pytest.mark.parametrize("shape", [(40, 6), (6, 40), (8, 8), (300, 3)])
def test_ranks_are_numpys(shape):
    rng = np.random.default_rng(0)
    matrix = np.maximum(rng.normal(size=shape) * rng.random(shape[1]) ** 4, 0)
    assert of(matrix) == pytest.approx(numpy_ranks(matrix), rel=1e-4)
    sigma = singular_values(jnp.asarray(matrix))
    expected = np.linalg.svd(matrix, compute_uv=False)
    np.testing.assert_allclose(sigma, expected, rtol=1e-4, atol=1e-4)


def test_ranks_by_hand():
    sigma = jnp.array([4.0, 2.0, 2.0, 0.0])
    assert float(stable_rank(sigma)) == 1.5
    # Shares 1/2, 1/4, 1/4: entropy 1.5 ln 2.
    assert float(effective_rank(sigma)) == pytest.approx(2**1.5)
    assert float(srank(sigma)) == 3


@pytest.mark.parametrize(
    ("delta", "expected"), [(0.6, 1), (0.5, 1), (0.4, 2), (0.25, 2), (0.1, 3)]
)
def test_srank_keeps_the_fewest_that_leave_out_no_more_than_delta(delta, expected):
    assert float(srank(jnp.array([4.0, 2.0, 2.0]), delta)) == expected


def test_equal_directions_count_fully_and_copies_once():
    assert of(3 * np.eye(5)) == pytest.approx(dict.fromkeys(RANKS, 5), rel=1e-6)
    copies = np.outer(np.arange(1, 8), np.ones(5))
    assert of(copies) == pytest.approx(dict.fromkeys(RANKS, 1), rel=1e-4)


def test_a_silent_layer_has_rank_0():
    assert of(np.zeros((4, 3))) == dict.fromkeys(RANKS, 0)


def test_nan_stays_nan():
    matrix = np.ones((4, 3))
    matrix[1, 2] = np.nan
    assert all(np.isnan(rank) for rank in of(matrix).values())


def test_ranks_do_not_change_with_scale_order_or_padding():
    rng = np.random.default_rng(1)
    matrix = np.maximum(rng.normal(size=(30, 7)), 0)
    expected = pytest.approx(of(matrix), rel=1e-4)
    assert of(1e3 * matrix) == expected
    assert of(rng.permutation(rng.permutation(matrix, axis=0), axis=1)) == expected
    assert of(np.pad(matrix, ((0, 5), (0, 2)))) == expected


def test_every_position_of_a_convolution_is_a_sample():
    activation = jnp.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    matrix = features(activation)
    assert matrix.shape == (24, 5)
    assert matrix.dtype == jnp.float32
    np.testing.assert_array_equal(matrix[13], activation[1, 0, 1])


def test_features_need_a_batch():
    with pytest.raises(ValueError, match=r"shape is \(5,\)\. Add the batch axis"):
        features(jnp.ones(5))


def test_no_basis_of_the_samples_is_made():
    # An SVD of the whole would reserve samples * samples numbers: 160 GB.
    num_samples = 200_000
    matrix = jnp.ones((num_samples, 4))
    compiled = jax.jit(singular_values).lower(matrix).compile()
    assert compiled.memory_analysis().temp_size_in_bytes < 10 * matrix.nbytes
    expected = [np.sqrt(4 * num_samples), 0, 0, 0]
    np.testing.assert_allclose(compiled(matrix), expected, rtol=1e-4, atol=1)
