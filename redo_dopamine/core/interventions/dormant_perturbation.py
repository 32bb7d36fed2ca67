"""Perturb a network the more, the more of its neurons are dormant."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from redo_dopamine.core import masks, scores
from redo_dopamine.core.checks import is_number
from redo_dopamine.core.graph import (
    NetworkGraph,
    Params,
    leaf_path,
    leaves_by_path,
)
from redo_dopamine.core.interventions.base import (
    Activations,
    Applied,
    DrawParams,
    Intervention,
    InterventionFactory,
    State,
    observe_activations,
    require_bound,
)
from redo_dopamine.core.interventions.reset import module_of
from redo_dopamine.core.moments import refuse_copies
from redo_dopamine.core.optimizers import begin_again
from redo_dopamine.core.schedules import Periodic, Step


def dormant_perturbation(
    rate: float = 2.0,
    least: float = 0.2,
    most: float = 0.9,
    tau: float = 0.025,
    period: int = 50_000,
    score_batch_size: int = 256,
    start: int = 0,
    stop: int | None = None,
) -> InterventionFactory:
    r"""Move dense layers towards a fresh draw, further where more neurons are dormant.

    .. math:: \theta \leftarrow \alpha \theta + (1 - \alpha) \theta',
              \qquad \alpha = \min(\max(1 - k \beta, \alpha_{min}), \alpha_{max}),
              \qquad \theta' \sim \text{the network's initializers}

    at every `period` gradient steps, where :math:`\beta` is the share of tau-dormant
    neurons over all layers. Kernels and biases of modules with a matrix are moved,
    convolutions are not. The optimizer's state begins again.

    Xu et al., "DrM: Mastering Visual Reinforcement Learning through Dormant Ratio
    Minimization", ICLR 2024. The defaults are those of the authors' code, whose upper
    bound is 0.6 to 1 by task; its period of 100,000 agent steps is 50,000 updates.
    There beta is of the policy's linear outputs, before their activation and heads
    too, on the training batch; policy, value and target networks are moved by it. Here
    it is of the layers that are tracked, after their activation, on a batch of its
    own, and the target network follows at its next updates. DrM's exploration and
    targets, which follow the dormant share as well, are not here.

    Args:
        rate: k > 0.
        least: alpha_min in [0, 1], what is kept of a network that is all dormant.
        most: alpha_max in [least, 1], what is kept of one without dormant neurons.
        tau: dormancy threshold >= 0.
        period: gradient steps between two perturbations.
        score_batch_size: states that the scores are averaged over.
        start: first gradient step at which weights may be moved.
        stop: gradient step from which on none are; None for never.

    Returns:
        A function `(graph, draw_params, optimizer) -> Intervention`. Its metric is
        `kept_share`: alpha. Where a layer cannot be scored nothing is moved.

    Raises:
        ValueError: a setting out of its range.
    """
    if not (is_number(rate) and rate > 0):
        raise ValueError(f"rate must be above 0, but is {rate}. DrM's is 2.")
    if not (is_number(least) and 0 <= least <= 1):
        raise ValueError(f"least must be in [0, 1], but is {least}. DrM's is 0.2.")
    if not (is_number(most) and least <= most <= 1):
        raise ValueError(
            f"most must be in [least, 1] = [{least}, 1], but is {most}. DrM's is 0.9."
        )
    tau = masks.threshold(tau)
    schedule = Periodic(period, start, stop)
    observe = observe_activations(score_batch_size)

    def build(
        graph: NetworkGraph,
        draw_params: DrawParams,
        optimizer: optax.GradientTransformation,
    ) -> Intervention:
        require_bound(graph, draw_params, optimizer)

        def init(params: Params) -> tuple[()]:
            refuse_copies(optimizer, params)
            return ()

        def apply(
            key: jax.Array,
            params: Params,
            opt_state: optax.OptState,
            state: State,
            activations: Activations,
            step: Step,
        ) -> Applied:
            score = jnp.concatenate(
                [scores.dormancy_score(activations[x.name]) for x in graph.layers]
            )
            share = jnp.mean(masks.dormant(score, tau))
            kept = jnp.clip(1 - rate * share, least, most)
            due = schedule(step) & jnp.all(jnp.isfinite(score))
            dense = _dense_modules(params)

            def moved(path: tuple, current: jax.Array, fresh: jax.Array) -> jax.Array:
                if module_of(leaf_path(path)) not in dense:
                    return current
                mixed = kept * current + (1 - kept) * fresh
                return jnp.where(due, mixed.astype(current.dtype), current)

            new = jax.tree_util.tree_map_with_path(moved, params, draw_params(key))
            opt_state = begin_again(optimizer, opt_state, params, due)
            return new, opt_state, state, {"kept_share": kept}

        return Intervention(init, apply, schedule, observe)

    return build


def _dense_modules(params: Params) -> frozenset:
    leaves = leaves_by_path(params)
    return frozenset(module_of(x) for x, leaf in leaves.items() if np.ndim(leaf) == 2)
