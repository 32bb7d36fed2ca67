"""Plasticity injection: by hand, and on networks that have room for it."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from helpers import networks, probe, trees
from redo_dopamine.core.graph import validate
from redo_dopamine.core.interventions import plasticity_injection
from redo_dopamine.core.optimizers import coupled_weight_decay
from redo_dopamine.networks.injectable import (
    InjectableMinatarNetwork,
    InjectableNatureNetwork,
)
from redo_dopamine.networks.layers import crelu
from redo_dopamine.networks.nature import MinatarNetwork

NETWORK = InjectableMinatarNetwork(3, width=0.1)
STATES = np.random.default_rng(0).random((4, 6, 4, 3, 1)).astype(np.float32)
GRAPH = NETWORK.graph((6, 4))
# Decay would move what is frozen.
OPTIMIZER = optax.chain(coupled_weight_decay(0.1), optax.adam(1e-2))
FROZEN = ("kept", "taken")


def draw(key):
    return NETWORK.init(key, STATES[0])


@jax.jit
def outputs(params):
    return jax.vmap(NETWORK.apply, (None, 0))(params, STATES).q_values


@jax.jit
def update(params, opt_state):
    def loss(params):
        return jnp.mean((outputs(params) - 1) ** 2)

    gradients = jax.grad(loss)(params)
    updates, opt_state = OPTIMIZER.update(gradients, opt_state, params)
    return optax.apply_updates(params, updates), opt_state, gradients


INTERVENTION = plasticity_injection(20)(GRAPH, draw, OPTIMIZER)
hold = jax.jit(INTERVENTION.constrain)


def trained(params, opt_state, state, num_updates=3):
    for _ in range(num_updates):
        params, opt_state, gradients = update(params, opt_state)
        params, opt_state = hold(params, opt_state, state)
    return params, opt_state, gradients


@functools.cache
def before():
    params = draw(jax.random.PRNGKey(0))
    state = INTERVENTION.init(params)
    params, opt_state, _ = trained(params, OPTIMIZER.init(params), state)
    return params, opt_state, state


def inject(step=20, apply=INTERVENTION.apply):
    return apply(jax.random.PRNGKey(7), *before(), {}, jnp.int32(step))


def part(params, name=None):
    """Weights of a frozen head, or of the one that learns."""
    inner = params["params"]
    return inner[name] if name else {k: inner[k] for k in inner["kept"]}


def test_before_it_the_network_is_the_plain_one_and_learns_alike():
    params = draw(jax.random.PRNGKey(0))
    plain = MinatarNetwork(3, width=0.1)
    own = {"params": {k: x for k, x in params["params"].items() if k not in FROZEN}}

    def loss(network, params):
        values = jax.vmap(network.apply, (None, 0))(params, STATES).q_values
        return jnp.mean((values - 1) ** 2), values

    (_, expected), plain_gradients = jax.value_and_grad(
        lambda x: loss(plain, x), has_aux=True
    )(own)
    (_, found), gradients = jax.value_and_grad(
        lambda x: loss(NETWORK, x), has_aux=True
    )(params)
    np.testing.assert_array_equal(found, expected)
    found = trees.by_path(gradients)
    for path, gradient in trees.by_path(plain_gradients).items():
        np.testing.assert_allclose(found.pop(path), gradient, rtol=1e-5, atol=1e-8)
    assert all("kept" in path or "taken" in path for path in found)
    assert not any(np.any(x) for x in found.values())


def test_it_keeps_the_outputs_and_begins_with_a_new_head():
    params, opt_state, _ = before()
    new, new_opt_state, state, metrics = inject()
    np.testing.assert_allclose(outputs(new), outputs(params), atol=1e-7)
    trees.assert_same_bits(part(new, "kept"), part(params))
    trees.assert_same_bits(part(new, "taken"), part(new))
    trees.assert_same_bits(part(new), part(draw(jax.random.PRNGKey(7))))
    trees.assert_same_bits(new["params"]["Conv_0"], params["params"]["Conv_0"])
    assert metrics == {"injected": 1}
    trees.assert_same_bits(
        list(state), jax.tree.leaves([part(new, name) for name in FROZEN])
    )
    for old, now in ((opt_state[1][0], new_opt_state[1][0]),):
        assert now.count == old.count == 3
        for moment, kept in ((now.mu, old.mu), (now.nu, old.nu)):
            trees.assert_same_bits(moment["params"]["Conv_0"], kept["params"]["Conv_0"])
            assert not any(np.any(x) for x in jax.tree.leaves(part(moment)))


def test_afterwards_the_new_head_learns_and_the_other_two_do_not():
    params, opt_state, state, _ = inject()
    new, opt_state, gradients = trained(params, opt_state, state)
    for name in FROZEN:
        trees.assert_same_bits(part(new, name), part(params, name))
        stopped = [part(x, name) for x in (*opt_state[1][0][1:], gradients)]
        assert not any(np.any(x) for x in jax.tree.leaves(stopped))
    for path, x in trees.by_path(new).items():
        if not set(FROZEN) & set(path):
            assert np.any(x != trees.by_path(params)[path]), path
    loose, _, _ = update(new, opt_state)  # Without `constrain` the decay moves them.
    for name in FROZEN:
        kernels = (part(x, name)["Dense_0"]["kernel"] for x in (loose, new))
        assert np.any(np.not_equal(*kernels))


def test_outputs_are_the_sum_of_three_heads_by_hand():
    params, opt_state, state, _ = inject()
    params, _, _ = trained(params, opt_state, state)

    def with_head(head):
        zero = {name: jax.tree.map(jnp.zeros_like, head) for name in FROZEN}
        return outputs({"params": {**params["params"], **head, **zero}})

    learned, kept, taken = map(
        with_head, (part(params), part(params, "kept"), part(params, "taken"))
    )
    np.testing.assert_allclose(outputs(params), learned + kept - taken, atol=1e-5)
    assert np.max(np.abs(learned - taken)) > 1e-3


def test_the_encoder_learns_through_all_three_heads():
    params = inject()[0]

    def total(x):
        features = x["params"]["Conv_0"]
        return jnp.sum(outputs({"params": {**params["params"], "Conv_0": features}}))

    # The new head and its copy cancel: what is left is the head that is kept.
    old = before()[0]
    expected = jax.grad(lambda x: jnp.sum(outputs(x)))(old)["params"]["Conv_0"]
    found = jax.grad(total)(params)["params"]["Conv_0"]
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, atol=1e-4, rtol=1e-4),
        *(found, expected),
    )
    assert np.any(found["kernel"])


def test_at_other_steps_it_returns_what_it_was_given_on_one_trace():
    traces = []

    @jax.jit
    def apply(*args):
        traces.append(None)
        return INTERVENTION.apply(*args)

    for step in (0, 19, 21, 40):
        assert not INTERVENTION.schedule(step)
        found = inject(step, apply)
        trees.assert_same_bits(found[:3], before())
        assert found[3] == {"injected": 0}
    assert INTERVENTION.schedule(20)
    trees.assert_same_bits(inject(apply=apply)[0], inject()[0])
    assert len(traces) == 1


@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (NETWORK, (6, 4, 3, 1)),
        (InjectableNatureNetwork(3, width=0.1, activation=crelu), (20, 12, 2)),
    ],
)
def test_the_graph_is_true(network, shape):
    states = np.random.default_rng(0).integers(0, 256, (3, *shape)).astype(np.uint8)
    params = network.init(jax.random.PRNGKey(0), states[0])
    graph = network.graph(shape[:2])
    assert validate(graph, params) is None
    drawn = np.random.default_rng(1)
    params = jax.tree.map(lambda x: x + drawn.normal(size=x.shape) / 9, params)
    assert probe.faults(network.apply, params, states, graph) == []


@pytest.mark.parametrize("step", [0, -1, 1.5, "20"])
def test_a_step_that_is_none_is_refused(step):
    with pytest.raises(ValueError, match="gradient_step must be a whole number"):
        plasticity_injection(step)


def test_a_network_without_room_is_refused():
    built = plasticity_injection(20)(networks.CASES["mlp"].graph, draw, OPTIMIZER)
    with pytest.raises(ValueError, match="needs a network with two more heads"):
        built.init(networks.params_of("mlp"))
