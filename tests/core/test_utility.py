import jax
import jax.numpy as jnp
import numpy as np
import pytest

from redo_dopamine.core.scores import utility


def test_utility_by_hand():
    # Means 2, 1, 5: deviations 1, 1, 0 on average.
    activation = jnp.array([[1.0, 0.0, 5.0], [3.0, 2.0, 5.0]])
    incoming = jnp.array([[1.0, -2.0, 1.0], [-1.0, 2.0, 1.0]])  # Sums 2, 4, 2.
    outgoing = jnp.array([[3.0, -1.0], [2.0, 2.0], [9.0, 9.0]])  # Sums 4, 4, 18.
    assert utility(activation, incoming, [outgoing]).tolist() == [2.0, 1.0, 0.0]


def test_several_readers_add_up():
    activation = jnp.array([[0.0, 0.0], [2.0, 2.0]])
    incoming = jnp.array([[1.0, 2.0]])
    readers = [jnp.array([[1.0], [2.0]]), jnp.array([[3.0, -4.0], [0.0, 0.0]])]
    assert utility(activation, incoming, readers).tolist() == [8.0, 1.0]


def test_all_rows_of_a_flattened_convolution_count():
    # Two channels at three positions, channel last: rows 0, 2, 4 read channel 0.
    rng = np.random.default_rng(0)
    activation = rng.normal(size=(4, 1, 3, 2)).astype(np.float32)
    incoming = rng.normal(size=(3, 3, 5, 2)).astype(np.float32)
    outgoing = rng.normal(size=(6, 7)).astype(np.float32)
    found = utility(jnp.asarray(activation), jnp.asarray(incoming), [outgoing])
    for channel in range(2):
        h = activation[..., channel]
        spread = np.abs(h - h.mean()).mean()
        w_out = np.abs(outgoing[channel::2]).sum()
        w_in = np.abs(incoming[..., channel]).sum()
        assert float(found[channel]) == pytest.approx(spread * w_out / w_in, rel=1e-5)


def test_all_taps_of_a_reading_convolution_count():
    activation = jnp.array([[0.0, 0.0], [2.0, 2.0]])
    reader = jnp.ones((3, 3, 2, 4)).at[..., 1, :].set(0.5)
    found = utility(activation, jnp.ones((1, 2)), [reader])
    assert found.tolist() == [36.0, 18.0]


def test_without_incoming_weights_the_utility_is_zero():
    activation = jnp.array([[0.1, 1.0], [0.1, 2.0]])
    found = jax.jit(utility)(activation, jnp.array([[0.0, 1.0]]), [jnp.ones((2, 1))])
    assert found.tolist() == [0.0, 0.5]


def test_without_a_batch_axis_it_is_an_error():
    with pytest.raises(ValueError, match=r"but the shape is \(3,\)"):
        utility(jnp.ones(3), jnp.ones((1, 3)), [jnp.ones((3, 1))])
