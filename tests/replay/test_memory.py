import mmap

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.settings import CHEAP
from redo_dopamine.replay import frames
from redo_dopamine.replay.frames import GrowingRows

MEGABYTE = 1024**2


class Unresizable(mmap.mmap):
    """What a system without mremap has."""

    def resize(self, newsize):
        raise SystemError("mmap: resizing not available--no mremap()")


class Unadvisable(mmap.mmap):
    """What a system without huge pages has."""

    def madvise(self, *args):
        raise OSError(22, "Invalid argument")


@CHEAP
@given(
    row_length=st.integers(1, 9),
    dtype=st.sampled_from(["u1", "u4", "u8"]),
    sizes=st.lists(st.integers(1, 40_000), min_size=1, max_size=6).map(sorted),
)
def test_growing_keeps_what_was_there_and_adds_zeros(row_length, dtype, sizes):
    growing = GrowingRows(sizes[0], row_length, dtype)
    expected = np.zeros((0, row_length), dtype)
    for size in sizes:
        growing.grow(size)
        assert len(growing) == size
        assert growing.rows.dtype == dtype
        more = np.zeros((size - len(expected), row_length), dtype)
        np.testing.assert_array_equal(growing.rows, np.concatenate([expected, more]))
        growing.rows[:] = np.random.default_rng(size).integers(0, 99, (size, 1))
        expected = growing.rows.copy()


@pytest.mark.parametrize("kind", [mmap.mmap, Unresizable, Unadvisable])
def test_it_grows_past_huge_pages_on_any_system(monkeypatch, kind):
    monkeypatch.setattr(frames.mmap, "mmap", kind)
    growing = GrowingRows(1, 256, np.uint8)
    growing.rows[0] = 7
    for megabytes in (1, 5, 6, 9, 40):
        growing.grow(megabytes * MEGABYTE // 256)
        assert growing.rows.nbytes == megabytes * MEGABYTE
        assert (growing.rows[0] == 7).all()
        assert not growing.rows[-1].any()
        growing.rows[1] = growing.rows[-1] = megabytes
    np.testing.assert_array_equal(np.unique(growing.rows[2:]), [0, 1, 5, 6, 9, 40])


def test_a_view_that_is_held_stays_what_it_was():
    growing = GrowingRows(4, 1000, np.uint8)
    growing.rows[:] = 3
    held = growing.rows[1:]
    growing.grow(10_000)
    growing.rows[:] = 5
    assert (held == 3).all()


def test_without_memory_it_stays_what_it_was(monkeypatch):
    class Full(mmap.mmap):
        def resize(self, newsize):
            raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(frames.mmap, "mmap", Full)
    growing = GrowingRows(3, 1000, np.uint8)
    growing.rows[:] = 9
    with pytest.raises(OSError, match="Cannot allocate"):
        growing.grow(10_000)
    assert len(growing) == 3
    assert (growing.rows == 9).all()
