"""Dopamine agents with dormant-neuron tracking and interventions."""

from redo_dopamine import compat as compat  # Before any import of Dopamine.
