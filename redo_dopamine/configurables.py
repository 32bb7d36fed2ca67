"""Gin names for what knows nothing of gin.

A gin file imports this module to get `@redo()`, `redo.tau`, `@NatureNetwork`,
`RecycledDQNAgent.replay_ratio` and Dopamine's own names.
"""

import gin

from redo_dopamine import runner  # noqa: F401  Registers the runner and the agents.
from redo_dopamine.core import interventions
from redo_dopamine.networks import nature

none = gin.external_configurable(interventions.none, "none", module="redo_dopamine")
redo = gin.external_configurable(interventions.redo, "redo", module="redo_dopamine")
NatureNetwork = gin.external_configurable(
    nature.NatureNetwork, "NatureNetwork", module="redo_dopamine"
)
