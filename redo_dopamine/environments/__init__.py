"""The environments that agents train in."""

from redo_dopamine import compat as compat  # Before any import of Dopamine.
