"""What joins the package to a replay buffer."""

from redo_dopamine import compat as compat  # Before any import of Dopamine.
