"""Memory for what becomes large: rows of numbers that grow in place.

What comes in: how many rows, of what. What leaves: an array of them, zeros at first,
in huge pages where the system has them.
"""

import contextlib
import math
import mmap

import numpy as np
import numpy.typing as npt

_HUGE_PAGE = 2 * 1024**2


def _rounded(num_bytes: int) -> int:
    """Up to whole pages; to huge ones when there are several of them."""
    # Linux lays what is a multiple of huge pages at a multiple of them, also when it
    # moves it: otherwise moving would split them into small ones.
    page = _HUGE_PAGE if num_bytes > 2 * _HUGE_PAGE else mmap.PAGESIZE
    return math.ceil(num_bytes / page) * page


def _anonymous(num_bytes: int) -> mmap.mmap:
    """Memory of this process alone, zeros, handed out when it is first used."""
    return mmap.mmap(-1, num_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


def _prefer_huge_pages(memory: mmap.mmap) -> None:
    """Rows are read in random order, which small pages slow down by a tenth."""
    advice = getattr(mmap, "MADV_HUGEPAGE", None)  # Linux has it.
    if advice is None or len(memory) % _HUGE_PAGE:
        return
    with contextlib.suppress(OSError):  # A system built without them.
        memory.madvise(advice)


class GrowingRows:
    """An array [num_rows, row_length] that grows without a second one beside it.

    Nobody should hold `rows` or a view of it while it grows: the view would stay as
    it is, and the rows would have to be copied.

    Args:
        num_rows: how many at first, >= 1.
        row_length: numbers per row, >= 1.
        dtype: of one number.

    Attributes:
        rows: the array.
    """

    def __init__(self, num_rows: int, row_length: int, dtype: npt.DTypeLike):
        self._row_length = row_length
        self._dtype = np.dtype(dtype)
        self._memory = _anonymous(_rounded(self._bytes(num_rows)))
        _prefer_huge_pages(self._memory)
        self.rows = self._view(num_rows)

    def __len__(self) -> int:
        return len(self.rows)

    def grow(self, num_rows: int) -> None:
        """Have this many rows, not fewer than before; the new ones are zeros."""
        size, before = _rounded(self._bytes(num_rows)), len(self.rows)
        if size > len(self._memory):
            self.rows = np.empty((0, self._row_length), self._dtype)
            try:
                self._enlarge(size)
            finally:  # Without memory for more it stays what it was.
                self.rows = self._view(before)
        self.rows = self._view(num_rows)

    def _enlarge(self, size: int) -> None:
        try:
            # The system moves the pages to where there is room: nothing is copied.
            self._memory.resize(size)
        except (BufferError, SystemError):  # A view is held; macOS cannot do it.
            larger = _anonymous(size)
            _prefer_huge_pages(larger)
            old = np.frombuffer(self._memory, np.uint8)
            np.frombuffer(larger, np.uint8)[: len(old)] = old
            self._memory = larger
        else:
            _prefer_huge_pages(self._memory)

    def _bytes(self, num_rows: int) -> int:
        return num_rows * self._row_length * self._dtype.itemsize

    def _view(self, num_rows: int) -> np.ndarray:
        count = num_rows * self._row_length
        rows = np.frombuffer(self._memory, self._dtype, count)
        return rows.reshape(num_rows, self._row_length)
