import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from helpers import networks, trees
from helpers.optimizers import after_updates
from redo_dopamine.core.optimizers import (
    coupled_weight_decay,
    decoupled_weight_decay,
    l2_to_init,
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


@pytest.mark.parametrize("strength", [-1.0, float("nan"), float("inf")])
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
