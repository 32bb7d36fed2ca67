"""Dopamine agents with dormant-neuron tracking and interventions."""

import importlib
from typing import TYPE_CHECKING, Any

from redo_dopamine import compat as compat  # Before any import of Dopamine.

if TYPE_CHECKING:
    from redo_dopamine.agents.dqn import RecycledDQNAgent as DQN
    from redo_dopamine.agents.drq_eps import RecycledDrQEpsAgent as DrQEps
    from redo_dopamine.agents.full_rainbow import (
        RecycledFullRainbowAgent as FullRainbow,
    )
    from redo_dopamine.agents.implicit_quantile import (
        RecycledImplicitQuantileAgent as ImplicitQuantile,
    )
    from redo_dopamine.agents.ppo import RecycledPPOAgent as PPO
    from redo_dopamine.agents.quantile import RecycledQuantileAgent as Quantile
    from redo_dopamine.agents.rainbow import RecycledRainbowAgent as Rainbow
    from redo_dopamine.agents.sac import RecycledSACAgent as SAC

_HOME_OF = {
    "DQN": ("dqn", "RecycledDQNAgent"),
    "DrQEps": ("drq_eps", "RecycledDrQEpsAgent"),
    "FullRainbow": ("full_rainbow", "RecycledFullRainbowAgent"),
    "ImplicitQuantile": ("implicit_quantile", "RecycledImplicitQuantileAgent"),
    "PPO": ("ppo", "RecycledPPOAgent"),
    "Quantile": ("quantile", "RecycledQuantileAgent"),
    "Rainbow": ("rainbow", "RecycledRainbowAgent"),
    "SAC": ("sac", "RecycledSACAgent"),
}
__all__ = [
    "DQN",
    "PPO",
    "SAC",
    "DrQEps",
    "FullRainbow",
    "ImplicitQuantile",
    "Quantile",
    "Rainbow",
]


def __getattr__(name: str) -> Any:
    """Import an agent when it is first asked for (PEP 562)."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, agent = _HOME_OF[name]
    return getattr(importlib.import_module(f"{__name__}.{module}"), agent)
