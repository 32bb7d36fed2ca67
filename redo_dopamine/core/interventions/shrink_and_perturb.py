"""Shrink all weights and add some of a fresh draw."""

import jax
import jax.numpy as jnp
import optax

from redo_dopamine.core.graph import NetworkGraph, Params
from redo_dopamine.core.interventions.base import (
    DrawParams,
    Intervention,
    InterventionFactory,
    observe_nothing,
)
from redo_dopamine.core.moments import refuse_copies
from redo_dopamine.core.numbers import is_number
from redo_dopamine.core.schedules import Periodic


def shrink_and_perturb(
    shrink: float = 0.8,
    perturb: float = 0.2,
    period: int = 40_000,
    start: int = 0,
    stop: int | None = None,
) -> InterventionFactory:
    r"""Every `period` gradient steps, move all parameters towards a fresh draw.

    .. math:: \theta \leftarrow \lambda \theta + \beta \theta',
              \qquad \theta' \sim \text{the network's initializers}

    Ash and Adams, "On Warm-Starting Neural Network Training", NeurIPS 2020, Section
    4, who add Gaussian noise. To add a share of newly drawn weights, and the
    defaults (0.8 and 0.2, every 40,000 gradient steps), follow SR-SPR (D'Oro et al.,
    ICLR 2023), where the encoder is treated so and the last layers are reset; here it
    is the whole network. BBF (Schwarzer et al., ICML 2023) takes 0.5 and 0.5. As in
    the code of these two, the optimizer state is kept: most of each weight is too.

    Args:
        shrink: lambda, the share in [0, 1] of the weights that stays.
        perturb: beta, the share in [0, 1] of the new weights that is added.
        period: gradient steps between two perturbations.
        start: first gradient step at which weights may be perturbed.
        stop: gradient step from which on none are; None for never.

    Returns:
        A function `(graph, draw_params, optimizer) -> Intervention`. Its metric is
        `perturbation_norm`: the Euclidean norm of what changed.

    Raises:
        ValueError: a setting out of its range.
    """
    for name, value in (("shrink", shrink), ("perturb", perturb)):
        if not (is_number(value) and 0 <= value <= 1):
            raise ValueError(
                f"{name} must be in [0, 1], but is {value}. SR-SPR has shrink = 0.8 "
                "and perturb = 0.2; to leave the weights alone use none()."
            )
    schedule = Periodic(period, start, stop)

    def build(
        graph: NetworkGraph,
        draw_params: DrawParams,
        optimizer: optax.GradientTransformation,
    ) -> Intervention:
        del graph

        def init(params: Params) -> tuple[()]:
            refuse_copies(optimizer, params)
            return ()

        def apply(key, params, opt_state, state, activations, step):
            del activations
            due = schedule(step)

            def mix(current: jax.Array, fresh: jax.Array) -> jax.Array:
                mixed = shrink * current + perturb * fresh
                return jnp.where(due, mixed.astype(current.dtype), current)

            mixed = jax.tree.map(mix, params, draw_params(key))
            change = jax.tree.map(jnp.subtract, mixed, params)
            metrics = {"perturbation_norm": optax.tree.norm(change)}
            return mixed, opt_state, state, metrics

        return Intervention(init, apply, schedule, observe_nothing)

    return build
