"""Measurements against peers, side by side: `python -m benchmarks`."""
