"""Scores in, a boolean per neuron out."""

import math

import jax


def validate_threshold(tau: float) -> None:
    """Check a dormancy threshold.

    Raises:
        ValueError: tau is negative or not a finite number.
    """
    if not (math.isfinite(tau) and tau >= 0):
        raise ValueError(
            f"tau must be a finite number >= 0, but is {tau}. A neuron is dormant "
            "where its score is <= tau; the paper uses 0.1, 0.025 and 0."
        )


def dormant(score: jax.Array, tau: float) -> jax.Array:
    """Which neurons are tau-dormant: `score <= tau`.

    Sokar et al., ICML 2023, Definition 3.1.

    Args:
        score: dormancy scores [N].
        tau: threshold >= 0; 0 marks only neurons that never fired.

    Returns:
        Booleans [N].

    Raises:
        ValueError: tau is negative or not a finite number.
    """
    validate_threshold(tau)
    return score <= tau
