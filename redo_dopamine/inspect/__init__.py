"""Look into a checkpoint: which neurons of a run, which layer, how dormant.

The run's directory is only read.
"""
