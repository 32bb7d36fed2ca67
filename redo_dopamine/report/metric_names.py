"""What the name of a metric says of its values."""

import numpy as np

# The part of a name before its first slash.
_FRACTIONS = {
    "dormant_fraction",
    "dormant_fraction_after",
    "dormant_of_zero_gradient",
    "overlap",
    "overlap_with_history",
    "weight_near_zero_fraction",
    "zero_gradient_dormant_overlap",
    "zero_gradient_fraction",
    "zero_gradient_of_dormant",
    "zero_gradient_overlap",
}
_WHOLE_NAMES = {"train/accuracy", "train_accuracy"}
_COUNTS = {"recycled", "reset_layers"}
_LARGEST_COUNT = 2**53  # Beyond it a float64 skips whole numbers.
_ROUNDING = 1e-5  # A mean of float32 may end just above 1.


def is_fraction(name: str) -> bool:
    """Whether a metric is in [0, 1]."""
    return name in _WHOLE_NAMES or name.partition("/")[0] in _FRACTIONS


def is_possible(name: str, values: np.ndarray) -> np.ndarray:
    """Tells which values a metric can have: NaN is none for a count.

    A fraction of nothing is NaN, and a loss or a return that diverged is infinite.
    """
    if name.partition("/")[0] in _COUNTS:
        return (values >= 0) & (values <= _LARGEST_COUNT) & (values == np.floor(values))
    if is_fraction(name):
        inside = (values >= -_ROUNDING) & (values <= 1 + _ROUNDING)
        return inside | np.isnan(values)
    return np.ones(len(values), bool)
