"""Self-normalized resets: recycle neurons that are silent for unusually long."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from redo_dopamine.core import scores
from redo_dopamine.core.checks import is_number, whole
from redo_dopamine.core.interventions.base import (
    InterventionFactory,
    observe_activations,
)
from redo_dopamine.core.interventions.recycling import Choice, View, recycling
from redo_dopamine.core.schedules import Periodic

_EXPANSION = 2  # Of a threshold that none of the last silences has come near.


class Silences(NamedTuple):
    """What self-normalized resets remember of a layer, in steps of the method.

    Attributes:
        age: for how long each neuron has been silent [N].
        lengths: how many silences of each length there were [N, longest + 1].
        threshold: the silence that each neuron is recycled at [N].
        steps: since thresholds were last set.
        replaced: how many neurons have been recycled.
    """

    age: jax.Array
    lengths: jax.Array
    threshold: jax.Array
    steps: jax.Array
    replaced: jax.Array


def self_normalized_resets(
    quantile: float = 0.9,
    longest: int = 200,
    threshold: int = 100,
    threshold_period: int = 1_000,
    period: int = 1,
    score_batch_size: int = 32,
    start: int = 0,
    stop: int | None = None,
) -> InterventionFactory:
    r"""Recycle a neuron that is silent for longer than it ever is.

    .. math:: a_i \ge \tau_i, \qquad
              \tau_i = \min \{ t \ge 1 : P(A_i \le t \mid A_i \ge 1) \ge q \}

    where a is for how many batches in a row neuron i has had no output above 0, and A
    how long such silences of it were since its threshold was last set; one that a
    recycle ended counts. Where that quantile is not below the threshold that was, the
    threshold is doubled instead, to `longest` at most. A neuron that was never silent
    for a batch has the threshold 1.

    Farias and Jozefiak, "Self-Normalized Resets for Plasticity in Continual Learning",
    ICLR 2025, as in the authors' code for one threshold per neuron, where lengths are
    in examples and thresholds are set between tasks. The defaults are ours, since
    theirs are not in that code. So is the batch of its own, which costs a forward pass
    at every step; there it is the training batch. Outgoing weights become zero, as
    there and in ReDo.

    Args:
        quantile: q in (0, 1].
        longest: steps; longer silences count as this long.
        threshold: steps, until thresholds are first set.
        threshold_period: steps of this method between two settings of thresholds.
        period: gradient steps between two steps of this method.
        score_batch_size: states in which a neuron may be active.
        start: first gradient step that counts.
        stop: gradient step from which on none does; None for never.

    Returns:
        A function `(graph, draw_params, optimizer) -> Intervention`. Its metrics are
        `recycled/<layer>`, `replaced/<layer>`: how many were so far, and
        `silence_threshold/<layer>`: the mean of the thresholds.

    Raises:
        ValueError: a setting out of its range.
    """
    if not (is_number(quantile) and 0 < quantile <= 1):
        raise ValueError(
            f"quantile must be in (0, 1], but is {quantile}. With 0.9 a neuron is "
            "recycled where it is silent for longer than in nine silences of ten."
        )
    bins, first, every = (
        whole(value, 1, f"{name} must be a whole number of steps", "Give another one.")
        for name, value in (
            ("longest", longest),
            ("threshold", threshold),
            ("threshold_period", threshold_period),
        )
    )
    if first > bins:
        raise ValueError(
            f"threshold must be at most longest, {bins}, but is {first}. Raise longest."
        )

    def remember(width: int) -> Silences:
        zeros, zero = jnp.zeros(width, jnp.int32), jnp.zeros([], jnp.int32)
        lengths = jnp.zeros((width, bins + 1), jnp.int32)
        return Silences(zeros, lengths, jnp.full(width, first), zero, zero)

    def choose(view: View) -> Choice:
        before: Silences = view.memory
        fires = jnp.any(scores.by_neuron(view.activation) > 0, axis=0)
        age = jnp.where(fires, before.age, before.age + 1)
        mask = ~fires & (age >= before.threshold)
        ends = fires | mask
        at = jnp.arange(age.size), jnp.minimum(age, bins)
        lengths = before.lengths.at[at].add(ends.astype(jnp.int32))
        steps = before.steps + 1
        due = steps >= every
        replaced = before.replaced + jnp.sum(mask)
        left = Silences(
            jnp.where(ends, 0, age),
            jnp.where(due, 0, lengths),
            jnp.where(
                due, _thresholds(lengths, before.threshold, quantile), before.threshold
            ),
            jnp.where(due, 0, steps),
            replaced,
        )
        mean = jnp.mean(left.threshold.astype(jnp.float32))
        return Choice(mask, {"replaced": replaced, "silence_threshold": mean}, left)

    return recycling(
        choose,
        Periodic(period, start, stop),
        observe_activations(score_batch_size),
        remember=remember,
    )


def _thresholds(lengths: jax.Array, old: jax.Array, quantile: float) -> jax.Array:
    """New thresholds [N] of the silences [N, longest + 1] since the old ones [N]."""
    up_to = jnp.cumsum(lengths[:, 1:], axis=1)
    reached = up_to >= quantile * up_to[:, -1:]
    found = jnp.argmax(reached, axis=1).astype(old.dtype) + 1
    return jnp.where(found < old, found, jnp.minimum(_EXPANSION * old, up_to.shape[1]))
