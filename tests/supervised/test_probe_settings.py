"""Searches for better weights: what they move, what they cost, what they need."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from redo_dopamine.core.graph import leaves_by_path
from redo_dopamine.errors import UserError
from redo_dopamine.networks.actor_critic import ValueNetwork
from redo_dopamine.supervised import probe_settings
from redo_dopamine.supervised.probe_settings import (
    TaskSwitch,
    adam_on_trapped_layer,
    evolution_on_trapped_layer,
)
from redo_dopamine.supervised.regression_probe import RegressionProbe

NETWORK = ValueNetwork(width=0.25, activation=jax.nn.relu)
KERNEL, BIAS = (("params", "_critic", "Dense_1", x) for x in ("kernel", "bias"))
STATES = jnp.asarray(np.random.default_rng(0).standard_normal((30, 17)), jnp.float32)
SEARCHES = [
    adam_on_trapped_layer,
    evolution_on_trapped_layer,
]


def switch(shares=(0, 3)):
    """One where so many neurons of each layer have no gradient."""
    params = NETWORK.init(jax.random.PRNGKey(1), STATES[0])
    masks = {f"value/Dense_{i}": jnp.arange(16) < n for i, n in enumerate(shares)}
    return TaskSwitch(params, masks, NETWORK.graph(), params, jax.random.PRNGKey(3))


def loss(params):
    """To say 2 of every state."""
    return jnp.mean((jax.vmap(lambda x: NETWORK.apply(params, x))(STATES) - 2) ** 2)


def searched(search, params, num_updates):
    optimizer = optax.with_extra_args_support(search.transformation)
    state = optimizer.init(params)

    @jax.jit
    def step(params, state):
        grads = jax.grad(loss)(params)
        updates, state = optimizer.update(grads, state, params, value_fn=loss)
        return optax.apply_updates(params, updates), state

    for _ in range(num_updates):
        params, state = step(params, state)
    return params


# Perturbations.


def switch_of_three():
    network = NETWORK
    params = network.init(jax.random.PRNGKey(1), jnp.zeros(17))
    drawn = network.init(jax.random.PRNGKey(2), jnp.zeros(17))
    masks = {"value/Dense_0": jnp.arange(16) < 3, "value/Dense_1": jnp.zeros(16, bool)}
    return TaskSwitch(params, masks, network.graph(), drawn, jax.random.PRNGKey(3))


def changed_neurons(before, after):
    """How many columns of each leaf differ."""
    paths = leaves_by_path(before)
    found = leaves_by_path(after)
    return {
        "/".join(path[1:]): np.flatnonzero(
            (np.atleast_2d(found[path]) != np.atleast_2d(x)).any(axis=0)
        ).tolist()
        for path, x in paths.items()
    }


def test_noise_is_on_the_incoming_weights_of_the_chosen_neurons_alone():
    now = switch_of_three()
    changed = changed_neurons(now.params, probe_settings.disturb_zero_gradient(now))
    kernel = "_critic/Dense_0/kernel"
    assert changed.pop(kernel) == [0, 1, 2]
    assert not any(changed.values())
    changed = changed_neurons(now.params, probe_settings.disturb_at_random(now))
    chosen = changed.pop(kernel)
    assert len(chosen) == 3
    assert chosen != [0, 1, 2]
    assert not any(changed.values())


def test_noise_has_the_standard_deviation_asked_for():
    now = switch_of_three()
    every = {name: mask | True for name, mask in now.zero_gradient.items()}
    now = now._replace(zero_gradient=every)
    found = probe_settings.disturb_zero_gradient(now, std=0.5)
    path = ("params", "_critic", "Dense_0", "kernel")
    noise = leaves_by_path(found)[path] - leaves_by_path(now.params)[path]
    assert np.std(noise) == pytest.approx(0.5, rel=0.1)


def test_nothing_and_everything_may_change_at_a_new_task():
    now = switch_of_three()
    assert probe_settings.undisturbed(now) is now.params
    assert probe_settings.redrawn(now) is now.drawn


# Optimizers.


@pytest.mark.parametrize(
    ("shares", "name"),
    [
        ((5, 3), "value/Dense_0"),
        ((3, 5), "value/Dense_1"),
        ((3, 3), "value/Dense_1"),
        ((0, 0), "value/Dense_1"),
    ],
)
def test_the_trapped_layer_has_the_most_neurons_without_a_gradient(shares, name):
    assert probe_settings.trapped_layer(switch(shares)).name == name


@pytest.mark.parametrize("make", SEARCHES)
def test_a_search_moves_the_trapped_layer_alone_and_finds_better_weights(make):
    now = switch()
    found = searched(make(now, 3e-3), now.params, 60)
    before, after = leaves_by_path(now.params), leaves_by_path(found)
    moved = {path for path in before if (before[path] != after[path]).any()}
    assert moved == {KERNEL, BIAS}
    assert loss(found) < 0.8 * loss(now.params)


def test_adam_on_a_layer_makes_adams_updates_there():
    now = switch()
    every = leaves_by_path(searched(probe_settings.adam(now, 1e-2), now.params, 1))
    layer = adam_on_trapped_layer(now, 1e-2)
    found = leaves_by_path(searched(layer, now.params, 1))
    for path in (KERNEL, BIAS):
        np.testing.assert_allclose(found[path], every[path], atol=1e-6)


def test_only_evolution_moves_neurons_that_have_no_gradient():
    now = switch()
    leaves = leaves_by_path(now.params)
    # Just below the threshold of every ReLU: noise can lift them over it.
    silent = {KERNEL: 0 * leaves[KERNEL], BIAS: jnp.full(16, -0.01)}
    params = jax.tree.unflatten(
        jax.tree.structure(now.params),
        [silent.get(path, leaf) for path, leaf in leaves.items()],
    )
    adam, evolution = (searched(make(now, 1e-2), params, 40) for make in SEARCHES)
    assert loss(adam) == loss(params)
    assert loss(evolution) < 0.8 * loss(params)


def test_evolution_evaluates_a_batch_as_often_as_it_says():
    now = switch()
    search = evolution_on_trapped_layer(now, 1e-2, population_size=6)
    assert search.evaluations == 6
    assert probe_settings.adam(now, 1e-2).evaluations == 1
    sizes = []

    def value_fn(params):
        def count(x):
            sizes.append(x.shape)
            return np.zeros(x.shape[0], np.float32)

        kernel = leaves_by_path(params)[KERNEL]
        shape = jax.ShapeDtypeStruct((), jnp.float32)
        return jax.pure_callback(count, shape, kernel, vmap_method="broadcast_all")

    state = search.transformation.init(now.params)
    search.transformation.update(now.params, state, now.params, value_fn=value_fn)
    assert sizes == [(6, 16, 16)]


def probe(**settings):
    small = {"num_samples": 40, "batch_size": 5, "num_epochs": 3}
    return RegressionProbe(network=lambda: NETWORK, **small, **settings)


def evolution(now, learning_rate):
    return evolution_on_trapped_layer(now, learning_rate, population_size=4)


def test_an_epoch_of_every_search_costs_the_same():
    gradients, populations = probe(), probe(search=evolution)
    assert gradients.updates_per_epoch == 8
    assert populations.updates_per_epoch == 2
    rows = populations.run_epoch()
    assert {row.gradient_step for row in rows} == {2}
    with pytest.raises(ValueError, match=r"batch_size must be whole and in \[1, 2\]"):
        probe(search=evolution_on_trapped_layer)


def test_evolution_goes_on_from_a_state_and_begins_again_at_a_new_task():
    settings = {"search": evolution, "first_epochs": 1, "distance": 1.0}
    straight, stopped, resumed = (probe(**settings) for _ in range(3))
    expected = [straight.run_epoch() for _ in range(3)]
    stopped.run_epoch()
    stopped.run_epoch()
    resumed.load_state_tree(jax.tree.map(np.array, stopped.state_tree()))
    assert str(resumed.run_epoch()) == str(expected[2])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"population_size": 3}, r"must be even and at least 2, but is 3"),
        ({"population_size": 0}, r"must be even and at least 2, but is 0"),
        ({"std": 0.0}, r"std must be > 0, but is 0\.0"),
    ],
)
def test_a_wrong_setting_of_evolution_is_an_error(settings, message):
    with pytest.raises(ValueError, match=message):
        evolution_on_trapped_layer(switch(), 1e-3, **settings)


def test_evolution_without_its_library_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "evosax.algorithms", None)
    with pytest.raises(UserError, match=r"redo-dopamine\[evolution\]"):
        evolution_on_trapped_layer(switch(), 1e-3)
