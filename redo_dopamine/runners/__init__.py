"""Runners: how an agent meets its environment, step by step."""

from redo_dopamine import compat as compat  # Before any import of Dopamine.
