"""The regression probe: its tasks, what a network begins with, and what is measured."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from helpers import runs
from helpers.trees import by_path
from redo_dopamine.core.interventions import weight_clipping
from redo_dopamine.core.optimizers import l2_to_init
from redo_dopamine.errors import UserError
from redo_dopamine.networks.actor_critic import PPONetwork, ValueNetwork
from redo_dopamine.plasticity.learner import Learner
from redo_dopamine.supervised import probe_settings, regression_probe
from redo_dopamine.supervised.regression_probe import RegressionProbe


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
    assert regression_probe.function(x) == pytest.approx([1.5])
    x[0, [0, 2, 4, 8, 10, 11, 15]] = 1.0, 2.0, -1.0, 2.0, 2.0, 3.0, -4.0
    expected = 1 + 0.5 * 4 - 0.2 + 1 + 0.5 * np.e + 0.5 * 6 - 0.5 * 4
    assert regression_probe.function(x) == pytest.approx([expected])


def test_every_input_has_a_part():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, 17))
    for i in range(regression_probe.NUM_INPUTS):
        other = x.copy()
        other[0, i] += 0.5
        assert regression_probe.function(other) != pytest.approx(
            regression_probe.function(x)
        )


@pytest.mark.parametrize("distance", [0.0, 0.25, 1.0, 1.5, 2.0])
def test_a_distance_is_one_minus_a_correlation(distance):
    sample = regression_probe.draw_sample(2_000, np.random.default_rng(1))
    assert sample.inputs.shape == (2_000, 17)
    without_noise = sample._replace(noise=0 * sample.noise)
    targets = without_noise.targets(distance)
    assert targets.dtype == np.float32
    assert np.corrcoef(targets, sample.first)[0, 1] == pytest.approx(
        1 - distance, abs=1e-6
    )
    assert np.std(targets) == pytest.approx(1, abs=1e-5)
    noise = sample.targets(distance) - targets
    assert np.std(noise) == pytest.approx(regression_probe.NOISE, rel=0.05)


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
    return lambda drawn, environment_id, seed: probe_settings.aged_network(
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


@pytest.mark.parametrize(
    "perturb", [probe_settings.undisturbed, probe_settings.redrawn]
)
def test_at_a_new_task_only_moments_begin_again(perturb):
    strength, rate = 3.0, 1e-3
    experiment = probe(
        first_epochs=2,
        distance=1.0,
        learning_rate=rate,
        perturb=perturb,
        before_optimizer=[l2_to_init(strength)],
    )
    initial, _ = ravel_pytree(experiment.learner.params)
    for _ in range(2):
        experiment.run_epoch()
    end_of_first, _ = ravel_pytree(experiment.learner.params)
    assert np.linalg.norm(end_of_first - initial) > 0.01
    # At the new task's first update, of which the moments are the trace.
    learner = experiment._at_a_new_task(experiment.learner)
    before, _ = ravel_pytree(learner.params)
    pull, moments = learner.opt_state
    adam = moments[0]
    assert adam.count == 0
    assert not any(x.any() for x in jax.tree.leaves((adam.mu, adam.nu)))
    np.testing.assert_array_equal(pull.initial, initial)
    plain = probe(first_epochs=2, distance=1.0)
    params = jax.tree.map(jnp.copy, learner.params)
    bare = Learner(params, plain._optimizer.init(params))
    batch = {
        "inputs": experiment._inputs,
        "targets": jnp.asarray(experiment.targets_at(2)),
        "index": np.arange(10),
    }
    pulled = experiment._update(learner, batch)[0].opt_state[1][0]
    without = plain._update(bare, batch)[0].opt_state[0][0]
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
    largest = max(np.abs(x).max() for x in jax.tree.leaves(experiment.learner.params))
    assert largest <= 0.05


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_it_goes_on_from_a_state(epochs):
    settings = {
        "first_epochs": 2,
        "distance": 1.0,
        "threshold": 0.01,
        "perturb": probe_settings.disturb_at_random,
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
