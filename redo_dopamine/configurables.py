"""Gin names for what knows nothing of gin.

A gin file imports this module to get `@redo()`, `redo.tau`, `@NatureNetwork`,
`RecycledDQNAgent.replay_ratio` and Dopamine's own names. The tuples are the whole
offer: `redo_dopamine.catalogue` makes the README's table of them.
"""

from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import gin

from redo_dopamine import atari_100k
from redo_dopamine.agents.dqn import RecycledDQNAgent
from redo_dopamine.core import (
    interventions,
    optimizers,
    optional_metrics,
    schedules,
)
from redo_dopamine.networks import impala, layers, nature, rainbow
from redo_dopamine.replay import windows

# Agents, with the networks that they take.
AGENTS: Mapping[Any, tuple[str, ...]] = {
    RecycledDQNAgent: ("NatureNetwork", "ImpalaNetwork"),
    atari_100k.RecycledDrQEpsAgent: ("NatureRainbowNetwork",),
}
# `JaxDQNAgent.network = @ImpalaNetwork`. Dopamine's C51 network has the name
# RainbowNetwork, so ours has another one.
NETWORKS: Mapping[str, Callable[..., Any]] = {
    "NatureNetwork": nature.NatureNetwork,
    "ImpalaNetwork": impala.ImpalaNetwork,
    "NatureRainbowNetwork": rainbow.RainbowNetwork,
}
# Settings of any network: `NatureNetwork.activation = @leaky_relu`,
# `NatureNetwork.normalize = @LayerNorm`.
NETWORK_SETTINGS: Mapping[str, Callable[..., Any]] = {
    "leaky_relu": nn.leaky_relu,
    "crelu": layers.crelu,
    "LayerNorm": layers.layer_norm,
}
# `RecycledDQNAgent.intervention = @redo()`.
INTERVENTIONS: tuple[Callable[..., Any], ...] = (
    interventions.none,
    interventions.redo,
    interventions.layer_reset,
    interventions.fixed_budget,
    interventions.prune,
    interventions.shrink_and_perturb,
    interventions.regrama,
    interventions.adaptive_redo,
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
# `RecycledDQNAgent.before_optimizer = [@l2_to_init()]`, or `after_optimizer`.
OPTIMIZER_LINKS: tuple[Callable[..., Any], ...] = (
    optimizers.decoupled_weight_decay,
    optimizers.l2_to_init,
)
# `RecycledDQNAgent.metrics = [@srank(), @magi()]`.
METRICS: tuple[Callable[..., Any], ...] = tuple(optional_metrics.FACTORIES)
# `FrameReplay.windows = @complete_windows`.
REPLAY_WINDOWS: tuple[Callable[..., Any], ...] = (
    windows.dopamine_windows,
    windows.complete_windows,
)


def _register() -> None:
    functions = (
        *INTERVENTIONS,
        *BUDGET_SETTINGS,
        *OPTIMIZER_LINKS,
        *METRICS,
        *REPLAY_WINDOWS,
    )
    named = {function.__name__: function for function in functions}
    for name, function in {**NETWORKS, **NETWORK_SETTINGS, **named}.items():
        gin.external_configurable(function, name, module="redo_dopamine")


_register()
