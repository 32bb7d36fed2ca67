"""Gin names for the experiments, and gin files and bindings into a configuration.

The interventions have the names that `redo_dopamine.configurables` gives them; that
module imports Dopamine's agents, this one does not, and both may be imported. Touches
gin's global state.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import flax.linen as nn
import gin

from redo_dopamine.core import interventions, schedules
from redo_dopamine.errors import UserError
from redo_dopamine.networks import layers
from redo_dopamine.networks.classifier import ConvClassifier
from redo_dopamine.supervised.cifar import cifar10
from redo_dopamine.supervised.idx import fashion_mnist
from redo_dopamine.supervised.shuffling import LabelShuffle

NAMES: dict[str, Callable[..., Any]] = {
    "LabelShuffle": LabelShuffle,
    "fashion_mnist": fashion_mnist,
    "cifar10": cifar10,
    "ConvClassifier": ConvClassifier,
    "leaky_relu": nn.leaky_relu,
    "crelu": layers.crelu,
    "LayerNorm": layers.layer_norm,
    "none": interventions.none,
    "redo": interventions.redo,
    "layer_reset": interventions.layer_reset,
    "fixed_budget": interventions.fixed_budget,
    "prune": interventions.prune,
    "shrink_and_perturb": interventions.shrink_and_perturb,
    "regrama": interventions.regrama,
    "adaptive_redo": interventions.adaptive_redo,
    "lowest_score": interventions.lowest_score,
    "highest_score": interventions.highest_score,
    "at_random": interventions.at_random,
    "lowest_utility": interventions.lowest_utility,
    "constant": schedules.constant,
    "cosine": schedules.cosine,
}
# What gin would otherwise not know of, so that `ConvClassifier.width` is no dead word.
_DEFAULTS = """
LabelShuffle.dataset = @fashion_mnist
LabelShuffle.network = @ConvClassifier
LabelShuffle.intervention = @none()
"""
_PACKAGE = Path(__file__).parent.parent
# Beside the modules where the package is installed, one up in a checkout.
_CONFIG_DIRS = (_PACKAGE / "gin_configs", _PACKAGE.parent / "gin_configs")
# What gin raises for what a user wrote; KeyError where a name is ambiguous.
_GIN_ERRORS = (ValueError, TypeError, SyntaxError, ImportError, OSError, KeyError)


def register() -> None:
    """Make the names known to gin; again is no harm."""
    for name, thing in NAMES.items():
        gin.external_configurable(thing, name, module="redo_dopamine")


def load(gin_files: Sequence[str], gin_bindings: Sequence[str]) -> None:
    """Parse gin files and bindings, strictly.

    Args:
        gin_files: paths, or names of files that ship with the package.
        gin_bindings: single bindings, which win over the files.

    Raises:
        UserError: a file that is not there or not gin, or a name nobody knows.
    """
    register()
    for name in gin_files:
        if not any((folder / name).is_file() for folder in (Path(), *_CONFIG_DIRS)):
            raise UserError(
                "--gin_files takes a path or the name of a file that ships with the "
                f"package, but {name!r} is neither. Check the spelling."
            )
    for folder in _CONFIG_DIRS:
        gin.add_config_file_search_path(str(folder))
    try:
        gin.parse_config(_DEFAULTS)
        gin.parse_config_files_and_bindings(gin_files, bindings=gin_bindings)
    except _GIN_ERRORS as error:
        raise UserError(
            f"The gin configuration could not be read: {brief(error)}\n"
            f"Known names are {', '.join(NAMES)}."
        ) from error


def experiment() -> LabelShuffle:
    """The experiment that gin's current configuration describes.

    Raises:
        UserError: a setting out of its range, or images that cannot be read.
    """
    try:
        return gin.get_configurable(LabelShuffle)()
    except (UserError, ValueError, TypeError) as error:
        raise UserError(brief(error)) from error


def brief(error: BaseException) -> str:
    """An error's message without gin's notes on where it called from."""
    lines = str(error).splitlines()
    kept = [x for x in lines if x.strip() and "In call to configurable" not in x]
    return "\n".join(kept) or type(error).__name__
