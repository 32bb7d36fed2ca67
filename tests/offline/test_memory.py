"""A split never takes more memory than its own size."""

import gzip
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from redo_dopamine.offline import arrays

ROWS = 15_000
SIZE = ROWS * 84 * 84
# Blocks on their way from the file to the store, and their packing.
IN_PASSING = 48 * 1024**2
PROBE = """
import sys
from pathlib import Path
from redo_dopamine.offline import reading
from redo_dopamine.replay.windows import WindowSettings

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(x.split()[1] for x in lines if x.startswith("VmHWM")))

Path("/proc/self/clear_refs").write_text("5")  # The peak is now what is in use.
before = peak()
loaded = reading.load(Path(sys.argv[1]), None, WindowSettings(4, 1, 0.99))
print(peak() - before)
"""


@pytest.fixture
def split(tmp_path):
    """Everything but the frames."""
    for name, dtype in (("action", "i4"), ("reward", "f4"), ("terminal", "u1")):
        arrays.write(arrays.array_path(tmp_path, name, 0), np.zeros(ROWS, dtype))
    arrays.write(arrays.note_path(tmp_path, "add_count", 0), np.array(ROWS - 1))
    arrays.write(arrays.note_path(tmp_path, "invalid_range", 0), np.array([0]))
    return tmp_path


def peak_of(directory, frames):
    path = arrays.array_path(directory, "observation", 0)
    with gzip.open(path, "wb", compresslevel=1) as file:
        np.save(file, frames)
    done = subprocess.run(
        [sys.executable, "-c", PROBE, str(directory)],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


@pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="needs Linux to see the peak"
)
def test_frames_that_have_nothing_in_common_take_their_own_size(split):
    frames = np.random.default_rng(0).integers(0, 256, (ROWS, 84, 84), dtype=np.uint8)
    peak = peak_of(split, frames)
    assert SIZE < peak < 1.1 * SIZE + IN_PASSING


@pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="needs Linux to see the peak"
)
def test_what_does_not_change_takes_next_to_nothing(split):
    frames = np.zeros((ROWS, 84, 84), np.uint8)
    frames[:, 40:44] = np.arange(ROWS, dtype=np.uint8)[:, None, None]
    assert peak_of(split, frames) < 0.3 * SIZE + IN_PASSING
