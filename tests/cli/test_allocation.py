"""Freed memory is handed out again, and no page of it is mapped again."""

import os
import platform
import subprocess
import sys

import pytest

from redo_dopamine.cli import memory

# Four arrays of 16 MB at a time, as a program of XLA's allocates and frees them.
PROGRAM = """
import resource, sys
import numpy as np
from redo_dopamine.cli import memory

kept = sys.argv[1] == "kept" and memory.keep_freed_memory()

def use():
    return [np.ones(2**21) for _ in range(4)]

for _ in range(3):
    use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    use()
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
GLIBC = platform.libc_ver()[0] == "glibc"


def kept_and_faults(how: str, **environment: str) -> tuple[str, int]:
    bare = {k: v for k, v in os.environ.items() if not k.startswith("MALLOC_")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, how],
        env=bare | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    kept, faults = done.stdout.split()
    return kept, int(faults)


@pytest.mark.skipif(not GLIBC, reason="The allocator is not glibc's.")
def test_freed_memory_is_not_mapped_again():
    _, default = kept_and_faults("default")
    kept, faults = kept_and_faults("kept")
    assert kept == "True"
    assert faults < 100 < default


def test_settings_of_the_environment_hold():
    kept, _ = kept_and_faults("kept", MALLOC_TOP_PAD_="0")
    assert kept == "False"


def test_an_allocator_without_mallopt_is_left_alone(monkeypatch):
    for name in [name for name in os.environ if name.startswith("MALLOC_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: object())
    assert not memory.keep_freed_memory()
