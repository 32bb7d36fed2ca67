"""The released implementation and Dopamine's network, to compare with."""

from redo_dopamine import compat  # noqa: F401  isort: skip
from dopamine.jax import continuous_networks
from dopamine.jax.networks import NatureDQNNetwork
from dopamine.labs.redo import weight_recyclers

__all__ = ["NatureDQNNetwork", "continuous_networks", "weight_recyclers"]
