"""Experiments without an environment; no Dopamine and no TensorFlow needed."""
