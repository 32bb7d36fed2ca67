"""Dormant-neuron tracking and recycling (ReDo) for Dopamine agents and JAX networks.

The names below come on first use, and bring jax, flax and optax at most.
`redo_dopamine.agents` brings Dopamine and TensorFlow, `redo_dopamine.report` pandas and
matplotlib.
"""

import importlib
import importlib.abc
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redo_dopamine.core.graph import Edge, Layer, NetworkGraph, validate
    from redo_dopamine.core.interventions import (
        adaptive_redo,
        continual_backprop,
        dash,
        dormant_perturbation,
        fixed_budget,
        hare_and_tortoise,
        layer_reset,
        none,
        normalize_and_project,
        optimizer_reset,
        plasticity_injection,
        prune,
        redo,
        redo_at_random,
        regrama,
        self_normalized_resets,
        shrink_and_perturb,
        spectral_norm,
        weight_clipping,
    )
    from redo_dopamine.core.layer import Weights
    from redo_dopamine.core.masks import dormant
    from redo_dopamine.core.metrics.dormancy import measure_dormancy, no_record
    from redo_dopamine.core.neuron_index import NeuronIndex, along
    from redo_dopamine.core.scores import dormancy_score
    from redo_dopamine.networks.capture import collect, record
    from redo_dopamine.networks.layers import kernel, neurons
    from redo_dopamine.notebook import load, train
    from redo_dopamine.plasticity.plasticity import Plasticity
    from redo_dopamine.plasticity.pure import PurePlasticity
    from redo_dopamine.tracing.traced import check_graph, trace_network

__version__ = "0.1.0"

# Where each public name is.
_HOMES = {
    "core.graph": ("Edge", "Layer", "NetworkGraph", "validate"),
    "core.interventions": (
        *("adaptive_redo", "continual_backprop", "dash", "dormant_perturbation"),
        *("fixed_budget", "hare_and_tortoise", "layer_reset", "none"),
        "normalize_and_project",
        *("optimizer_reset", "plasticity_injection", "prune", "redo"),
        *("redo_at_random", "regrama", "self_normalized_resets"),
        *("shrink_and_perturb", "spectral_norm", "weight_clipping"),
    ),
    "core.layer": ("Weights",),
    "core.masks": ("dormant",),
    "core.metrics.dormancy": ("measure_dormancy", "no_record"),
    "core.neuron_index": ("NeuronIndex", "along"),
    "core.scores": ("dormancy_score",),
    "networks.capture": ("collect", "record"),
    "networks.layers": ("kernel", "neurons"),
    "notebook": ("load", "train"),
    "plasticity.plasticity": ("Plasticity",),
    "plasticity.pure": ("PurePlasticity",),
    "tracing.traced": ("check_graph", "trace_network"),
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


# What used to be beside this file. `python -m redo_dopamine.train` still works.
_TOOLS = ("catalogue", "demo", "train")
_MOVED = {f"{__name__}.{name}": f"tools/{name}.py" for name in _TOOLS}


class _OldSpellings(importlib.abc.MetaPathFinder):
    """Find a module under its old name."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
        if fullname not in _MOVED:
            return None
        found = Path(__file__).parent / _MOVED[fullname]
        return importlib.util.spec_from_file_location(fullname, found)


sys.meta_path.insert(0, _OldSpellings())

# So it is while `python -m redo_dopamine.<command>` looks for its module, and at no
# other time: a command is prepared before its seconds of imports, a library is not.
if getattr(sys, "argv", None) and sys.argv[0] == "-m":
    from redo_dopamine.cli import process

    process.begin()
