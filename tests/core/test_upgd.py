import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from helpers import trees
from helpers.optimizers import after_updates
from redo_dopamine.core.moments import map_moments
from redo_dopamine.core.upgd import adaptive_upgd, upgd


def two_steps(link):
    """Of two weights, by hand: gradients (1, -2) and (3, 1) at weights (-2, 4)."""
    params = {"a": jnp.array([-2.0]), "b": jnp.array([4.0])}
    state, found = link.init(params), []
    for first, second in ((1.0, -2.0), (3.0, 1.0)):
        grads = {"a": jnp.array([first]), "b": jnp.array([second])}
        updates, state = link.update(grads, state, params)
        found.append([float(updates["a"][0]), float(updates["b"][0])])
    return found, state


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


# Utilities of a half: 1 and 4, then .5 + 3 and 2 - 2; corrections .5 and .75.
GATES = [
    [sigmoid(1 / 0.5 / 4), sigmoid(4 / 0.5 / 4)],
    [sigmoid(3.5 / 0.75 / 3.5), sigmoid(0)],
]


def test_without_noise_it_is_the_equation():
    found, state = two_steps(upgd(noise=0.0, weight_decay=0.25, utility_decay=0.5))
    expected = [
        [2 * (1 - GATES[0][0]) * 1 - 0.5, 2 * (1 - GATES[0][1]) * -2 + 1],
        [2 * (1 - GATES[1][0]) * 3 - 0.5, 1 + 1],
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert state.utility["a"].tolist() == [3.5]
    assert state.utility["b"].tolist() == [0.0]
    assert int(state.updates) == 2


def test_the_adaptive_one_gates_adams_step():
    settings = {"noise": 0.0, "weight_decay": 0.0, "utility_decay": 0.5}
    found, _ = two_steps(adaptive_upgd(**settings, b1=0.0, b2=0.0))
    expected = [[1, -1], [1, 1]] * (2 * (1 - np.array(GATES)))
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.parametrize("make", [upgd, adaptive_upgd])
def test_noise_is_gated_as_the_gradient_is_and_new_at_every_update(make):
    link = make(noise=0.5, weight_decay=0.0)
    params = {"useful": jnp.ones(1), "others": jnp.zeros((500, 40))}
    still = jax.tree.map(jnp.zeros_like, params)
    grads = {**still, "useful": -jnp.ones(1)}
    state = link.init(params)
    first, state = link.update(grads, state, params)
    second, _ = link.update(grads, state, params)
    for updates in (first, second):
        assert float(jnp.std(updates["others"])) == pytest.approx(0.5, rel=0.02)
        assert abs(float(jnp.mean(updates["others"]))) < 0.02
    assert abs(np.corrcoef(*(x["others"].ravel() for x in (first, second)))[0, 1]) < 0.1
    # At the first update the most useful weight's ratio is 1 / (1 - .999): shut.
    assert abs(float(first["useful"][0])) < 1e-6


@pytest.mark.parametrize("sign", [0.0, 1.0])
def test_where_no_utility_is_positive_all_gates_are_open_halfway(sign):
    link, params = upgd(noise=0.0, weight_decay=0.0), {"w": jnp.array([2.0, 3.0])}
    grads = {"w": sign * jnp.ones(2)}
    updates, _ = link.update(grads, link.init(params), params)
    assert updates["w"].tolist() == [sign, sign]


@pytest.mark.parametrize("make", [upgd, adaptive_upgd])
def test_it_is_deterministic_in_the_seed_and_goes_on_from_its_state(make):
    start = {"kernel": jnp.ones((3, 2)), "bias": jnp.zeros(2)}
    link = optax.chain(make(seed=3), optax.sgd(1e-2))
    whole = after_updates(link, start, 2)
    trees.assert_same_bits(whole, after_updates(link, start, 2))
    other = after_updates(optax.chain(make(seed=4), optax.sgd(1e-2)), start, 2)
    assert not trees.same_bits(
        jax.tree.leaves(whole[0])[-1], jax.tree.leaves(other[0])[-1]
    )
    # A run that went through a checkpoint: arrays that numpy held meanwhile.
    update = jax.jit(link.update)
    saved = jax.tree.map(np.array, whole)
    params, state = jax.tree.map(jnp.array, saved)
    trees.assert_same_bits(
        update(start, state, params), update(start, whole[1], whole[0])
    )


@pytest.mark.parametrize("make", [upgd, adaptive_upgd])
def test_a_recycle_begins_utilities_again_and_leaves_the_noise(make):
    start = {"kernel": jnp.ones((3, 2)), "bias": jnp.zeros(2)}
    optimizer = optax.chain(make(), optax.sgd(1e-2))
    params, state = after_updates(optimizer, start)
    cleared = map_moments(lambda path, old, new: new, params, state, optimizer)
    trees.assert_same_bits(cleared[0][:2], state[0][:2])
    assert any(x.any() for x in jax.tree.leaves(state[0].utility))
    assert not any(x.any() for x in jax.tree.leaves(cleared[0].utility))


def test_without_parameters_is_an_error():
    link, params = upgd(), {"w": jnp.ones(2)}
    with pytest.raises(ValueError, match="UPGD needs the parameters"):
        link.update(params, link.init(params))


@pytest.mark.parametrize(
    ("make", "setting", "message"),
    [
        (upgd, {"noise": -1.0}, "noise must be a finite number >= 0, but is -1.0"),
        (upgd, {"weight_decay": float("inf")}, "weight_decay must be .* but is inf"),
        (upgd, {"utility_decay": 1.0}, r"utility_decay must be in \[0, 1\), but is 1"),
        (upgd, {"seed": 0.5}, "seed must be a whole number >= 0, but is 0.5"),
        (adaptive_upgd, {"noise": "1"}, "noise must be a finite number"),
        (adaptive_upgd, {"b1": 1.0}, r"b1 must be in \[0, 1\), but is 1"),
        (adaptive_upgd, {"b2": -0.1}, r"b2 must be in \[0, 1\), but is -0.1"),
        (adaptive_upgd, {"eps": 0.0}, "eps must be a finite number > 0, but is 0.0"),
    ],
)
def test_a_setting_out_of_its_range_is_an_error(make, setting, message):
    with pytest.raises(ValueError, match=message):
        make(**setting)
