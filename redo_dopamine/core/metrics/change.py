"""Optional metrics that compare with the measurement before: sets and policies.

Like those of `optional_metrics`, each function returns a `Metric`.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from redo_dopamine.core import masks, scores
from redo_dopamine.core.checks import is_number
from redo_dopamine.core.graph import NetworkGraph, Params, widths
from redo_dopamine.core.metrics import gradients
from redo_dopamine.core.metrics.base import Measured, Metric, View
from redo_dopamine.core.metrics.dormancy import (
    DormantSets,
    named_fractions,
    no_dormant_sets,
    overlap,
    share,
)


def previous_share(taus: Sequence[float] = (0.0, 0.025, 0.1)) -> Metric:
    """`previous_share/<tau>/<layer>`: dormant neurons that still are.

    `metrics.share` of the dormant set now in the one at the previous measurement;
    NaN at the first, and where none was dormant. Sokar et al., ICML 2023, released
    code, which gives percent and 0.

    Args:
        taus: dormancy thresholds, apart from those that the agent tracks.
    """
    for tau in taus:
        masks.threshold(tau)

    def measure(view: View, previous: DormantSets) -> tuple[Measured, DormantSets]:
        now = tuple(_dormant(view, tau) for tau in taus)
        found = {
            f"previous_share/{float(tau)}/{layer}": share(mask, before[layer])
            for tau, sets, before in zip(taus, now, previous, strict=True)
            for layer, mask in sets.items()
        }
        return found, now

    def init(graph: NetworkGraph, params: Params) -> DormantSets:
        return no_dormant_sets(widths(graph, params), taus)

    return Metric("previous_share", init, measure)


def magi(threshold: float = 0.0) -> Metric:
    r"""MAGI, zero-gradient neurons, and how far they are the dormant ones.

    A neuron is zero-gradient where its MAGI (`gradients.magi`) is <= threshold.
    He, 2026 (arXiv 2603.21173), Definitions 2 and 3. The columns:

    - `magi/<layer>`: mean over the layer's neurons;
    - `zero_gradient_fraction` (pooled over all neurons) and
      `zero_gradient_fraction/<layer>`;
    - `zero_gradient_overlap/<layer>`: overlap coefficient of the zero-gradient set
      with the one at the previous measurement; NaN where either is empty;
    - `zero_gradient_dormant_overlap/<layer>`: overlap coefficient of the
      zero-gradient set with the dormant set at tau = 0, both of now;
    - `zero_gradient_of_dormant/<layer>` and `dormant_of_zero_gradient/<layer>`: the
      share of the dormant set that is in the zero-gradient set, and the other way
      round; NaN where the set that is shared out is empty. The overlap coefficient is
      the larger of the two;
    - `zero_gradient_threshold`: the threshold.

    Args:
        threshold: >= 0. At 0, exact for ReLU; a saturated tanh needs more.

    Raises:
        ValueError: the threshold is negative or not a finite number.
    """
    if not (is_number(threshold) and threshold >= 0):
        raise ValueError(
            f"threshold must be a finite number >= 0, but is {threshold}. A neuron is "
            "zero-gradient where its MAGI is <= threshold; 0 is the definition."
        )

    def measure(
        view: View, previous: dict[str, jax.Array]
    ) -> tuple[Measured, dict[str, jax.Array]]:
        per_neuron = gradients.magi(view.graph, view.observe, view.params)
        zero = {layer: x <= threshold for layer, x in per_neuron.items()}
        dormant = _dormant(view, 0.0)
        found = {"zero_gradient_threshold": jnp.float32(threshold)}
        found |= named_fractions("zero_gradient_fraction", zero)
        for layer, mask in zero.items():
            silent = dormant[layer]
            found |= {
                f"magi/{layer}": jnp.mean(per_neuron[layer]),
                f"zero_gradient_overlap/{layer}": overlap(mask, previous[layer]),
                f"zero_gradient_dormant_overlap/{layer}": overlap(mask, silent),
                f"zero_gradient_of_dormant/{layer}": share(mask, silent),
                f"dormant_of_zero_gradient/{layer}": share(silent, mask),
            }
        return found, zero

    def init(graph: NetworkGraph, params: Params) -> dict[str, jax.Array]:
        return {k: jnp.zeros(n, bool) for k, n in widths(graph, params).items()}

    return Metric("magi", init, measure)


def _dormant(view: View, tau: float) -> dict[str, jax.Array]:
    return {
        layer.name: masks.dormant(
            scores.dormancy_score(view.activations[layer.name]), tau
        )
        for layer in view.graph.layers
    }
