"""Commands that stand on everything else: recorded data and teacher data."""
