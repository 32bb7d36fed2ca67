"""Gin names for what knows nothing of gin.

A gin file imports this module to get `@redo()`, `redo.tau`, `@NatureNetwork`,
`RecycledDQNAgent.replay_ratio` and Dopamine's own names. The tuples are the whole
offer: `redo_dopamine.tools.catalogue` makes the table in docs/catalogue.md.
"""

from collections.abc import Callable, Mapping
from typing import Any

import gin

from redo_dopamine.agents import (
    augmentation,
    averaged_target,
    dqn_loss,
    initial_features,
    loss_terms,
    offline_dqn,
    ppo_loss,
    sac_loss,
)
from redo_dopamine.agents.dqn import RecycledDQNAgent
from redo_dopamine.agents.full_rainbow import RecycledFullRainbowAgent
from redo_dopamine.agents.implicit_quantile import RecycledImplicitQuantileAgent
from redo_dopamine.agents.ppo import RecycledPPOAgent
from redo_dopamine.agents.quantile import RecycledQuantileAgent
from redo_dopamine.agents.rainbow import RecycledRainbowAgent
from redo_dopamine.agents.sac import RecycledSACAgent
from redo_dopamine.config.names import BUDGET_SETTINGS as BUDGET_SETTINGS
from redo_dopamine.config.names import INTERVENTIONS as INTERVENTIONS
from redo_dopamine.config.names import NETWORK_SETTINGS as NETWORK_SETTINGS
from redo_dopamine.config.names import OPTIMIZER_LINKS as OPTIMIZER_LINKS
from redo_dopamine.config.names import REDO_SETTINGS as REDO_SETTINGS
from redo_dopamine.config.names import SHARED
from redo_dopamine.core import schedules
from redo_dopamine.core.metrics import catalogue
from redo_dopamine.environments import control
from redo_dopamine.environments import minatar as minatar_environment  # noqa: F401
from redo_dopamine.networks import (
    actor_critic,
    bodies,
    distributional,
    impala,
    injectable,
    nature,
    rainbow,
)
from redo_dopamine.offline import replay
from redo_dopamine.replay import windows
from redo_dopamine.runners import atari_100k, variants
from redo_dopamine.runners import runner as minatar_runner  # noqa: F401

# Agents, with the networks that they take.
AGENTS: Mapping[Any, tuple[str, ...]] = {
    RecycledDQNAgent: (
        *("NatureNetwork", "ImpalaNetwork", "MinatarNetwork"),
        *("InjectableNatureNetwork", "InjectableMinatarNetwork"),
    ),
    RecycledRainbowAgent: ("NatureC51Network",),
    RecycledFullRainbowAgent: ("NatureRainbowNetwork",),
    RecycledQuantileAgent: ("NatureQuantileNetwork",),
    RecycledImplicitQuantileAgent: ("NatureImplicitQuantileNetwork",),
    atari_100k.RecycledDrQEpsAgent: ("NatureRainbowNetwork",),
    variants.OfflineDQNAgent: ("NatureNetwork", "ImpalaNetwork"),
    RecycledPPOAgent: ("PPONetwork",),
    RecycledSACAgent: ("SACNetwork",),
}
# `JaxDQNAgent.network = @ImpalaNetwork`. Dopamine's C51 network has the name
# RainbowNetwork, so ours has another one.
NETWORKS: Mapping[str, Callable[..., Any]] = {
    "NatureNetwork": nature.NatureNetwork,
    "ImpalaNetwork": impala.ImpalaNetwork,
    "MinatarNetwork": nature.MinatarNetwork,
    "InjectableNatureNetwork": injectable.InjectableNatureNetwork,
    "InjectableMinatarNetwork": injectable.InjectableMinatarNetwork,
    "NatureRainbowNetwork": rainbow.RainbowNetwork,
    "NatureC51Network": distributional.NatureC51Network,
    "NatureQuantileNetwork": distributional.NatureQuantileNetwork,
    "NatureImplicitQuantileNetwork": distributional.NatureImplicitQuantileNetwork,
    "PPONetwork": actor_critic.PPONetwork,
    "SACNetwork": actor_critic.SACNetwork,
}
# `NatureRainbowNetwork.body = @impala_body()`.
BODIES: tuple[Callable[..., Any], ...] = (
    bodies.nature_body,
    bodies.impala_body,
    bodies.unit_range,
)
# `RecycledDQNAgent.metrics = [@srank(), @magi()]`.
METRICS: tuple[Callable[..., Any], ...] = tuple(catalogue.FACTORIES)
# `RecycledDQNAgent.bootstrap = @target_value_of_online_choice`.
DQN_SETTINGS: tuple[Callable[..., Any], ...] = (
    dqn_loss.largest_target_value,
    dqn_loss.target_value_of_online_choice,
)
# `RecycledDQNAgent.loss_term = @churn_reduction()`.
LOSS_TERMS: tuple[Callable[..., Any], ...] = (
    loss_terms.churn_reduction,
    initial_features.initial_feature_regularization,
)
# `RecycledFullRainbowAgent.horizon_fn = @annealed_horizon()`.
FULL_RAINBOW_SETTINGS: tuple[Callable[..., Any], ...] = (
    schedules.annealed_horizon,
    schedules.annealed_gamma,
    averaged_target.online_network,
    averaged_target.target_network,
    augmentation.shift_and_intensity,
)
# `FrameReplay.windows = @complete_windows`.
REPLAY_WINDOWS: tuple[Callable[..., Any], ...] = (
    windows.dopamine_windows,
    windows.complete_windows,
)
# `OfflineDQNAgent.targets = @random_targets`, `OfflineDQNAgent.data = @replay_logs`.
OFFLINE_SETTINGS: tuple[Callable[..., Any], ...] = (
    offline_dqn.td_targets,
    offline_dqn.random_targets,
    replay.replay_logs,
)
# `RecycledPPOAgent.order = @shuffled_minibatches`.
PPO_SETTINGS: tuple[Callable[..., Any], ...] = (
    ppo_loss.contiguous_minibatches,
    ppo_loss.shuffled_minibatches,
)
# `RecycledSACAgent.next_value = @value_of_drawn_action`.
SAC_SETTINGS: tuple[Callable[..., Any], ...] = (
    sac_loss.value_of_mean_action,
    sac_loss.value_of_drawn_action,
)
# `create_control_environment.preprocessing = @ppo_preprocessing`.
CONTROL_SETTINGS: tuple[Callable[..., Any], ...] = (control.ppo_preprocessing,)


def _register() -> None:
    functions = (
        *METRICS,
        *BODIES,
        *DQN_SETTINGS,
        *LOSS_TERMS,
        *FULL_RAINBOW_SETTINGS,
        *REPLAY_WINDOWS,
        *OFFLINE_SETTINGS,
        *PPO_SETTINGS,
        *SAC_SETTINGS,
        *CONTROL_SETTINGS,
    )
    named = {function.__name__: function for function in functions}
    for name, function in {**NETWORKS, **SHARED, **named}.items():
        gin.external_configurable(function, name, module="redo_dopamine")


_register()
