"""Launches studies: one script per kind of machine (`local.py`, `slurm.py`)."""
