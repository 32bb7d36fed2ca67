import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from helpers import networks, trees
from helpers.optimizers import after_updates
from redo_dopamine.core.moments import map_moments
from redo_dopamine.core.optimizers import (
    all_but_vectors,
    coupled_weight_decay,
    decoupled_weight_decay,
    l2_to_init,
    linear_decay,
    own_bias_correction,
)
from redo_dopamine.core.recycle import recycle

NAME = "dueling"


def test_coupled_decay_adds_to_the_gradient():
    link, params = coupled_weight_decay(0.1), {"w": jnp.array([2.0, -4.0])}
    grads = {"w": jnp.array([1.0, 1.0])}
    updates, _ = link.update(grads, link.init(params), params)
    assert updates["w"].tolist() == pytest.approx([1.2, 0.6])


def test_decoupled_decay_behind_adam_is_adamw():
    ours = optax.chain(optax.adam(1e-2), decoupled_weight_decay(0.3, 1e-2))
    theirs = optax.adamw(1e-2, weight_decay=0.3)
    found = after_updates(ours, networks.params_of(NAME), 5)[0]
    expected = after_updates(theirs, networks.params_of(NAME), 5)[0]
    for one, other in zip(
        jax.tree.leaves(found), jax.tree.leaves(expected), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


def test_l2_to_init_adds_the_gradient_of_the_squared_distance():
    link = l2_to_init(0.5)
    start = {"a": jnp.array([[1.0, 2.0]]), "b": jnp.array([3.0])}
    params = {"a": jnp.array([[2.0, 0.0]]), "b": jnp.array([3.0])}

    def distance(params):
        return 0.5 * optax.tree.norm(jax.tree.map(jnp.subtract, params, start)) ** 2

    grads = {"a": jnp.array([[10.0, 20.0]]), "b": jnp.array([30.0])}
    updates, state = link.update(grads, link.init(start), params)
    expected = jax.tree.map(jnp.add, grads, jax.grad(distance)(params))
    assert updates["a"].tolist() == expected["a"].tolist() == [[11.0, 18.0]]
    assert updates["b"].tolist() == expected["b"].tolist() == [30.0]
    trees.assert_same_bits(state, link.init(start))


def test_l2_to_init_without_gradients_brings_the_weights_back():
    link = optax.chain(l2_to_init(0.5), optax.sgd(0.1))
    start = {"w": jnp.array([1.0, -2.0])}
    params, state = {"w": jnp.array([5.0, 5.0])}, link.init(start)
    for _ in range(100):
        zero = jax.tree.map(jnp.zeros_like, params)
        updates, state = link.update(zero, state, params)
        params = optax.apply_updates(params, updates)
    np.testing.assert_allclose(params["w"], start["w"], atol=1e-3)


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_a_recycle_keeps_the_initial_weights_and_zeroes_the_moments(share):
    start = networks.params_of(NAME)
    optimizer = optax.chain(l2_to_init(1e-2), optax.adam(1e-3))
    params, opt_state = after_updates(optimizer, start)
    masks = networks.random_masks(NAME, np.random.default_rng(1), share)
    graph = networks.CASES[NAME].graph
    _, found = jax.jit(recycle, static_argnames=("graph", "optimizer"))(
        graph, masks, params, networks.params_of(NAME, 1), opt_state, optimizer
    )
    assert trees.same_bits(found[0].initial, opt_state[0].initial)
    trees.assert_same_bits(found[0], l2_to_init(1e-2).init(start))
    moments, _ = trees.split_opt_state(found, params)
    assert len(moments) == 2 * len(jax.tree.leaves(params))
    conv = ("params", "Conv_0", "bias")
    own = [moment for path, moment in moments.values() if path == conv]
    assert [np.flatnonzero(m == 0).tolist() for m in own] == [
        np.flatnonzero(masks["Conv_0"]).tolist()
    ] * 2


def test_the_initial_weights_do_not_share_memory_with_the_parameters():
    # An update donates the parameters; a tree of one vector is where it could be.
    params = {"w": jnp.arange(3.0)}
    state = l2_to_init(0.1).init(params)
    jax.jit(lambda x: x * 2, donate_argnums=0)(params["w"])
    assert state.initial.tolist() == [0.0, 1.0, 2.0]


def test_l2_to_init_keeps_the_dtype_of_the_updates():
    link, params = l2_to_init(0.1), {"w": jnp.ones(2, jnp.bfloat16)}
    updates, _ = link.update(params, link.init(params), params)
    assert updates["w"].dtype == jnp.bfloat16


def test_l2_to_init_without_parameters_is_an_error():
    link, params = l2_to_init(0.1), {"w": jnp.ones(2)}
    with pytest.raises(ValueError, match="l2_to_init needs the parameters"):
        link.update(params, link.init(params), None)


@pytest.mark.parametrize("strength", [-1.0, float("nan"), float("inf"), "1e-5"])
@pytest.mark.parametrize(
    "make",
    [coupled_weight_decay, l2_to_init, lambda x: decoupled_weight_decay(x, 0.1)],
)
def test_a_strength_out_of_range_is_an_error(make, strength):
    with pytest.raises(ValueError, match=f"strength must be .* but is {strength}"):
        make(strength)


def test_a_negative_learning_rate_is_an_error():
    with pytest.raises(ValueError, match=r"learning_rate must be .* but is -0\.1"):
        decoupled_weight_decay(0.1, -0.1)


def recycled_then_updated(optimizer, num_updates):
    """Updates of an old weight and of one whose moments were set to zero."""
    params = {"w": jnp.zeros(2)}
    grads = {"w": jnp.ones(2)}
    update, state = jax.jit(optimizer.update), optimizer.init(params)
    for _ in range(10_000):
        _, state = update(grads, state, params)
    renew = jnp.array([1.0, 0.0])
    state = map_moments(
        lambda _, moment, initial: moment * renew, params, state, optimizer
    )
    found = []
    for _ in range(num_updates):
        updates, state = update(grads, state, params)
        found.append(updates["w"])
    return np.array(found)


def test_a_renewed_weight_makes_the_steps_of_a_new_one():
    adam = optax.adam(1.0, eps=0.0)
    without = recycled_then_updated(adam, 30)
    assert without[0].tolist() == pytest.approx([-1.0, -3.1623], abs=1e-3)
    assert without[:, 1].min() < -6
    found = recycled_then_updated(optax.chain(adam, own_bias_correction()), 30)
    np.testing.assert_allclose(found, -1.0, rtol=1e-3)


def test_a_renewed_weights_steps_are_those_of_adam_that_begins_then():
    rng = np.random.default_rng(0)
    adam = optax.adam(1e-3, b1=0.8, b2=0.95, eps=0.0)
    ours = optax.chain(adam, own_bias_correction(0.8, 0.95))
    params = {"w": jnp.zeros(5)}
    state = ours.init(params)
    old, new = rng.normal(size=(2, 40, 5)).astype(np.float32)
    for gradient in old:
        _, state = ours.update({"w": gradient}, state)
    state = map_moments(lambda _, moment, initial: initial, params, state, ours)
    fresh = adam.init(params)
    for gradient in new:
        found, state = ours.update({"w": gradient}, state)
        expected, fresh = adam.update({"w": gradient}, fresh)
        np.testing.assert_allclose(found["w"], expected["w"], rtol=1e-4)


def test_weights_that_were_never_renewed_are_updated_as_without_it():
    adam = optax.adam(1e-3)
    ours = optax.chain(adam, own_bias_correction())
    found = after_updates(ours, networks.params_of(NAME), 7)[0]
    trees.assert_same_bits(found, after_updates(adam, networks.params_of(NAME), 7)[0])


@pytest.mark.parametrize(
    "setting", [{"b1": 1.0}, {"b2": -0.1}, {"b2": float("nan")}, {"b1": "0.9"}]
)
def test_a_decay_out_of_its_range_is_an_error(setting):
    with pytest.raises(ValueError, match=r"must be in \[0, 1\), but is"):
        own_bias_correction(**setting)


def test_decay_of_kernels_alone_is_adamw_with_its_mask():
    params = {"kernel": jnp.array([[2.0, -4.0]]), "bias": jnp.array([8.0])}
    grads = {"kernel": jnp.array([[1.0, 0.5]]), "bias": jnp.array([-3.0])}
    link = decoupled_weight_decay(0.1, 0.01, all_but_vectors)
    updates, _ = link.update(grads, link.init(params), params)
    # u - 0.01 * 0.1 * w of the kernel.
    expected = [[1.0 - 0.002, 0.5 + 0.004]]
    np.testing.assert_allclose(updates["kernel"], expected, rtol=1e-6)
    assert updates["bias"].tolist() == [-3.0]


def test_resetting_takes_decay_of_kernels_alone():
    params = {"kernel": jnp.ones((1, 2)), "bias": jnp.ones(1)}
    link = decoupled_weight_decay(0.1, 0.01, all_but_vectors)
    optimizer = optax.chain(optax.adam(1e-3), link)
    state = optimizer.init(params)
    _, state = optimizer.update(params, state, params)
    cleared = map_moments(lambda path, old, new: new, params, state, optimizer)
    assert not any(x.any() for x in jax.tree.leaves(cleared[0][0].mu))


def test_a_learning_rate_falls_along_a_line():
    chain = optax.chain(optax.sgd(0.5), linear_decay(0.2, 4))
    state, steps = chain.init(jnp.zeros([])), []
    for _ in range(6):
        update, state = chain.update(jnp.ones([]), state)
        steps.append(float(update))
    np.testing.assert_allclose(steps, [-0.5, -0.4, -0.3, -0.2, -0.1, -0.1], rtol=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ((1.5, 10), r"final must be a share of the learning rate in \[0, 1\], but is"),
        (("0", 10), "final must be"),
        ((0.5, 0), "num_steps must be a whole number of updates >= 1, but is 0"),
    ],
)
def test_a_decay_to_nowhere_is_an_error(settings, message):
    with pytest.raises(ValueError, match=message):
        linear_decay(*settings)
