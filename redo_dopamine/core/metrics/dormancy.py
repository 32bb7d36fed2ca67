"""Masks in, a flat `{name: scalar}` out."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from redo_dopamine.core import masks, scores

LayerMasks = dict[str, jax.Array]
# The dormant sets of one measurement: one entry per threshold, in their order.
DormantSets = tuple[LayerMasks, ...]


class DormancyRecord(NamedTuple):
    """What the measurements so far found.

    Attributes:
        previous: the dormant sets of the last measurement.
        ever: the neurons that were dormant at any measurement, the last included;
            recycled since or not.
    """

    previous: DormantSets
    ever: DormantSets


def dormant_fraction(dormant: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
    r"""Share of dormant neurons, per layer and pooled over all neurons.

    .. math:: \beta_\tau = \sum_l |H^l_\tau| \; / \; \sum_l N^l

    Sokar et al., ICML 2023, Definition 3.2 (there as a percentage).

    Args:
        dormant: booleans [N] per layer.

    Returns:
        `{"": pooled, "<layer>": fraction}`, each in [0, 1].

    Raises:
        ValueError: no layer.
    """
    if not dormant:
        raise ValueError(
            "A dormant fraction needs the neurons of at least one layer, but there is "
            "none. Give masks by layer name."
        )
    pooled = jnp.mean(jnp.concatenate(list(dormant.values())), dtype=jnp.float32)
    per_layer = {k: jnp.mean(m, dtype=jnp.float32) for k, m in dormant.items()}
    return {"": pooled, **per_layer}


def named_fractions(
    name: str, neurons: Mapping[str, jax.Array]
) -> dict[str, jax.Array]:
    """Fractions of neurons as columns: `<name>`, pooled, and `<name>/<layer>`.

    Args:
        name: of the metric.
        neurons: booleans [N] per layer, as of `dormant_fraction`.
    """
    fractions = dormant_fraction(neurons)
    return {f"{name}/{layer}".rstrip("/"): x for layer, x in fractions.items()}


def dormant_fractions(
    activations: Mapping[str, jax.Array], taus: Sequence[float]
) -> dict[str, jax.Array]:
    """`dormant_fraction/<tau>` and `dormant_fraction/<tau>/<layer>`, at every tau.

    Args:
        activations: post-activation outputs [B, ..., N] per layer.
        taus: thresholds.
    """
    layer_scores = {k: scores.dormancy_score(h) for k, h in activations.items()}
    found: dict[str, jax.Array] = {}
    for tau in masks.thresholds(taus):
        dormant = {k: masks.dormant(s, tau) for k, s in layer_scores.items()}
        found |= named_fractions(f"dormant_fraction/{tau}", dormant)
    return found


def dormant_fractions_after(
    activations: Mapping[str, jax.Array], taus: Sequence[float]
) -> dict[str, jax.Array]:
    """`dormant_fraction_after/<tau>`: pooled over layers, after an intervention.

    A recycled neuron is not rid of dormancy by definition: beside weights that have
    grown, a newly drawn one may score low, and count as dormant again at once.

    Args:
        activations: post-activation outputs [B, ..., N] per layer.
        taus: thresholds.
    """
    layer_scores = {k: scores.dormancy_score(h) for k, h in activations.items()}
    return {
        f"dormant_fraction_after/{tau}": dormant_fraction(
            {k: masks.dormant(s, tau) for k, s in layer_scores.items()}
        )[""]
        for tau in masks.thresholds(taus)
    }


def overlap(first: jax.Array, second: jax.Array) -> jax.Array:
    r"""Overlap coefficient of two sets of neurons.

    .. math:: \text{overlap}(X, Y) = |X \cap Y| \; / \; \min(|X|, |Y|)

    Symmetric; 1 where one set holds the other; NaN where either is empty.

    Sokar et al., ICML 2023, section 3; He, 2026 (arXiv 2603.21173), Definition 3.

    Args:
        first: booleans [N].
        second: booleans [N].

    Returns:
        A scalar in [0, 1], or NaN.
    """
    smaller = jnp.minimum(jnp.sum(first), jnp.sum(second))
    both = jnp.sum(first & second)
    return jnp.where(smaller == 0, jnp.nan, both / jnp.maximum(smaller, 1))


def share(part: jax.Array, whole: jax.Array) -> jax.Array:
    r"""Share of one set of neurons that is in another as well.

    .. math:: \text{share}(X, Y) = |X \cap Y| \; / \; |Y|

    With the dormant sets now and at the previous measurement for X and Y, this is
    how many of the neurons that were dormant still are: what the released code of
    Sokar et al. logs as `dead_intersected_percent`. That one is in percent, and 0
    where Y is empty, which reads as if all had recovered; here it is NaN. It is the
    overlap coefficient only while the set does not shrink.

    Args:
        part: booleans [N], X.
        whole: booleans [N], Y.

    Returns:
        A scalar in [0, 1], or NaN.
    """
    size = jnp.sum(whole)
    both = jnp.sum(part & whole)
    return jnp.where(size == 0, jnp.nan, both / jnp.maximum(size, 1))


def no_dormant_sets(widths: Mapping[str, int], taus: Sequence[float]) -> DormantSets:
    """Empty sets, to stand in for a measurement before the first."""
    return tuple({k: jnp.zeros(n, bool) for k, n in widths.items()} for _ in taus)


def no_record(widths: Mapping[str, int], taus: Sequence[float]) -> DormancyRecord:
    """The record before the first measurement."""
    return DormancyRecord(no_dormant_sets(widths, taus), no_dormant_sets(widths, taus))


def measure_dormancy(
    activations: Mapping[str, jax.Array],
    taus: Sequence[float],
    record: DormancyRecord,
) -> tuple[dict[str, jax.Array], DormancyRecord]:
    r"""Dormant fractions, and overlaps with earlier measurements, at every tau.

    With :math:`D_t` the dormant set of a layer at measurement t, the overlaps are

    .. math:: \text{overlap}(D_t, D_{t-1}) \quad \text{and} \quad
              \text{overlap}(D_t, D_1 \cup \dots \cup D_{t-1})

    The history, as the second one's union is called, has every neuron that was ever
    dormant up to the previous measurement, recycled since or not; this measurement
    is no part of it. Where it is the larger set, the overlap is the share of neurons
    dormant now that were dormant before. Both are NaN where either set is empty, so
    always at the first measurement.

    Sokar et al., ICML 2023, section 3: dormant neurons remain dormant.

    Args:
        activations: post-activation outputs [B, ..., N] per layer.
        taus: thresholds.
        record: what the last call returned; `no_record` at the first.

    Returns:
        The metrics `dormant_fraction/<tau>`, `dormant_fraction/<tau>/<layer>`,
        `overlap/<tau>/<layer>` and `overlap_with_history/<tau>/<layer>`, and the
        record with this measurement in it.

    Raises:
        ValueError: a record of other thresholds or layers.
    """
    _check_record(activations, taus, record)
    layer_scores = {k: scores.dormancy_score(h) for k, h in activations.items()}
    metrics: dict[str, jax.Array] = {}
    now_sets, ever_sets = [], []
    for tau, previous, ever in zip(taus, *record, strict=True):
        now = {k: masks.dormant(s, tau) for k, s in layer_scores.items()}
        at = masks.threshold(tau)
        metrics |= named_fractions(f"dormant_fraction/{at}", now)
        for layer, mask in now.items():
            metrics[f"overlap/{at}/{layer}"] = overlap(mask, previous[layer])
        for layer, mask in now.items():
            metrics[f"overlap_with_history/{at}/{layer}"] = overlap(mask, ever[layer])
        now_sets.append(now)
        ever_sets.append({k: mask | ever[k] for k, mask in now.items()})
    return metrics, DormancyRecord(tuple(now_sets), tuple(ever_sets))


def _check_record(
    activations: Mapping[str, jax.Array], taus: Sequence[float], record: DormancyRecord
) -> None:
    widths = {layer: x.shape[-1] for layer, x in activations.items()}
    kept = [
        {k: x.shape[0] for k, x in sets.items()} for part in record for sets in part
    ]
    numbers = {len(part) for part in record}
    if numbers != {len(taus)} or any(sets != widths for sets in kept):
        raise ValueError(
            "record must be of the same thresholds and layers, as the last call "
            f"returned it, but is of {sorted(numbers)} thresholds and layers of "
            f"{kept[:1]} neurons, where there are {len(taus)} thresholds and layers of "
            f"{widths} neurons. Begin with no_record(widths, taus)."
        )
