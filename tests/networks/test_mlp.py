"""The networks of PPO and SAC are Dopamine's, with a width and a graph."""

import flax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from helpers import trees
from helpers.released import continuous_networks
from redo_dopamine.networks.actor_critic import PPONetwork, SACNetwork, identity
from redo_dopamine.networks.capture import collect
from redo_dopamine.networks.layers import Gaussian

KEY = jax.random.PRNGKey(3)
STATES = np.random.default_rng(0).normal(size=(8, 17, 1)).astype(np.float32)
LIMITS = ((-1.0,) * 4 + (-2.0, 0.0), (1.0,) * 4 + (3.0, 0.5))
PAIRS = {
    "ppo": (PPONetwork, continuous_networks.PPOActorCriticNetwork),
    "sac": (SACNetwork, continuous_networks.ActorCriticNetwork),
}


def pair(name, limits=LIMITS):
    """Ours, Dopamine's, and parameters whose policy is not the initial one."""
    ours, theirs = (make((6,), action_limits=limits) for make in PAIRS[name])
    params = ours.init(KEY, STATES[0], KEY)
    noise = iter(jax.random.split(KEY, 100))
    params = jax.tree.map(
        lambda x: x + 0.1 * jax.random.normal(next(noise), x.shape), params
    )
    return ours, theirs, params


def assert_close(found, expected):
    assert found._fields == expected._fields
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("name", PAIRS)
def test_the_same_key_gives_the_parameters_of_dopamines_network(name):
    ours, theirs, _ = pair(name)
    expected = theirs.init(KEY, STATES[0], KEY)
    found = ours.init(KEY, STATES[0], KEY)
    trees.assert_same_bits(found, flax.core.unfreeze(expected))
    trees.assert_same_bits(found, ours.init(KEY, STATES[0]))


@pytest.mark.parametrize("limits", [LIMITS, None])
@pytest.mark.parametrize("name", PAIRS)
def test_the_same_parameters_and_key_give_what_dopamines_network_gives(name, limits):
    ours, theirs, params = pair(name, limits)
    for state, key in zip(STATES, jax.random.split(KEY, len(STATES)), strict=True):
        found = ours.apply(params, state, key)
        expected = theirs.apply(params, state, key)
        assert_close(found.actor, expected.actor)
        assert_close(found.critic, expected.critic)


def test_the_critics_of_sac_read_the_drawn_action_where_asked_to():
    ours, theirs, params = pair("sac")
    found = ours.apply(params, STATES[0], KEY, False).critic
    assert_close(found, theirs.apply(params, STATES[0], KEY, False).critic)
    assert not np.allclose(found, ours.apply(params, STATES[0], KEY, True).critic)


@pytest.mark.parametrize("limits", [LIMITS, None])
def test_the_density_of_a_given_action_is_dopamines(limits):
    ours, theirs, params = pair("ppo", limits)
    for share in (0.1, 0.5, 0.9):
        action = np.asarray([a + share * (b - a) for a, b in zip(*LIMITS, strict=True)])
        settings = {"action": jnp.asarray(action, jnp.float32), "method": "actor"}
        found = ours.apply(params, STATES[0], **settings)
        assert_close(found, theirs.apply(params, STATES[0], **settings))


def test_without_a_key_the_action_is_that_of_the_mean():
    ours, _, params = pair("sac")
    actor = ours.apply(params, STATES[0]).actor
    assert trees.same_bits(actor.sampled_action, actor.mean_action)


def test_gradients_of_the_density_are_dopamines():
    ours, theirs, params = pair("ppo")

    def of(network):
        def log_probability(params):
            action = jnp.full(6, 0.2)
            method = network.actor
            return network.apply(params, STATES[0], action=action, method=method)[1]

        return trees.by_path(jax.grad(log_probability)(params))

    found, expected = of(ours), of(theirs)
    assert np.any(found["params", "_actor", "Dense_3", "kernel"])
    for path, leaf in expected.items():
        np.testing.assert_allclose(found[path], leaf, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize(("width", "factor"), [(1, 1), (2, 2), (0.5, 0.5)])
def test_width_multiplies_hidden_layers_and_no_head(name, width, factor):
    network = PAIRS[name][0]((6,), width=width)
    params = jax.eval_shape(network.init, KEY, STATES[0])["params"]
    hidden = {"ppo": 64, "sac": 256}[name] * factor
    heads = {"_actor": 6 if name == "ppo" else 12}
    for module, layers in params.items():
        sizes = [layers[f"Dense_{i}"]["kernel"].shape[-1] for i in range(3)]
        assert sizes == [hidden, hidden, heads.get(module, 1)]


def test_layers_are_named_by_their_network():
    names = [layer.name for layer in PPONetwork((6,)).graph().layers]
    assert names == [
        "policy/Dense_0",
        "policy/Dense_1",
        "value/Dense_0",
        "value/Dense_1",
    ]
    names = [layer.name for layer in SACNetwork((6,), num_layers=1).graph().layers]
    assert names == ["actor/Dense_0", "critic1/Dense_0", "critic2/Dense_0"]


@pytest.mark.parametrize(
    ("activation", "reference"),
    [
        (nn.relu, lambda x: np.maximum(x, 0)),
        (nn.tanh, np.tanh),
        (identity, lambda x: x),
    ],
)
def test_the_activation_is_applied_and_recorded(activation, reference):
    network = PPONetwork((6,), activation=activation)
    params = network.init(KEY, STATES[0])
    found = collect(network.apply, params, STATES)["value/Dense_0"]
    weights = params["params"]["_critic"]["Dense_0"]
    expected = reference(STATES[..., 0] @ weights["kernel"] + weights["bias"])
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_literal_densities():
    standard = Gaussian(jnp.zeros(2), jnp.ones(2))
    assert standard.log_probability(jnp.zeros(2)) == pytest.approx(-1.837877, 1e-6)
    assert standard.entropy() == pytest.approx(2.837877, 1e-6)
    # Half the limits' distance is 2, so the density at the middle is halved.
    limited = Gaussian(jnp.zeros(1), jnp.ones(1), ((0.0,), (4.0,)))
    assert limited.to_action(jnp.zeros(1)) == 2.0
    assert limited.log_probability(jnp.zeros(1)) == pytest.approx(-1.612086, 1e-6)


def test_a_density_in_limits_integrates_to_one():
    policy = Gaussian(jnp.array([0.3]), jnp.array([0.7]), ((-1.0,), (3.0,)))
    actions = jnp.linspace(-1, 3, 4001)[1:-1, None]
    densities = jax.vmap(lambda a: policy.log_probability(policy.from_action(a)))
    assert np.sum(np.exp(densities(actions))) * 0.001 == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("action", [-1.0, 3.0, 3.0000002])
def test_an_action_at_the_limits_has_a_finite_density(action):
    policy = Gaussian(jnp.zeros(1), jnp.ones(1), ((-1.0,), (3.0,)))
    u = policy.from_action(jnp.array([action]))
    assert np.isfinite(policy.log_probability(u))
