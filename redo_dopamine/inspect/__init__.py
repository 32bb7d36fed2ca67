"""Looks into a checkpoint: which neurons of a run, which layer, how dormant.

What comes in: a checkpoint of any agent, and states to look at. What leaves: metrics
and scores as values, a table, CSV and a picture. The run's directory is read only.
"""
