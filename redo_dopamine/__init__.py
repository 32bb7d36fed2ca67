"""Dormant-neuron tracking and recycling (ReDo) for Dopamine agents.

Importing this package pulls in nothing: `redo_dopamine.core` and
`redo_dopamine.networks` need only jax, flax, optax and chex, while
`redo_dopamine.train` and `redo_dopamine.agents` bring Dopamine and TensorFlow.
"""

__version__ = "0.1.0"
