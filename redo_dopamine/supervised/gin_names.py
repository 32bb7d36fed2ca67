"""Gin names for the experiments, and gin files and bindings into a configuration.

Those that agents share are in `redo_dopamine.config.names`. `configurables` imports
Dopamine's agents, this module does not, and both may be imported. Touches gin's global
state.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import gin

from redo_dopamine.config import checking, names
from redo_dopamine.config import gin_files as gin_files_lib
from redo_dopamine.config.gin_files import brief
from redo_dopamine.errors import UserError
from redo_dopamine.networks.classifier import ConvClassifier
from redo_dopamine.networks.impala import ImpalaNetwork
from redo_dopamine.networks.nature import NatureNetwork
from redo_dopamine.networks.ppo import ValueNetwork
from redo_dopamine.supervised import optimizers, perturbations
from redo_dopamine.supervised.images import cifar10, fashion_mnist
from redo_dopamine.supervised.label_shuffling import LabelShuffle
from redo_dopamine.supervised.probing import RegressionProbe
from redo_dopamine.supervised.q_distillation import (
    Distillation,
    fresh_student,
    pretrained_student,
)

T = TypeVar("T")

NAMES: dict[str, Callable[..., Any]] = {
    "LabelShuffle": LabelShuffle,
    "fashion_mnist": fashion_mnist,
    "cifar10": cifar10,
    "ConvClassifier": ConvClassifier,
    "Distillation": Distillation,
    "fresh_student": fresh_student,
    "pretrained_student": pretrained_student,
    "NatureNetwork": NatureNetwork,
    "ImpalaNetwork": ImpalaNetwork,
    "RegressionProbe": RegressionProbe,
    "ValueNetwork": ValueNetwork,
    "fresh_network": perturbations.fresh_network,
    "aged_network": perturbations.aged_network,
    "undisturbed": perturbations.undisturbed,
    "redrawn": perturbations.redrawn,
    "disturb_zero_gradient": perturbations.disturb_zero_gradient,
    "disturb_at_random": perturbations.disturb_at_random,
    "adam": optimizers.adam,
    "adam_on_trapped_layer": optimizers.adam_on_trapped_layer,
    "evolution_on_trapped_layer": optimizers.evolution_on_trapped_layer,
    **names.NETWORK_SETTINGS,
    **{
        function.__name__: function
        for function in (
            *names.INTERVENTIONS,
            *names.BUDGET_SETTINGS,
            *names.REDO_SETTINGS,
            *names.OPTIMIZER_LINKS,
        )
    },
}
# What gin would otherwise not know of, so that `ConvClassifier.width` is no dead word.
_DEFAULTS = """
LabelShuffle.dataset = @fashion_mnist
LabelShuffle.network = @ConvClassifier
LabelShuffle.intervention = @none()
Distillation.network = @NatureNetwork
Distillation.start = @fresh_student
Distillation.intervention = @none()
RegressionProbe.environment_id = 'HalfCheetah-v4'
RegressionProbe.network = @ValueNetwork
RegressionProbe.start = @fresh_network
RegressionProbe.perturb = @undisturbed
RegressionProbe.intervention = @none()
RegressionProbe.search = @adam
"""


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
    try:
        gin_files_lib.parse(_DEFAULTS, gin_files, gin_bindings)
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"{gin_files_lib.explain(error, gin_bindings)}\n"
            f"Known names are {', '.join(NAMES)}."
        ) from error
    checking.check()


def experiment(kind: Callable[..., T]) -> T:
    """The experiment of a kind that gin's current configuration describes.

    Args:
        kind: such as `LabelShuffle`.

    Raises:
        UserError: a setting out of its range, or data that cannot be read.
    """
    try:
        return gin.get_configurable(kind)()
    except (UserError, ValueError, TypeError) as error:
        raise UserError(brief(error)) from error
