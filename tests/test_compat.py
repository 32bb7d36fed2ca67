"""Imports are repaired, and do not change how the process runs after them."""

import subprocess
import sys

import pytest

_COUNTING = """
import gc
collections = []
gc.callbacks.append(lambda phase, info: phase == "start" and collections.append(info))
{before}
from redo_dopamine import compat
print(gc.isenabled(), len(collections))
"""


@pytest.mark.parametrize(
    ("before", "enabled"), [("", "True"), ("gc.disable()", "False")]
)
def test_importing_collects_nothing_and_leaves_the_collector_as_it_was(before, enabled):
    code = _COUNTING.format(before=before)
    said = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert said[0] == enabled
    # Not the thousand that importing Dopamine would cause: those of `compat`'s own.
    assert int(said[1]) < 20
