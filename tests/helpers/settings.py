"""Hypothesis settings that fit a small machine and give the same run every time."""

from hypothesis import settings

# Where an example costs a few array operations.
CHEAP = settings(deadline=None, derandomize=True, max_examples=40)
# Where an example runs a network or a recycle.
COSTLY = settings(deadline=None, derandomize=True, max_examples=15)
