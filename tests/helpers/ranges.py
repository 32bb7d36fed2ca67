"""Settings out of their range, and what the error of each must name."""

import pytest

# Of every supervised experiment.
SHARED = (
    ({"num_epochs": 0}, ["num_epochs", "[1, inf]", "0"]),
    ({"learning_rate": 0.0}, ["learning_rate", "> 0", "0.0"]),
    ({"learning_rate": "0.1"}, ["learning_rate", "> 0", "'0.1'"]),
    ({"learning_rate": float("inf")}, ["learning_rate", "> 0", "inf"]),
    ({"num_epochs": "two"}, ["num_epochs", "[1, inf]", "'two'"]),
    ({"seed": -1}, ["seed", "[0, inf]", "-1"]),
    ({"taus": (-0.1,)}, ["tau", ">= 0", "-0.1"]),
)


def assert_refused(make, settings, parts):
    """That what is made with these settings is a ValueError with all the parts."""
    with pytest.raises(ValueError, match=parts[0]) as error:
        make(**settings)
    assert all(part in str(error.value) for part in parts), str(error.value)
