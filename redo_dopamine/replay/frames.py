"""Store each frame once, and share what did not change between two of them.

A frame is kept as bands, horizontal strips of about 256 bytes; a band that equals the
same band of the frame before is not stored again.
"""

import concurrent.futures
import contextlib
import math
import mmap
from collections.abc import Sequence

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


# Measured on Atari: smaller bands find more that did not change, so that there is less
# to read, and cost more to look up; at this size a batch is gathered soonest. It is a
# part of the checkpoints' format.
_BAND_BYTES = 256
_SMALLEST_STORE = 64
_LARGEST_FRAME = 2**30


def _bands_per_frame(shape: tuple[int, ...], frame_bytes: int) -> int:
    """The number of bands that brings one nearest to the size wanted."""
    if len(shape) < 2:
        return 1
    height = shape[0]
    small = [n for n in range(1, math.isqrt(height) + 1) if height % n == 0]
    divisors = sorted({*small, *(height // n for n in small)})
    return min(divisors, key=lambda n: abs(frame_bytes / n - _BAND_BYTES))


class FrameStore:
    """Frames of one shape, numbered in the order they came, oldest dropped first.

    Args:
        shape: of one frame, [H, W] for an image; anything else works as well.
        dtype: of one frame. Frames are compared and kept byte by byte, so that NaN
            comes back as it was.
        first: the number of the first frame.
        num_bands: how many bands to make room for at once; more come as needed.

    Attributes:
        first: number of the oldest frame.
        end: number that the next frame will get.

    Raises:
        ValueError: a frame without bytes, of too many, or of Python objects.
    """

    def __init__(
        self,
        shape: Sequence[int],
        dtype: npt.DTypeLike,
        first: int = 0,
        num_bands: int = 0,
    ):
        self.shape = tuple(int(n) for n in shape)
        self.dtype = np.dtype(dtype)
        self.first = self.end = first
        self._frame_bytes = math.prod(self.shape) * self.dtype.itemsize
        if not 0 < self._frame_bytes <= _LARGEST_FRAME or self.dtype.hasobject:
            raise ValueError(
                "A frame must be an array of at least one number and at most "
                f"{_LARGEST_FRAME:,} bytes, but is of shape {self.shape} and type "
                f"{self.dtype}. Give the shape and type of one observation."
            )
        self._num_bands = _bands_per_frame(self.shape, self._frame_bytes)
        band_bytes = self._frame_bytes // self._num_bands
        # Comparing eight bytes at a time takes a quarter of the time.
        word_bytes = math.gcd(band_bytes, 8)
        words = band_bytes // word_bytes
        size = max(num_bands, _SMALLEST_STORE)
        self._bands = GrowingRows(size, words, f"u{word_bytes}")
        # A stack; the lowest slot lies on top.
        self._free = np.arange(size, dtype=np.int32)[::-1].copy()
        self._num_free = size
        # A ring: frame i lies in row i % len(table), the length a power of two.
        self._table = np.zeros((_SMALLEST_STORE, self._num_bands), np.int32)

    def __len__(self) -> int:
        return self.end - self.first

    @property
    def nbytes(self) -> int:
        """Memory in bytes."""
        return self._bands.rows.nbytes + self._free.nbytes + self._table.nbytes

    @property
    def bands_per_frame(self) -> int:
        """Into how many bands a frame is cut."""
        return self._num_bands

    @property
    def bands_in_use(self) -> int:
        """How many different bands the frames consist of."""
        return len(self._bands) - self._num_free

    def extend(self, frames: npt.ArrayLike) -> int:
        """Append frames [N, *shape]; returns the number of the first of them.

        Raises:
            ValueError: frames of another shape, or of a type that does not fit.
        """
        frames = np.asarray(frames)
        if frames.shape[1:] != self.shape or not np.can_cast(frames.dtype, self.dtype):
            raise ValueError(
                "Frames must have the shape and type of the first, "
                f"{self.shape} {self.dtype}, but these are {frames.shape[1:]} "
                f"{frames.dtype}. Reshape or cast the observations."
            )
        start, count = self.end, len(frames)
        if count == 0:
            return start
        frames = np.ascontiguousarray(frames, self.dtype)
        words = frames.reshape(count * self._num_bands, -1).view(self._bands.rows.dtype)
        new = words.reshape(count, self._num_bands, -1)
        changed = np.empty((count, self._num_bands), bool)
        if self:
            last = self._table[(start - 1) % len(self._table)]
            (new[0] != self._bands.rows.take(last, axis=0)).any(1, out=changed[0])
        else:
            changed[0] = True
        if count > 1:
            (new[1:] != new[:-1]).any(2, out=changed[1:])
        self._append(changed, new[changed])
        return start

    def changes(
        self, start: int, stop: int
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.uint8]]:
        """One live frame or more as what changed, for `extend_changes`.

        Returns:
            changed [stop - start, bands per frame]: which bands differ from those of
                the frame before; of the first frame all count.
            bands [N, bytes]: what they are, in that order.
        """
        rows = self._table.take(np.arange(start, stop) % len(self._table), axis=0)
        changed = np.ones(rows.shape, bool)
        np.not_equal(rows[1:], rows[:-1], out=changed[1:])
        return changed, self._bands.rows.take(rows[changed], axis=0).view(np.uint8)

    def extend_changes(
        self, changed: npt.NDArray[np.bool_], bands: npt.NDArray[np.uint8]
    ) -> None:
        """Append one frame or more that `changes` gave, without comparing them.

        Raises:
            ValueError: the two do not fit each other, or frames of this shape.
        """
        count = int(np.count_nonzero(changed))
        shape = (count, self._frame_bytes // self._num_bands)
        if (
            changed.shape[1:] != (self._num_bands,)
            or bands.shape != shape
            or not changed[0].all()
        ):
            raise ValueError(
                f"Changes must be of {self._num_bands} bands per frame, all those of "
                f"the first, and {count} bands of {shape[1]} bytes, but are of "
                f"{changed.shape[1:]} and {bands.shape}. Give what `changes` gave."
            )
        # The first is there whole, but may share bands with the frame before.
        first = bands[: self._num_bands].reshape(1, -1).view(self.dtype)
        self.extend(first.reshape(1, *self.shape))
        rest = bands[self._num_bands :].view(self._bands.rows.dtype)
        self._append(changed[1:], rest)

    def touch(self, num_bands: int) -> None:
        """Have the system hand out the memory of the next bands now, by two threads.

        It does so when memory is first written to. On a virtual machine that takes
        most of the time of a restore, and each thread waits for its own part.
        """
        rows, top = self._bands.rows, self._num_free
        halves = np.array_split(self._free[max(top - num_bands, 0) : top], 2)
        with concurrent.futures.ThreadPoolExecutor(len(halves)) as pool:
            list(pool.map(lambda free: rows.__setitem__(free, 0), halves))

    def gather(self, ids: npt.NDArray[np.integer]) -> np.ndarray:
        """Frames [..., *shape] by their numbers [...], in a new array.

        What stands for a number outside of `first` to `end - 1` is arbitrary.
        """
        # "clip" because checking every index costs as much as the copy.
        rows = self._table.take(ids & (len(self._table) - 1), axis=0, mode="clip")
        bands = self._bands.rows.take(rows, axis=0, mode="clip")
        words = self._num_bands * bands.shape[-1]
        frames = bands.reshape(*ids.shape, words).view(self.dtype)
        return frames.reshape(*ids.shape, *self.shape)

    def drop_before(self, number: int) -> None:
        """Forget the frames before this one; their memory is used again."""
        number = min(number, self.end)
        count = number - self.first
        if count <= 0:
            return
        ids = np.arange(self.first, number + 1) & (len(self._table) - 1)
        rows = self._table.take(ids, axis=0)
        # Only neighbors share a band: what the next frame does not use is dead.
        dead = rows[:-1] != rows[1:]
        if number == self.end:
            dead[-1] = True
        freed = rows[:-1][dead]
        self._free[self._num_free : self._num_free + len(freed)] = freed
        self._num_free += len(freed)
        self.first = number

    def _append(self, changed: npt.NDArray[np.bool_], bands: np.ndarray) -> None:
        """Append frames [N] by which bands changed [N, bands], and those [M, words]."""
        count = len(changed)
        if count == 0:
            return
        self._reserve_rows(count)
        before = self._table[(self.end - 1) % len(self._table)]
        slots = self._allocate(len(bands))
        self._bands.rows[slots] = bands
        if count == 1:
            rows = before[None].copy()
            rows[changed] = slots
        else:
            # Where a band did not change: the slot of its last change before.
            positions = np.zeros(changed.shape, np.int64)
            positions[changed] = np.arange(1, len(slots) + 1)
            np.maximum.accumulate(positions, axis=0, out=positions)
            rows = np.where(positions, np.append(0, slots)[positions], before)
        self._table[np.arange(self.end, self.end + count) % len(self._table)] = rows
        self.end += count

    def _allocate(self, count: int) -> npt.NDArray[np.int32]:
        """Take slots [count] off the stack of free ones."""
        if count > self._num_free:
            self._grow(count - self._num_free)
        self._num_free -= count
        # Rising, so that what comes together is read together.
        return self._free[self._num_free : self._num_free + count][::-1].copy()

    def _grow(self, at_least: int) -> None:
        size = len(self._bands)
        more = max(at_least, size // 8, _SMALLEST_STORE)
        self._bands.grow(size + more)
        free = np.empty(size + more, np.int32)
        free[:more] = np.arange(size + more - 1, size - 1, -1)
        free[more : more + self._num_free] = self._free[: self._num_free]
        self._free = free
        self._num_free += more

    def _reserve_rows(self, count: int) -> None:
        needed = len(self) + count
        if needed <= len(self._table):
            return
        length = 1 << (needed - 1).bit_length()
        table = np.zeros((length, self._num_bands), np.int32)
        live = np.arange(self.first, self.end)
        table[live % length] = self._table[live % len(self._table)]
        self._table = table
