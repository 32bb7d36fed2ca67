"""On which states of a batch a neuron is on: on some, on all, or on none."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from redo_dopamine.core.metrics.base import Measured, Metric, View
from redo_dopamine.core.metrics.dormancy import named_fractions
from redo_dopamine.core.scores import by_neuron


def active_fraction() -> Metric:
    r"""`active_fraction` and `active_fraction/<layer>`: neurons that are ever on.

    .. math:: \frac{1}{N} \, \# \{ i : \max_x h_i(x) > 0 \}

    over the states and, for a convolution, over space. Of ReLUs it is what remains
    beside the neurons that are dormant at tau = 0. Abbas et al., "Loss of Plasticity
    in Continual Deep Reinforcement Learning", CoLLAs 2023, see it fall.
    """
    return _fraction("active_fraction", lambda h: jnp.max(h, axis=0) > 0)


def linearized_fraction() -> Metric:
    r"""`linearized_fraction` and `linearized_fraction/<layer>`: neurons always on.

    .. math:: \frac{1}{N} \, \# \{ i : \min_x h_i(x) > 0 \}

    A ReLU that is on for the whole batch is a linear function of its inputs there.
    Lyle et al., "Disentangling the Causes of Plasticity Loss in Neural Networks", 2024
    (arXiv 2402.18762), call such units linearized. Of other activation functions it
    says no more than that the output is positive.
    """
    return _fraction("linearized_fraction", lambda h: jnp.min(h, axis=0) > 0)


def _fraction(name: str, of_outputs: Callable[[jax.Array], jax.Array]) -> Metric:
    """A metric without a state: a share of neurons, by their outputs [B * ..., N]."""

    def measure(view: View, state: tuple[()]) -> tuple[Measured, tuple[()]]:
        neurons = {
            layer.name: of_outputs(by_neuron(view.activations[layer.name]))
            for layer in view.graph.layers
        }
        return named_fractions(name, neurons), state

    return Metric(name, lambda graph, params: (), measure)
