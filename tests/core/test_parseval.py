import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from redo_dopamine.core.parseval import parseval


def tree(kernel, head):
    return {
        "params": {
            "Dense_0": {"kernel": jnp.array(kernel), "bias": jnp.ones(2)},
            "Dense_1": {"kernel": jnp.array(head)},
        }
    }


def test_it_adds_the_gradient_of_the_penalty_to_hidden_kernels_alone():
    params = tree([[1.0, 1.0], [1.0, 0.0]], [[3.0], [4.0]])
    grads = jax.tree.map(lambda p: 10 * jnp.ones_like(p), params)
    link = parseval(["Dense_1"], strength=0.5, scale=2.0)
    updates, _ = link.update(grads, link.init(params), params)

    def penalty(kernel):
        return 0.5 * jnp.sum((kernel.T @ kernel - 2 * jnp.eye(2)) ** 2)

    kernel = params["params"]["Dense_0"]["kernel"]
    found = updates["params"]["Dense_0"]["kernel"]
    np.testing.assert_allclose(found, 10 + jax.grad(penalty)(kernel), rtol=1e-6)
    # W'W = [[2, 1], [1, 1]]: minus 2I [[0, 1], [1, -1]], W times it [[1, 0], [0, 1]].
    assert found.tolist() == [[12.0, 10.0], [10.0, 12.0]]
    assert updates["params"]["Dense_0"]["bias"].tolist() == [10.0, 10.0]
    assert updates["params"]["Dense_1"]["kernel"].tolist() == [[10.0], [10.0]]


@pytest.mark.parametrize("shape", [(12, 5), (3, 2, 2, 5)])
def test_without_gradients_neurons_come_to_stand_at_right_angles(shape):
    params = {"Conv_0": {"kernel": jax.random.normal(jax.random.PRNGKey(0), shape)}}
    link = optax.chain(parseval([], strength=0.1, scale=3.0), optax.sgd(0.03))
    state, zero = link.init(params), jax.tree.map(jnp.zeros_like, params)
    update = jax.jit(link.update)
    for _ in range(300):
        updates, state = update(zero, state, params)
        params = optax.apply_updates(params, updates)
    kernel = params["Conv_0"]["kernel"].reshape(-1, 5)
    np.testing.assert_allclose(kernel.T @ kernel, 3 * np.eye(5), atol=1e-3)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            {"free": "Dense_1"},
            "free must be a list of modules' names, but is 'Dense_1'",
        ),
        ({"free": [1]}, "free must be a list of modules' names"),
        ({"strength": -1.0}, "strength must be a finite number >= 0, but is -1.0"),
        ({"strength": float("nan")}, "strength must be .* but is nan"),
        ({"scale": 0.0}, "scale must be a finite number > 0, but is 0.0"),
    ],
)
def test_a_setting_out_of_its_range_is_an_error(setting, message):
    with pytest.raises(ValueError, match=message):
        parseval(**{"free": [], **setting})


@pytest.mark.parametrize(
    ("free", "params", "message"),
    [
        (["Dense_2"], tree(np.eye(2), np.eye(2)), "no 'Dense_2'. It has .'Dense_0'"),
        ([], {"scale": jnp.ones(2)}, "no 'kernel'"),
    ],
)
def test_a_network_without_such_a_module_is_an_error(free, params, message):
    link = parseval(free)
    with pytest.raises(ValueError, match=message):
        link.update(params, link.init(params), params)


def test_without_parameters_is_an_error():
    link, params = parseval([]), {"Dense_0": {"kernel": jnp.ones((2, 2))}}
    with pytest.raises(ValueError, match="parseval needs the parameters"):
        link.update(params, link.init(params), None)
