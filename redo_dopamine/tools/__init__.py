"""Commands that stand on everything else: recorded data and teacher data."""

from redo_dopamine import compat as compat  # Before any import of Dopamine.
