"""What counts as a number, of all that gin or a script may hand over."""

import numpy as np
import pytest

from redo_dopamine.core.checks import is_number, whole


@pytest.mark.parametrize("value", [0, -1.5, 1e3, np.float32(0.1), np.int64(3)])
def test_numbers(value):
    assert is_number(value)


@pytest.mark.parametrize("value", [None, "1", (1,), float("nan"), float("inf")])
def test_what_is_none(value):
    assert not is_number(value)
    with pytest.raises(ValueError, match=r"n must be whole >= 1, but .*\. Mend it"):
        whole(value, 1, "n must be whole", "Mend it.")


def test_whole_numbers_become_ints():
    for value in (3, 3.0, np.float32(3), np.int64(3)):
        found = whole(value, 3, "n must be whole", "Mend it.")
        assert (found, type(found)) == (3, int)
    for value in (2, 3.5):
        with pytest.raises(ValueError, match=f">= 3, but is {value}"):
            whole(value, 3, "n must be whole", "Mend it.")
