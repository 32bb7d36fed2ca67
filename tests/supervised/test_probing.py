"""The regression probe: its tasks, what a network begins with, and what is measured."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from helpers import runs
from helpers.trees import by_path
from redo_dopamine.core.graph import leaves_by_path
from redo_dopamine.core.interventions import weight_clipping
from redo_dopamine.core.optimizers import l2_to_init
from redo_dopamine.errors import UserError
from redo_dopamine.networks.ppo import PPONetwork, ValueNetwork
from redo_dopamine.supervised import perturbations, probing
from redo_dopamine.supervised.perturbations import Moment
from redo_dopamine.supervised.probing import RegressionProbe


def narrow():
    return ValueNetwork(width=0.25, activation=jax.nn.relu)


def probe(**settings):
    small = {"num_samples": 40, "batch_size": 10, "num_epochs": 4}
    return RegressionProbe(**{"network": narrow, **small, **settings})


def values(rows, name):
    return [float(row.value) for row in rows if row.name == name]


# The tasks.


def test_the_function_by_hand():
    x = np.zeros((1, 17))
    # cos 0 and half of exp 0.
    assert probing.function(x) == pytest.approx([1.5])
    x[0, [0, 2, 4, 8, 10, 11, 15]] = 1.0, 2.0, -1.0, 2.0, 2.0, 3.0, -4.0
    expected = 1 + 0.5 * 4 - 0.2 + 1 + 0.5 * np.e + 0.5 * 6 - 0.5 * 4
    assert probing.function(x) == pytest.approx([expected])


def test_every_input_has_a_part():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, 17))
    for i in range(probing.NUM_INPUTS):
        other = x.copy()
        other[0, i] += 0.5
        assert probing.function(other) != pytest.approx(probing.function(x))


@pytest.mark.parametrize("distance", [0.0, 0.25, 1.0, 1.5, 2.0])
def test_a_distance_is_one_minus_a_correlation(distance):
    sample = probing.draw_sample(2_000, np.random.default_rng(1))
    assert sample.inputs.shape == (2_000, 17)
    without_noise = sample._replace(noise=0 * sample.noise)
    targets = without_noise.targets(distance)
    assert targets.dtype == np.float32
    assert np.corrcoef(targets, sample.first)[0, 1] == pytest.approx(
        1 - distance, abs=1e-6
    )
    assert np.std(targets) == pytest.approx(1, abs=1e-5)
    noise = sample.targets(distance) - targets
    assert np.std(noise) == pytest.approx(probing.NOISE, rel=0.05)


@pytest.mark.parametrize("distance", [-0.1, 2.1, "1"])
def test_a_distance_out_of_its_range_is_an_error(distance):
    with pytest.raises(ValueError, match=r"distance must be in \[0, 2\]"):
        probe(distance=distance)


# What a network begins with.


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study with one tiny run of PPO in it."""
    root = tmp_path_factory.mktemp("ppo_activation")
    runs.run(root / "relu" / "HalfCheetah-v4" / "3", "ppo.gin", runs.TINY_PPO)
    return root


def aged(root):
    return lambda drawn, environment_id, seed: perturbations.aged_network(
        drawn, environment_id, seed, root=str(root)
    )


def test_an_aged_network_is_the_runs_value_network(study, clean_gin):
    del clean_gin
    network = PPONetwork((6,), width=0.25, activation=jax.nn.relu)
    whole = network.init(jax.random.PRNGKey(0), jnp.zeros((17, 1)))
    drawn = narrow().init(jax.random.PRNGKey(1), jnp.zeros(17))
    part = aged(study)(drawn, "HalfCheetah-v4", 3)
    assert by_path(part).keys() <= by_path(whole).keys()
    assert by_path(part).keys() == by_path(drawn).keys()
    # With these parameters it says what the critic says.
    merged = {"params": {**whole["params"], **part["params"]}}
    state = jnp.arange(17.0)
    critic = network.apply(merged, state, method=network.critic).q_value[0]
    assert narrow().apply(part, state) == pytest.approx(float(critic))
    experiment = probe(start=aged(study), seed=3)
    assert experiment.checksum != probe(seed=3).checksum


def test_an_aged_network_that_is_not_there_or_of_another_kind(study):
    with pytest.raises(
        UserError, match=r"there is no checkpoint in .*/relu/Hopper-v4/0"
    ):
        probe(start=aged(study), environment_id="Hopper-v4")
    with pytest.raises(UserError, match=r"is another one: .*shapes"):
        probe(start=aged(study), seed=3, network=lambda: ValueNetwork(width=0.5))


def moment():
    network = narrow()
    params = network.init(jax.random.PRNGKey(1), jnp.zeros(17))
    drawn = network.init(jax.random.PRNGKey(2), jnp.zeros(17))
    masks = {"value/Dense_0": jnp.arange(16) < 3, "value/Dense_1": jnp.zeros(16, bool)}
    return Moment(params, masks, network.graph(), drawn, jax.random.PRNGKey(3))


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
    now = moment()
    changed = changed_neurons(now.params, perturbations.disturb_zero_gradient(now))
    kernel = "_critic/Dense_0/kernel"
    assert changed.pop(kernel) == [0, 1, 2]
    assert not any(changed.values())
    changed = changed_neurons(now.params, perturbations.disturb_at_random(now))
    chosen = changed.pop(kernel)
    assert len(chosen) == 3
    assert chosen != [0, 1, 2]
    assert not any(changed.values())


def test_noise_has_the_standard_deviation_asked_for():
    now = moment()
    every = {name: mask | True for name, mask in now.zero_gradient.items()}
    now = now._replace(zero_gradient=every)
    found = perturbations.disturb_zero_gradient(now, std=0.5)
    path = ("params", "_critic", "Dense_0", "kernel")
    noise = leaves_by_path(found)[path] - leaves_by_path(now.params)[path]
    assert np.std(noise) == pytest.approx(0.5, rel=0.1)


def test_nothing_and_everything_may_change_at_a_new_task():
    now = moment()
    assert perturbations.undisturbed(now) is now.params
    assert perturbations.redrawn(now) is now.drawn


# What is learned and measured.


def test_it_learns_and_measures_every_epoch():
    experiment = probe(num_epochs=60, learning_rate=3e-3)
    rows = [row for _ in range(60) for row in experiment.run_epoch()]
    losses = values(rows, "loss")
    assert len(losses) == len(values(rows, "test_loss")) == 60
    assert losses[-1] < 0.3 * losses[0]
    assert len(values(rows, "zero_gradient_fraction/value/Dense_1")) == 60
    assert {row.gradient_step for row in rows} == set(range(4, 241, 4))


def test_a_new_task_begins_after_the_first_one():
    calls = []

    def perturb(moment):
        calls.append(moment)
        return moment.drawn

    experiment = probe(first_epochs=2, distance=1.0, perturb=perturb)
    first, second = (experiment.targets_at(epoch) for epoch in (1, 2))
    assert (first != second).any()
    for epoch in range(4):
        experiment.run_epoch()
        assert len(calls) == int(epoch >= 2)


@pytest.mark.parametrize("perturb", [perturbations.undisturbed, perturbations.redrawn])
def test_at_a_new_task_only_moments_begin_again(perturb):
    strength, rate = 3.0, 1e-3
    experiment = probe(
        first_epochs=2,
        distance=1.0,
        learning_rate=rate,
        perturb=perturb,
        before_optimizer=[l2_to_init(strength)],
    )
    initial, _ = ravel_pytree(experiment._state.params)
    for _ in range(2):
        experiment.run_epoch()
    end_of_first, _ = ravel_pytree(experiment._state.params)
    assert np.linalg.norm(end_of_first - initial) > 0.01
    # At the new task's first update, of which the moments are the trace.
    state = experiment._at_a_new_task(experiment._state)
    before, _ = ravel_pytree(state.params)
    pull, moments = state.opt_state
    adam = moments[0]
    assert adam.count == 0
    assert not any(x.any() for x in jax.tree.leaves((adam.mu, adam.nu)))
    np.testing.assert_array_equal(pull.initial, initial)
    targets, index = jnp.asarray(experiment.targets_at(2)), np.arange(10)
    plain = probe(first_epochs=2, distance=1.0)._problem
    bare = plain.init(jax.tree.map(jnp.copy, state.params))
    pulled = experiment._problem.update(state, targets, index)[0].opt_state[1][0]
    without = plain.update(bare, targets, index)[0].opt_state[0][0]
    difference = (ravel_pytree(x.mu)[0] for x in (pulled, without))
    found = np.subtract(*difference) / 0.1  # The first moment is a tenth of it.
    expected = 2 * strength * (before - initial)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_zero_gradient_neurons_are_told_by_the_threshold():
    every = probe(threshold=1e6).run_epoch()
    assert values(every, "zero_gradient_fraction") == [1.0]
    none = probe(threshold=0.0).run_epoch()
    assert values(none, "zero_gradient_fraction")[0] < 0.5


def test_a_constraint_holds():
    experiment = probe(intervention=weight_clipping(0.05))
    experiment.run_epoch()
    largest = max(np.abs(x).max() for x in jax.tree.leaves(experiment._state.params))
    assert largest <= 0.05


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_it_goes_on_from_a_state(epochs):
    settings = {
        "first_epochs": 2,
        "distance": 1.0,
        "threshold": 0.01,
        "perturb": perturbations.disturb_at_random,
    }
    straight, stopped, resumed = (probe(**settings) for _ in range(3))
    expected = [straight.run_epoch() for _ in range(4)]
    for _ in range(epochs):
        stopped.run_epoch()
    resumed.load_state_tree(jax.tree.map(np.array, stopped.state_tree()))
    found = [resumed.run_epoch() for _ in range(4 - epochs)]
    assert str(found) == str(expected[epochs:])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rate": 0}, "learning_rate must be a finite number > 0"),
        ({"threshold": -1}, "threshold must be a finite number >= 0"),
        ({"first_epochs": 5}, "first_epochs must be whole"),
        ({"num_samples": 1}, "num_samples must be whole"),
    ],
)
def test_a_wrong_setting_is_an_error(settings, message):
    with pytest.raises(ValueError, match=message):
        probe(**settings)
