import jax
import jax.numpy as jnp
import numpy as np
import pytest

from redo_dopamine.core.sharpness import largest_eigenvalue, sharpness


@pytest.mark.parametrize(
    ("eigenvalues", "expected"),
    [([3.0, 1.0, 0.5], 3.0), ([1.0, -4.0, 2.0], -4.0), ([0.0, 0.0, 0.0], 0.0)],
)
def test_a_quadratic_has_its_own_eigenvalue(eigenvalues, expected):
    def loss(params):
        return 0.5 * jnp.sum(jnp.array(eigenvalues) * params["w"] ** 2)

    found = largest_eigenvalue(loss, {"w": jnp.array([0.3, -2.0, 7.0])}, 60)
    assert float(found) == pytest.approx(expected, abs=1e-5)


def test_it_is_that_of_the_whole_hessian():
    """Of two leaves together, against the matrix itself."""
    key = jax.random.PRNGKey(1)
    params = {
        "a": jax.random.normal(key, (3, 2)),
        "b": jax.random.normal(jax.random.fold_in(key, 1), (2,)),
    }
    inputs = jax.random.normal(jax.random.fold_in(key, 2), (8, 3))

    def loss(params):
        return jnp.mean(jnp.tanh(inputs @ params["a"] + params["b"]) ** 2)

    flat, unflatten = jax.flatten_util.ravel_pytree(params)
    matrix = jax.hessian(lambda x: loss(unflatten(x)))(flat)
    eigenvalues = np.linalg.eigvalsh(matrix)
    expected = eigenvalues[np.argmax(np.abs(eigenvalues))]
    found = float(largest_eigenvalue(loss, params, 200))
    assert found == pytest.approx(expected, rel=1e-3)


def test_few_iterations_do_not_give_too_much():
    def loss(params):
        return 0.5 * jnp.sum(jnp.arange(1.0, 51.0) * params**2)

    found = [float(largest_eigenvalue(loss, jnp.ones(50), n)) for n in (1, 5, 30, 300)]
    assert found == sorted(found)
    assert found[-1] == pytest.approx(50, rel=1e-3)


@pytest.mark.parametrize("number", [0, -1, 1.5, "many", None])
def test_a_number_of_iterations_out_of_its_range_is_refused(number):
    with pytest.raises(ValueError, match="num_iterations must be a whole number"):
        sharpness(number)
