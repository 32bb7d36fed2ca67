"""Commands that stand on everything else: demo, catalogue, recorded data."""
