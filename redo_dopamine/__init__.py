"""Dormant-neuron tracking and recycling (ReDo) for Dopamine agents and JAX networks.

The names below come on first use, and bring jax, flax and optax at most.
`redo_dopamine.agents` brings Dopamine and TensorFlow, `redo_dopamine.report` pandas and
matplotlib.
"""

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redo_dopamine.core.graph import Edge, Layer, NetworkGraph, validate
    from redo_dopamine.core.interventions import (
        adaptive_redo,
        fixed_budget,
        layer_reset,
        none,
        prune,
        redo,
        redo_at_random,
        regrama,
        shrink_and_perturb,
        spectral_norm,
        weight_clipping,
    )
    from redo_dopamine.core.masks import dormant
    from redo_dopamine.core.metrics.dormancy import measure_dormancy, no_record
    from redo_dopamine.core.scores import dormancy_score
    from redo_dopamine.networks.capture import collect, record
    from redo_dopamine.networks.layers import kernel, neurons

__version__ = "0.1.0"

# Where each public name is.
_HOMES = {
    "core.graph": ("Edge", "Layer", "NetworkGraph", "validate"),
    "core.interventions": (
        *("adaptive_redo", "fixed_budget", "layer_reset", "none", "prune", "redo"),
        *("redo_at_random", "regrama", "shrink_and_perturb", "spectral_norm"),
        "weight_clipping",
    ),
    "core.masks": ("dormant",),
    "core.metrics.dormancy": ("measure_dormancy", "no_record"),
    "core.scores": ("dormancy_score",),
    "networks.capture": ("collect", "record"),
    "networks.layers": ("kernel", "neurons"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}
__all__ = ["__version__", *_HOME_OF]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for (PEP 562)."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    """Every public name, imported yet or not."""
    return sorted({*globals(), *_HOME_OF})


# So it is while `python -m redo_dopamine.<command>` looks for its module, and at no
# other time: a command is prepared before its seconds of imports, a library is not.
if getattr(sys, "argv", None) and sys.argv[0] == "-m":
    from redo_dopamine.cli import process

    process.begin()
