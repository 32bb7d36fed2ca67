"""Scores in, a boolean per neuron out."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from redo_dopamine.core.checks import is_number


def threshold(tau: float, name: str = "tau") -> float:
    """A dormancy threshold as a number of the host.

    Raises:
        ValueError: tau is negative or not a finite number.
    """
    if not (is_number(tau) and tau >= 0):
        raise ValueError(
            f"{name} must be a finite number >= 0, but is {tau}. A neuron is dormant "
            "where its score is <= tau; the paper uses 0.1, 0.025 and 0."
        )
    # A whole number may be too large for the device; -0.0 is 0.
    return abs(float(tau))


def thresholds(taus: Sequence[float]) -> tuple[float, ...]:
    """Dormancy thresholds as numbers of the host.

    Raises:
        TypeError: one number, without the parentheses.
        ValueError: one that is negative or not a finite number, or stands twice.
    """
    several = isinstance(taus, Sequence) and not isinstance(taus, str)
    if not several or not all(is_number(tau) and tau >= 0 for tau in taus):
        raise (ValueError if several else TypeError)(
            "taus must be a sequence of finite thresholds >= 0, but is "
            f"{taus!r}. Write (0.1,) for one, and () for none."
        )
    found = tuple(map(threshold, taus))
    if len({*found}) < len(found):
        raise ValueError(
            f"taus must be thresholds that differ, such as (0.0, 0.1), but is {taus!r}."
        )
    return found


def dormant(score: jax.Array, tau: float) -> jax.Array:
    """Which neurons are tau-dormant: `score <= tau`.

    Sokar et al., ICML 2023, Definition 3.1.

    Args:
        score: dormancy scores [N].
        tau: threshold >= 0; 0 marks only neurons that never fired.

    Returns:
        Booleans [N].

    Raises:
        TypeError: the scores are no array.
        ValueError: tau is negative or not a finite number.
    """
    if not isinstance(score, jax.Array | np.ndarray):
        raise TypeError(
            "score must be an array [N], as dormancy_score gives it, but is a "
            f"{type(score).__name__}."
        )
    return score <= threshold(tau)


def lowest(score: jax.Array, count: Any) -> jax.Array:
    """The `count` neurons with the lowest scores: exactly as many, ties by index.

    Args:
        score: numbers [N]; NaN counts as higher than any other.
        count: how many, an int or a traced one; all N if there are no more.

    Returns:
        Booleans [N], min(count, N) of them True (none if count is negative).
    """
    order = jnp.argsort(score, stable=True)  # Of equals, the first index comes first.
    rank = jnp.zeros(score.shape, jnp.int32).at[order].set(jnp.arange(score.size))
    return rank < count


def lowest_fraction(score: jax.Array, fraction: Any) -> jax.Array:
    r"""The `round(fraction * N)` neurons with the lowest scores, ties by index.

    Args:
        score: numbers [N].
        fraction: share of the neurons in [0, 1], a float or a traced one. A half is
            rounded to the even side.

    Returns:
        Booleans [N].
    """
    return lowest(score, jnp.round(fraction * score.size))
