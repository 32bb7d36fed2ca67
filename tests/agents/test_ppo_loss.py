"""PPO's update makes the parameters that Dopamine's makes from the same rollout."""

import functools
import operator

from redo_dopamine import compat  # noqa: F401  isort: skip
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from dopamine.jax.agents.ppo import ppo_agent

from helpers import trees
from redo_dopamine.agents import ppo_loss
from redo_dopamine.core.interventions import none
from redo_dopamine.networks.actor_critic import PPONetwork
from redo_dopamine.plasticity.learner import Learner, make_update
from redo_dopamine.plasticity.plasticity import Plasticity

NUM_TRANSITIONS, BATCH_SIZE, NUM_EPOCHS, EPSILON = 32, 8, 3, 0.2
# Far from Dopamine's defaults, so that one that is not passed on is seen.
GAMMA, LAMBDA, VF, ENTROPY = 0.9, 0.7, 0.8, 0.05
NETWORK = PPONetwork((2,), action_limits=((-1.0, -1.0), (1.0, 1.0)), width=0.25)
OPTIMIZER = optax.chain(optax.clip_by_global_norm(0.5), optax.adam(1e-2))
KEY = jax.random.PRNGKey(5)
VALUE_ERRORS = {
    True: ppo_loss.clipped_squared_error(EPSILON),
    False: ppo_loss.squared_error,
}


def rollout(seed=0):
    rng = np.random.default_rng(seed)
    states = rng.normal(size=(NUM_TRANSITIONS + 1, 5, 1)).astype(np.float32)
    return {
        "state": states[:-1],
        "next_state": states[1:],
        "action": rng.uniform(-0.9, 0.9, (NUM_TRANSITIONS, 2)).astype(np.float32),
        "reward": rng.normal(size=NUM_TRANSITIONS).astype(np.float32),
        "terminal": (terminal := (rng.random(NUM_TRANSITIONS) < 0.2).astype(np.uint8)),
        "episode_end": terminal,
    }


@functools.cache
def draw():
    return jax.jit(lambda key: NETWORK.init(key, jnp.zeros((5, 1))))


def loss(clip_critic_loss=True):
    return ppo_loss.clipped_surrogate(
        NETWORK,
        epsilon=EPSILON,
        vf_coefficient=VF,
        entropy_coefficient=ENTROPY,
        value_error=VALUE_ERRORS[clip_critic_loss],
    )


@functools.cache
def transitions():
    prepare = ppo_loss.make_prepare(NETWORK, gamma=GAMMA, lambda_=LAMBDA)
    return prepare(draw()(KEY), rollout())


def ours(clip_critic_loss):
    update = make_update(loss(clip_critic_loss).of_prepared(ppo_loss.take), OPTIMIZER)
    params = draw()(KEY)
    learner, losses = Learner(params, OPTIMIZER.init(params)), []
    key = jax.random.split(KEY)[1]
    order = ppo_loss.contiguous_minibatches(
        key, NUM_TRANSITIONS, BATCH_SIZE, NUM_EPOCHS
    )
    for index in order:
        chosen = {"transitions": transitions(), "index": index}
        learner, value = update(learner, None, chosen)
        losses.append(float(value))
    return learner.params, np.mean(losses)


def dopamines(clip_critic_loss):
    params, data = draw()(KEY), rollout()
    params, _, stats = ppo_agent.train(
        NETWORK,
        params,
        OPTIMIZER,
        OPTIMIZER.init(params),
        KEY,
        *(data[k] for k in ("state", "action", "next_state", "reward", "terminal")),
        NUM_EPOCHS,
        BATCH_SIZE,
        EPSILON,
        GAMMA,
        LAMBDA,
        VF,
        ENTROPY,
        clip_critic_loss,
    )
    return params, stats["Losses/Combined"]


@pytest.mark.parametrize("clip_critic_loss", [True, False])
def test_the_same_rollout_gives_the_parameters_of_dopamines_agent(clip_critic_loss):
    (found, loss), (expected, their_loss) = (
        make(clip_critic_loss) for make in (ours, dopamines)
    )
    assert loss == pytest.approx(their_loss, rel=1e-4)
    before, found = trees.by_path(draw()(KEY)), trees.by_path(found)
    for path, leaf in trees.by_path(expected).items():
        np.testing.assert_allclose(found[path], leaf, rtol=1e-3, atol=1e-4)
        assert np.max(np.abs(leaf - before[path])) > 1e-3, path


def test_advantages_by_hand():
    found = ppo_loss.generalized_advantages(
        jnp.array([1.0, 2.0, 3.0, 4.0]),
        jnp.array([0.0, 1.0, 0.0, 0.0]),
        jnp.array([0.0, 1.0, 1.0, 0.0]),
        jnp.array([10.0, 20.0, 30.0, 40.0]),
        jnp.array([20.0, 99.0, 50.0, 60.0]),
        gamma=0.5,
        lambda_=0.5,
    )
    # 4 + 30 - 40. Cut off, with a value: 3 + 25 - 30. Terminal, without one: 2 - 20.
    # 1 + 10 - 10 + 0.25 * -18.
    np.testing.assert_allclose(found, [-3.5, -18.0, -2.0, -6.0])


@pytest.mark.parametrize(
    "order", [ppo_loss.contiguous_minibatches, ppo_loss.shuffled_minibatches]
)
def test_every_epoch_takes_every_transition_once(order):
    found = order(KEY, 24, 4, 3)
    assert found.shape == (18, 4)
    for epoch in np.split(np.asarray(found), 3):
        assert sorted(epoch.ravel()) == list(range(24))
    assert (np.asarray(order(KEY, 24, 4, 3)) == found).all()
    assert (np.asarray(order(jax.random.PRNGKey(6), 24, 4, 3)) != found).any()


def test_shuffled_minibatches_differ_between_epochs_and_contiguous_ones_do_not():
    first, second = np.split(
        np.asarray(ppo_loss.shuffled_minibatches(KEY, 24, 4, 2)), 2
    )
    assert (first != second).any()
    assert (np.diff(first) != 1).any()
    first, second = np.split(
        np.asarray(ppo_loss.contiguous_minibatches(KEY, 24, 4, 2)), 2
    )
    assert (first == second).all()
    assert (np.diff(first) == 1).all()


def test_a_value_error_is_clipped_only_where_that_makes_it_larger():
    error = ppo_loss.clipped_squared_error(1.0)
    found = error(jnp.array([5.0, 5.0]), jnp.zeros(2), jnp.array([5.0, -5.0]))
    np.testing.assert_allclose(found, [16.0, 100.0])


def test_a_minibatch_has_normalized_advantages():
    batch = ppo_loss.take(
        {"transitions": transitions(), "index": np.arange(BATCH_SIZE)}
    )
    assert batch["state"].shape == (BATCH_SIZE, 5, 1)
    assert np.mean(batch["advantage"]) == pytest.approx(0, abs=1e-6)
    assert np.std(batch["advantage"]) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    "order", [ppo_loss.contiguous_minibatches, ppo_loss.shuffled_minibatches]
)
def test_a_batch_size_that_does_not_divide_a_rollout_is_an_error(order):
    with pytest.raises(ValueError, match=r"but 32 / 5 is not a whole number"):
        order(KEY, 32, 5, 1)


def test_plasticity_tracks_policy_and_value_layers_of_this_loss():
    params = draw()(KEY)
    plasticity = Plasticity(
        NETWORK.apply,
        operator.itemgetter("state"),
        NETWORK.graph(),
        params,
        loss(),
        none()(NETWORK.graph(), draw(), OPTIMIZER),
        np.zeros((5, 1), np.float32),
        taus=(0.1,),
        tracking_period=1,
        tracking_batch_size=BATCH_SIZE,
        seed=0,
    )
    batch = ppo_loss.take({"transitions": transitions(), "index": np.arange(8)})
    learner = Learner(params, OPTIMIZER.init(params))
    _, found = plasticity.after_update(learner, params, 1, lambda size, rng: batch)
    for layer in NETWORK.graph().layers:
        assert 0 <= found[f"dormant_fraction/0.1/{layer.name}"] <= 1
