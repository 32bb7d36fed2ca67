"""Dormant-neuron tracking and recycling (ReDo) for Dopamine agents.

Importing this package pulls in nothing: `redo_dopamine.core` and
`redo_dopamine.networks` need only jax, flax, optax and chex, while
`redo_dopamine.train` and `redo_dopamine.agents` bring Dopamine and TensorFlow.
"""

import sys

__version__ = "0.1.0"

# So it is while `python -m redo_dopamine.<command>` looks for its module, and at no
# other time: a command is prepared before its seconds of imports, a library is not.
if getattr(sys, "argv", None) and sys.argv[0] == "-m":
    from redo_dopamine.cli import process

    process.begin()
