"""Silent on a domain, and without a gradient there: He, 2026 (arXiv 2603.21173).

Theorem 1: a neuron has dormancy 0 on a domain exactly where its gradient is 0 on all
of it and its output 0 somewhere. MAGI takes the gradient in the incoming weights, and a
batch is points of a domain; the last tests show what either changes.
"""

import itertools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from redo_dopamine.core.graph import Edge, Layer, NetworkGraph
from redo_dopamine.core.metrics.gradients import magi
from redo_dopamine.core.scores import dormancy_score

GRAPH = NetworkGraph((Layer("hidden", ("w",), ("b",), (Edge(("v",)),)),))
INPUTS, NEURONS = 3, 400
# Corners and inner points of a box, so inputs of one sign: as behind a ReLU.
BOX = np.concatenate(
    [
        np.array(list(itertools.product((0.1, 1.0), repeat=INPUTS))),
        np.random.default_rng(0).uniform(0.1, 1.0, (200, INPUTS)),
    ]
)


def squared_relu(x):
    """Differentiable everywhere, and flat where it is 0."""
    return nn.relu(x) ** 2


def softly_shrunk(x):
    """Differentiable, 0 on [-1, 1], of both signs outside."""
    return jnp.sign(x) * nn.relu(jnp.abs(x) - 1) ** 2


def silent_and_still(activation, w, b, states):
    """Which neurons have dormancy 0 [N], and which MAGI 0 [N], on these states."""
    states = jnp.asarray(states, jnp.float32)
    params = {"w": jnp.asarray(w, jnp.float32), "b": jnp.asarray(b, jnp.float32)}

    def observe(params):
        return {"hidden": activation(states @ params["w"] + params["b"])}

    silent = dormancy_score(observe(params)["hidden"]) == 0
    still = magi(GRAPH, observe, params)["hidden"] == 0
    return np.asarray(silent), np.asarray(still)


def drawn_neurons():
    rng = np.random.default_rng(1)
    return rng.normal(size=(INPUTS, NEURONS)), rng.normal(size=NEURONS)


@pytest.mark.parametrize("activation", [nn.relu, squared_relu, softly_shrunk])
def test_a_neuron_that_is_silent_on_a_domain_has_no_gradient_there(activation):
    w, b = drawn_neurons()
    silent, still = silent_and_still(activation, w, b, BOX)
    assert 20 < silent.sum() < NEURONS - 20
    assert still[silent].all()


@pytest.mark.parametrize("activation", [nn.relu, squared_relu, softly_shrunk])
def test_one_without_a_gradient_and_with_a_zero_output_is_silent(activation):
    w, b = drawn_neurons()
    silent, still = silent_and_still(activation, w, b, BOX)
    zero_somewhere = np.asarray((activation(BOX @ w + b) == 0).any(axis=0))
    assert still.sum() > 20
    assert silent[still & zero_somewhere].all()


def test_a_constant_output_that_is_not_zero_has_no_gradient_and_is_not_silent():
    """The exception that the paper's remark names."""
    w, b = np.zeros((INPUTS, 2)), np.array([0.0, 3.0])
    w[:, 0] = -1  # So that one is both, and the two can be told apart.
    silent, still = silent_and_still(lambda x: jnp.clip(x, 0, 1), w, b, BOX)
    assert silent.tolist() == [True, False]
    assert still.tolist() == [True, True]


def test_an_activation_that_crosses_zero_is_silent_with_a_gradient():
    """With gradients in the weights the theorem needs an activation flat at its zeros.

    Tanh of nothing is 0 everywhere, and its derivative 1. Its gradient in the *inputs*
    is 0, as the theorem says.
    """
    w, b = np.zeros((INPUTS, 2)), np.array([0.0, 0.5])
    silent, still = silent_and_still(jnp.tanh, w, b, BOX)
    assert silent.tolist() == [True, False]
    assert still.tolist() == [False, False]
    in_inputs = jax.vmap(jax.grad(lambda x: jnp.tanh(x @ w[:, 0] + b[0])))(BOX)
    assert not np.asarray(in_inputs).any()


def test_on_points_apart_a_neuron_without_a_gradient_may_have_a_zero_and_speak():
    """A batch is not a domain: what happens between its points is not seen."""
    w, b, ends = np.array([[10.0]]), np.array([-5.0]), np.array([[0.0], [1.0]])

    def hard_sigmoid(x):
        return jnp.clip(x, 0, 1)

    silent, still = silent_and_still(hard_sigmoid, w, b, ends)
    assert (silent.item(), still.item()) == (False, True)
    between = np.linspace(0, 1, 101)[:, None]
    _, still = silent_and_still(hard_sigmoid, w, b, between)
    assert not still.item()
