"""Gin names that experiments with and without an agent have in common.

`redo_dopamine.config.registry` and the experiments of `redo_dopamine.supervised` add
their own.
"""

from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn

from redo_dopamine.core import interventions, optimizers, parseval, schedules, upgd
from redo_dopamine.networks import actor_critic, layers

# Settings of any network: `NatureNetwork.activation = @leaky_relu`,
# `NatureNetwork.normalize = @LayerNorm`.
NETWORK_SETTINGS: Mapping[str, Callable[..., Any]] = {
    "relu": nn.relu,
    "tanh": nn.tanh,
    "identity": actor_critic.identity,
    "leaky_relu": nn.leaky_relu,
    "crelu": layers.crelu,
    "deep_fourier": layers.deep_fourier,
    "LayerNorm": layers.layer_norm,
}
# `RecycledDQNAgent.intervention = @redo()`.
INTERVENTIONS: tuple[Callable[..., Any], ...] = (
    interventions.none,
    interventions.redo,
    interventions.redo_at_random,
    interventions.layer_reset,
    interventions.fixed_budget,
    interventions.prune,
    interventions.shrink_and_perturb,
    interventions.regrama,
    interventions.adaptive_redo,
    interventions.continual_backprop,
    interventions.self_normalized_resets,
    interventions.optimizer_reset,
    interventions.plasticity_injection,
    interventions.dash,
    interventions.dormant_perturbation,
    interventions.hare_and_tortoise,
    interventions.weight_clipping,
    interventions.spectral_norm,
    interventions.normalize_and_project,
)
# `fixed_budget.select = @at_random`, `fixed_budget.fraction = @cosine()`.
BUDGET_SETTINGS: tuple[Callable[..., Any], ...] = (
    interventions.lowest_score,
    interventions.highest_score,
    interventions.at_random,
    interventions.lowest_utility,
    schedules.constant,
    schedules.cosine,
)
# `redo.incoming = @live_norm`.
REDO_SETTINGS: tuple[Callable[..., Any], ...] = (
    interventions.as_drawn,
    interventions.live_norm,
)
# `RecycledDQNAgent.before_optimizer = [@l2_to_init()]`, or `after_optimizer`.
OPTIMIZER_LINKS: tuple[Callable[..., Any], ...] = (
    optimizers.coupled_weight_decay,
    optimizers.decoupled_weight_decay,
    optimizers.l2_to_init,
    optimizers.linear_decay,
    optimizers.own_bias_correction,
    optimizers.all_but_vectors,
    parseval.parseval,
    upgd.upgd,
    upgd.adaptive_upgd,
)
# All of them.
SHARED: Mapping[str, Callable[..., Any]] = {
    **NETWORK_SETTINGS,
    **{
        function.__name__: function
        for function in (
            *INTERVENTIONS,
            *BUDGET_SETTINGS,
            *REDO_SETTINGS,
            *OPTIMIZER_LINKS,
        )
    },
}
