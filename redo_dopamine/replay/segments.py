"""Turn the contents of a replay buffer into named arrays, and back.

A segment holds records, and frames in blocks. A block has the bands of its first frame
and those that changed in the further ones, compressed, and which they are, as bits. A
buffer is restored one block at a time: its frames are never all in memory twice.
"""

import concurrent.futures
import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import snappy

from redo_dopamine.errors import shortened
from redo_dopamine.replay.frames import FrameStore
from redo_dopamine.replay.windows import RecordRing

_RECORDS = "records"
_FRAMES = "frames"
_CHANGED = "changed"
_BLOCK_FRAMES = 1024
_BLOCK_BYTES = 8 * 1024**2

Segment = Mapping[str, np.ndarray]
T = TypeVar("T")
R = TypeVar("R")


class DamagedError(ValueError):
    """What was read is not what was written."""


@contextlib.contextmanager
def readable(name: Any) -> Iterator[None]:
    """Reading what may be damaged: errors become a ValueError with its name."""
    try:
        yield
    except (FileNotFoundError, DamagedError):
        raise
    # Damaged bytes lead JSON, zip, NumPy and snappy to whatever they raise.
    except Exception as error:
        raise DamagedError(
            f"A replay checkpoint must be whole, but {name} cannot be read "
            f"({type(error).__name__}: {shortened(error)}). Restore the file, or "
            "resume from another checkpoint."
        ) from error


class Contents(NamedTuple):
    """What a buffer holds; its frames and records have numbers that never change."""

    frames: FrameStore
    records: RecordRing

    def header(self) -> dict[str, Any]:
        """Types and numbers in JSON's terms, as `restore` needs them."""
        frames, records = self
        action = records.dtype["action"]
        return {
            "observation": {"dtype": frames.dtype.str, "shape": frames.shape},
            "action": {"dtype": action.base.str, "shape": action.shape},
            "frames": [frames.first, frames.end],
            "bands": frames.bands_in_use,
            "records": [records.first, records.end],
            **({"num_rewards": records.num_rewards} if records.num_rewards else {}),
        }


def segment(
    contents: Contents, first_frame: int, first_record: int
) -> Iterator[tuple[str, np.ndarray]]:
    """Name and array of each part, from these numbers on, one at a time."""
    frames, records = contents
    yield _RECORDS, records.since(first_record)
    frame_bytes = frames.dtype.itemsize * int(np.prod(frames.shape))
    length = max(1, min(_BLOCK_FRAMES, _BLOCK_BYTES // frame_bytes))
    for start in range(max(first_frame, frames.first), frames.end, length):
        stop = min(start + length, frames.end)
        changed, bands = frames.changes(start, stop)
        packed = np.frombuffer(snappy.compress(bands.reshape(-1)), np.uint8)
        yield f"{_FRAMES}_{start}_{stop}", packed
        yield f"{_CHANGED}_{start}_{stop}", np.packbits(changed)


def _spans(names: Iterable[str]) -> list[tuple[int, int]]:
    """First number and end of each block of frames, in order."""
    parts = (name.split("_") for name in names)
    return sorted((int(p[1]), int(p[2])) for p in parts if p[0] == _FRAMES)


def _num_bands(part: Segment, span: tuple[int, int]) -> int:
    start, stop = span
    return int(np.bitwise_count(part[f"{_CHANGED}_{start}_{stop}"]).sum())


class _Block(NamedTuple):
    """Frames `start` to `stop - 1`, as `FrameStore.changes` gives them."""

    start: int
    stop: int
    changed: np.ndarray
    bands: np.ndarray

    def since(self, number: int) -> "_Block":
        """The same without the frames before this one."""
        skipped = number - self.start
        if skipped <= 0:
            return self
        # Where the content of each frame's bands lies: at their last change.
        places = np.cumsum(self.changed).reshape(self.changed.shape) - 1
        latest = np.maximum.accumulate(np.where(self.changed, places, 0), axis=0)
        changed = self.changed[skipped:].copy()
        changed[0] = True
        bands = self.bands[latest[skipped:][changed]]
        return _Block(number, self.stop, changed, bands)


def _unpack(part: Segment, start: int, stop: int, bands_per_frame: int) -> _Block:
    size = (stop - start) * bands_per_frame
    packed = part[f"{_CHANGED}_{start}_{stop}"]
    # More would be filled up with zeros, however many.
    if packed.size != -(-size // 8):
        raise ValueError(f"{packed.size} bytes cannot tell {size} bands")
    bits = np.unpackbits(packed, count=size)
    changed = bits.view(bool).reshape(stop - start, bands_per_frame)
    content = snappy.uncompress(part[f"{_FRAMES}_{start}_{stop}"].tobytes())
    bands = np.frombuffer(content, np.uint8)
    return _Block(start, stop, changed, bands.reshape(np.count_nonzero(changed), -1))


def _add_frames(frames: FrameStore, part: Segment) -> None:
    # What is older than what the buffer held is passed over.
    spans = [span for span in _spans(part) if span[1] > frames.end]
    frames.touch(sum(_num_bands(part, span) for span in spans))
    blocks = _one_ahead(
        lambda span: _unpack(part, *span, frames.bands_per_frame), spans
    )
    for block in blocks:
        if block.start > frames.end:
            raise ValueError(f"frames {frames.end} to {block.start - 1} are missing")
        _, _, changed, bands = block.since(frames.end)
        frames.extend_changes(changed, bands)


def _one_ahead(function: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
    """The results in order, the next one at work while one is being used."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pending = [pool.submit(function, item) for item in items[:1]]
        for item in items[1:]:
            pending.append(pool.submit(function, item))
            yield pending.pop(0).result()
        for last in pending:
            yield last.result()


def restore(
    header: Mapping[str, Any],
    capacity: int,
    segments: Iterable[tuple[Any, Segment]],
) -> Contents:
    """Build the contents that a header describes.

    Args:
        header: from `Contents.header`.
        capacity: of the buffer, the same as when the header was made.
        segments: each with a name for messages, oldest first. What is older than the
            header's numbers is passed over.

    Raises:
        ValueError: the segments do not hold what the header says.
    """
    first, end = header["frames"]
    first_record, end_record = header["records"]
    observation, action = header["observation"], header["action"]
    frames = FrameStore(
        observation["shape"], observation["dtype"], first, header["bands"]
    )
    ring = RecordRing(
        capacity, action["dtype"], action["shape"], header.get("num_rewards", 0)
    )
    parts = [np.empty(0, ring.dtype)]
    for name, part in segments:
        with readable(name):
            _add_frames(frames, part)
            new = part[_RECORDS]
            if new.dtype != ring.dtype:
                raise ValueError(f"its records are of another type, {new.dtype}")
            parts.append(new)
    records = np.concatenate(parts)
    count = end_record - first_record
    if frames.end != end or not 0 <= count <= min(len(records), capacity):
        raise ValueError(
            f"{end - first} frames and {count} records belong to it, but "
            f"{len(frames)} and {len(records)} are there"
        )
    ring.restore(records[len(records) - count :], end_record)
    return Contents(frames, ring)
