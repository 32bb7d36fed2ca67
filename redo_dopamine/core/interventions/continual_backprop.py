"""Continual backprop: now and then replace the least useful of the mature neurons."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from redo_dopamine.core import masks, scores
from redo_dopamine.core.checks import is_number, whole
from redo_dopamine.core.interventions.base import (
    InterventionFactory,
    observe_activations,
)
from redo_dopamine.core.interventions.recycling import (
    Choice,
    View,
    outgoing_magnitudes,
    recycling,
)
from redo_dopamine.core.schedules import Periodic


class Utilities(NamedTuple):
    """What continual backprop remembers of a layer.

    Attributes:
        mean: running means of the utilities [N], not corrected for their start at 0.
        age: choices that each neuron has lived through [N].
        owed: how many neurons are still to be replaced, less than 1 after a choice.
        replaced: how many have been.
    """

    mean: jax.Array
    age: jax.Array
    owed: jax.Array
    replaced: jax.Array


def continual_backprop(
    replacement_rate: float = 1e-4,
    maturity: int = 10_000,
    decay: float = 0.99,
    period: int = 1,
    score_batch_size: int = 32,
    start: int = 0,
    stop: int | None = None,
) -> InterventionFactory:
    r"""Replace a small share of the mature neurons, those of the lowest utility.

    .. math:: u_i \leftarrow \eta u_i
                  + (1 - \eta) \, E_x |h_i(x)| \sum_k |w^{out}_{ik}|, \qquad
              \hat{u}_i = \frac{u_i}{1 - \eta^{a_i}}

    where a is the age of a neuron. In each layer :math:`\rho |M|` is added at every
    step to the number of neurons that are owed, with M those older than the maturity
    threshold. For every whole one the neuron of M with the lowest corrected utility is
    recycled as in ReDo, and its utility and age begin again.

    Dohare et al., "Loss of Plasticity in Deep Continual Learning", Nature 2024,
    Algorithm 1; the defaults of rate, maturity and decay are those of its agents
    (rate and maturity as in the authors' configuration of Ant, the decay that of
    their code). There the activations are those of the training batch; here they are
    those of a batch of its own, which costs a forward pass of so many states at every
    step. Weights come from the network's own initializers.

    Args:
        replacement_rate: rho in [0, 1], the share of mature neurons a step.
        maturity: steps that a neuron is spared for after it was replaced.
        decay: eta in [0, 1) of the running mean.
        period: gradient steps between two steps of this method.
        score_batch_size: states that activations are averaged over.
        start: first gradient step that counts.
        stop: gradient step from which on none does; None for never.

    Returns:
        A function `(graph, draw_params, optimizer) -> Intervention`. Its metrics are
        `recycled/<layer>`, and `replaced/<layer>`: how many were so far.

    Raises:
        ValueError: a setting out of its range.
    """
    if not (is_number(replacement_rate) and 0 <= replacement_rate <= 1):
        raise ValueError(
            f"replacement_rate must be in [0, 1], but is {replacement_rate}. The paper "
            "has 1e-4, a neuron of ten thousand mature ones a step."
        )
    if not (is_number(decay) and 0 <= decay < 1):
        raise ValueError(
            f"decay must be in [0, 1), but is {decay}. The paper's code has 0.99."
        )
    spared = whole(
        maturity, 0, "maturity must be a whole number of steps", "The paper has 10,000."
    )

    def remember(width: int) -> Utilities:
        zeros = jnp.zeros(width)
        count = jnp.zeros([], jnp.int32)
        return Utilities(zeros, jnp.zeros(width, jnp.int32), jnp.zeros([]), count)

    def choose(view: View) -> Choice:
        before: Utilities = view.memory
        magnitude = jnp.mean(jnp.abs(scores.by_neuron(view.activation)), axis=0)
        now = magnitude * outgoing_magnitudes(view)
        age = before.age + 1
        mean = decay * before.mean + (1 - decay) * now
        corrected = mean / (1 - jnp.float32(decay) ** age)
        mature = age > spared
        owed = before.owed + replacement_rate * jnp.sum(mature)
        count = jnp.floor(owed)
        mask = mature & masks.lowest(jnp.where(mature, corrected, jnp.inf), count)
        left = Utilities(
            jnp.where(mask, 0, mean).astype(before.mean.dtype),
            jnp.where(mask, 0, age),
            owed - count,
            before.replaced + jnp.sum(mask),
        )
        return Choice(mask, {"replaced": left.replaced}, left)

    return recycling(
        choose,
        Periodic(period, start, stop),
        observe_activations(score_batch_size),
        remember=remember,
    )
