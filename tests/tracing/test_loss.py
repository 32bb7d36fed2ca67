"""Gradients of a loss in activations, from the loss's program alone."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from helpers import agents, controllers
from redo_dopamine.networks.impala import ImpalaNetwork
from redo_dopamine.plasticity.watched import Traced
from redo_dopamine.tracing import trace_network
from redo_dopamine.tracing.loss import loss_gradients


def dqn():
    return agents.recycled_agent()


def double_dqn():
    from redo_dopamine.agents.dqn_loss import target_value_of_online_choice

    return agents.recycled_agent(bootstrap=target_value_of_online_choice)


def dqn_with_streams():
    narrow = functools.partial(ImpalaNetwork, width=0.125, stack_sizes=(16, 32))
    return agents.recycled_agent(network=narrow)


AGENTS = {
    "dqn": dqn,
    "double_dqn": double_dqn,
    "streams": dqn_with_streams,
    "sac": controllers.sac,
    "ppo": controllers.ppo,
}
# Parameters have the names of Dopamine, layers others.
MODULES = {"policy": "_actor", "value": "_critic", "actor": "_actor"}
MODULES |= {"critic1": "_critic1", "critic2": "_critic2"}


def drawn(shapes):
    rng = np.random.default_rng(0)

    def draw(x):
        if np.issubdtype(x.dtype, np.integer):
            return rng.integers(0, 3, x.shape).astype(x.dtype)
        return rng.normal(size=x.shape).astype(x.dtype)

    return jax.tree.map(draw, shapes)


@pytest.mark.parametrize("name", AGENTS)
def test_they_are_those_of_the_recorded_activations(name, clean_gin):
    agents.bind_replay()
    agent = AGENTS[name]()
    subject = agent._plasticity.tracking.subject
    # Not the initial ones, whose biases are 0.
    params = jax.tree.map(lambda x: x + 0.1 * drawn(x), agent.online_params)
    batch = drawn(agent._example_batch(3))
    inputs = subject.inputs(batch)
    one = jax.tree.map(lambda x: x[0], inputs)
    network = trace_network(subject.network.apply, params, one, linear=True)
    traced = subject._replace(network=Traced(subject.network.apply, network))
    given = params, agent.target_network_params, batch
    expected = jax.jit(subject.loss_gradients)(*given)
    found = jax.jit(traced.loss_gradients)(*given)
    assert len(found) == len(expected)
    for layer, gradient in expected.items():
        top, _, rest = layer.partition("/")
        derived = found[f"{MODULES[top]}/{rest}" if top in MODULES else layer]
        assert np.any(gradient)
        np.testing.assert_allclose(
            np.reshape(derived, gradient.shape), gradient, rtol=1e-5, atol=1e-6
        )


def apply(params, x):
    h = jax.nn.relu(x @ params["in"])
    return h @ params["out"]


PARAMS = {"in": jnp.eye(3) + 0.5, "out": jnp.ones((3, 1))}
X = jnp.asarray([[1.0, 2.0, -0.5]])


def test_a_call_that_is_compared_with_does_not_count():
    layers = trace_network(apply, PARAMS, X[0]).graph.layers

    def loss(params, x):
        aim = jax.lax.stop_gradient(apply(params, -x))
        return jnp.sum(apply(params, x) - aim + apply(jax.lax.stop_gradient(params), x))

    found = loss_gradients(layers, loss, PARAMS, X)
    assert found["in"].shape == (1, 3)
    np.testing.assert_array_equal(found["in"], 1.0)


def test_every_other_call_does():
    layers = trace_network(apply, PARAMS, X[0]).graph.layers

    def loss(params, x):
        return jnp.sum(apply(params, x) + 2 * apply(params, 3 * x))

    found = loss_gradients(layers, loss, PARAMS, X)
    np.testing.assert_array_equal(np.sort(found["in"], axis=None), [1] * 3 + [2] * 3)


def test_a_layer_that_the_loss_does_not_have_is_named():
    layers = trace_network(apply, PARAMS, X[0]).graph.layers
    with pytest.raises(ValueError, match="'in' is not: it is not there"):
        loss_gradients(layers, lambda params, x: jnp.sum(params["out"]), PARAMS, X)
