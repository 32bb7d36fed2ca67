"""What a run may measure beside dormancy: one function each, with its settings.

Every function returns a `Metric`. In gin: `RecycledDQNAgent.metrics = [@srank(),
@magi()]`, `srank.delta = 0.01`. A metric that is not asked for costs nothing.

"Per layer" is every layer of the network's graph, tracked ones included; output
heads are none. Weights are the layer's incoming kernel, without its bias. Features
and outputs are what the network records for the layer, one number per neuron.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

from redo_dopamine.core import masks, scores
from redo_dopamine.core.checks import is_number
from redo_dopamine.core.graph import Layer, NetworkGraph, Params, widths
from redo_dopamine.core.metrics import gradients, ranks
from redo_dopamine.core.metrics.activity import active_fraction, linearized_fraction
from redo_dopamine.core.metrics.base import Measured, Metric, View
from redo_dopamine.core.metrics.curvature import sharpness
from redo_dopamine.core.metrics.dormancy import (
    DormantSets,
    named_fractions,
    no_dormant_sets,
    overlap,
    share,
)
from redo_dopamine.core.metrics.q_values import largest_q, policy_churn, value_churn
from redo_dopamine.core.metrics.tangents import gradient_cosine, ntk_rank


def stable_rank() -> Metric:
    r"""`stable_rank/<layer>`: sum of squared singular values over the largest.

    .. math:: \|A\|_F^2 / \|A\|_2^2

    Rudelson and Vershynin, Journal of the ACM, 2007. See `ranks.stable_rank`, and
    `ranks.features` for what A is.
    """
    return _rank("stable_rank", ranks.stable_rank)


def effective_rank() -> Metric:
    """`effective_rank/<layer>`: exp of the entropy of the singular values.

    Roy and Vetterli, EUSIPCO 2007. See `ranks.effective_rank`.
    """
    return _rank("effective_rank", ranks.effective_rank)


def srank(delta: float = 0.01) -> Metric:
    """`srank/<layer>`: singular values that make up 1 - delta of their sum.

    Kumar et al., ICLR 2021. See `ranks.srank`.

    Args:
        delta: share of the sum that may be left out, in (0, 1).

    Raises:
        ValueError: delta out of its range.
    """
    if not (is_number(delta) and 0 < delta < 1):
        raise ValueError(
            f"delta must be in (0, 1), but is {delta}. It is the share of the "
            "singular values' sum that may be left out; the paper uses 0.01."
        )
    return _rank("srank", lambda sigma: ranks.srank(sigma, delta))


def weight_norm() -> Metric:
    """`weight_norm/<layer>`: Frobenius norm of the layer's kernel.

    Growing norms accompany lost plasticity in Lyle et al., "Understanding
    Plasticity in Neural Networks", ICML 2023.
    """
    return _per_layer(
        "weight_norm", lambda view, layer: _norm(_kernels(view)[layer.name])
    )


def weight_statistics(near_zero: float = 1e-3) -> Metric:
    r"""Mean, largest magnitude and share near zero of the layer's weights.

    The columns, for the layer's kernel W:

    - `weight_mean/<layer>`: mean of W;
    - `weight_largest/<layer>`: :math:`\max_{ij} |W_{ij}|`;
    - `weight_near_zero_fraction/<layer>`: share of entries with
      :math:`|W_{ij}| \le` near_zero.

    Its norm is `weight_norm`. For He, 2026 (arXiv 2603.21173), where weights, not
    outputs, are asked about a neuron that does not learn.

    Args:
        near_zero: >= 0, in units of the weights.

    Raises:
        ValueError: near_zero is negative or not a finite number.
    """
    if not (is_number(near_zero) and near_zero >= 0):
        raise ValueError(
            f"near_zero must be a finite number >= 0, but is {near_zero}. A weight is "
            "near zero where its magnitude is <= near_zero."
        )

    def measure(view: View, state: tuple[()]) -> tuple[Measured, tuple[()]]:
        found: Measured = {}
        for layer, kernel in _kernels(view).items():
            magnitudes = jnp.abs(kernel)
            small = magnitudes <= near_zero
            found |= {
                f"weight_mean/{layer}": jnp.mean(kernel, dtype=jnp.float32),
                f"weight_largest/{layer}": jnp.max(magnitudes),
                f"weight_near_zero_fraction/{layer}": jnp.mean(
                    small, dtype=jnp.float32
                ),
            }
        return found, state

    return Metric("weight_statistics", _no_state, measure)


def distance_from_initial() -> Metric:
    r"""`distance_from_initial/<layer>`: how far the layer's kernel has moved.

    .. math:: \|W - W_0\|_F

    W_0 is what the run started with, also after neurons were recycled or layers
    reset; it is kept, in checkpoints too, as a copy of every layer's kernel.

    Nagarajan and Kolter, "Generalization in Deep Networks: The Role of Distance from
    Initialization", 2019 (arXiv 1901.01672).
    """

    def init(graph: NetworkGraph, params: Params) -> dict[str, jax.Array]:
        kernels = gradients.layer_weights(graph, params)
        return {layer: jnp.copy(kernel) for layer, kernel in kernels.items()}

    def measure(
        view: View, initial: dict[str, jax.Array]
    ) -> tuple[Measured, dict[str, jax.Array]]:
        found = {
            f"distance_from_initial/{layer}": _norm(kernel - initial[layer])
            for layer, kernel in _kernels(view).items()
        }
        return found, initial

    return Metric("distance_from_initial", init, measure)


def feature_norm() -> Metric:
    r"""`feature_norm/<layer>`: mean L2 norm of the layer's activation per state.

    .. math:: E_x \| h^l(x) \|_2

    over all positions and channels of a convolution. Lyle et al., "Understanding
    and Preventing Capacity Loss in Reinforcement Learning", ICLR 2022, section 4.
    """

    def of_layer(view: View, layer: Layer) -> jax.Array:
        return jnp.mean(jax.vmap(_norm)(view.activations[layer.name]))

    return _per_layer("feature_norm", of_layer)


def gradient_norm() -> Metric:
    r"""`gradient_norm/<layer>`: norm of the loss's gradient in the layer's kernel.

    .. math:: \|\partial L / \partial W\|_F

    Of the agent's loss on the tracking batch, in the layer's kernel, before the
    optimizer and without weight decay. Abbas et al., "Loss of Plasticity in
    Continual Deep Reinforcement Learning", CoLLAs 2023.
    """

    def measure(view: View, state: tuple[()]) -> tuple[Measured, tuple[()]]:
        found = gradients.kernel_gradients(view.graph, view.loss, view.params)
        return {f"gradient_norm/{k}": _norm(x) for k, x in found.items()}, state

    return Metric("gradient_norm", _no_state, measure)


def loss_gradient() -> Metric:
    """`loss_gradient/<layer>`: `gradients.loss_gradient`, mean over the neurons.

    How much training moves the neurons now. It is not MAGI (`magi`), which says how
    much they can be moved.
    """

    def measure(view: View, state: tuple[()]) -> tuple[Measured, tuple[()]]:
        found = gradients.loss_gradient(view.graph, view.loss, view.params)
        return {f"loss_gradient/{k}": jnp.mean(x) for k, x in found.items()}, state

    return Metric("loss_gradient", _no_state, measure)


def previous_share(taus: Sequence[float] = (0.0, 0.025, 0.1)) -> Metric:
    """`previous_share/<tau>/<layer>`: dormant neurons that still are.

    `dormancy.share` of the dormant set now in the one at the previous measurement;
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


FACTORIES: tuple[Callable[..., Metric], ...] = (
    previous_share,
    stable_rank,
    effective_rank,
    srank,
    feature_norm,
    weight_norm,
    weight_statistics,
    distance_from_initial,
    gradient_norm,
    loss_gradient,
    magi,
    policy_churn,
    largest_q,
    sharpness,
    active_fraction,
    linearized_fraction,
    value_churn,
    ntk_rank,
    gradient_cosine,
)


def _no_state(graph: NetworkGraph, params: Params) -> tuple[()]:
    del graph, params
    return ()


def _per_layer(name: str, of_layer: Callable[[View, Layer], jax.Array]) -> Metric:
    """A metric without a state, one scalar per layer."""

    def measure(view: View, state: tuple[()]) -> tuple[Measured, tuple[()]]:
        layers = view.graph.layers
        return {f"{name}/{x.name}": of_layer(view, x) for x in layers}, state

    return Metric(name, _no_state, measure)


def _rank(name: str, of_sigma: Callable[[jax.Array], jax.Array]) -> Metric:
    def of_layer(view: View, layer: Layer) -> jax.Array:
        matrix = ranks.features(view.activations[layer.name])
        return of_sigma(ranks.singular_values(matrix))

    return _per_layer(name, of_layer)


def _kernels(view: View) -> dict[str, jax.Array]:
    return gradients.layer_weights(view.graph, view.params)


def _norm(x: jax.Array) -> jax.Array:
    """L2 norm over all entries."""
    dtype = jnp.promote_types(x.dtype, jnp.float32)
    return jnp.linalg.norm(x.astype(dtype).ravel())


def _dormant(view: View, tau: float) -> dict[str, jax.Array]:
    return {
        layer.name: masks.dormant(
            scores.dormancy_score(view.activations[layer.name]), tau
        )
        for layer in view.graph.layers
    }
