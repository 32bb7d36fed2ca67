"""The contents of a replay buffer as named arrays, and back.

What comes in: frames and records. What leaves: a segment, arrays of plain types by
name: the records, and the frames in blocks, compressed. A buffer is restored from
segments one block at a time, so that its frames are never all in memory unpacked.
"""

import concurrent.futures
import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import snappy

from redo_dopamine.replay.frames import FrameStore
from redo_dopamine.replay.records import RecordRing

_RECORDS = "records"
_FRAMES = "frames"
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
            f"({type(error).__name__}: {error}). Restore the file, or resume from "
            "another checkpoint."
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
        block = frames.gather(np.arange(start, stop)).reshape(-1).view(np.uint8)
        packed = snappy.compress(block)
        yield f"{_FRAMES}_{start}_{stop}", np.frombuffer(packed, np.uint8)


def _blocks(names: Iterable[str]) -> list[tuple[int, int, str]]:
    """First number, end and name of each block of frames, in order."""
    parts = ((name.split("_"), name) for name in names)
    return sorted(
        (int(kind_start_stop[1]), int(kind_start_stop[2]), name)
        for kind_start_stop, name in parts
        if kind_start_stop[0] == _FRAMES
    )


def _add_frames(frames: FrameStore, part: Segment) -> None:
    # What is older than what the buffer held is passed over.
    blocks = [block for block in _blocks(part) if block[1] > frames.end]
    unpacked = _one_ahead(
        lambda block: snappy.uncompress(part[block[2]].tobytes()), blocks
    )
    for (start, stop, _), content in zip(blocks, unpacked, strict=True):
        if start > frames.end:
            raise ValueError(f"frames {frames.end} to {start - 1} are missing")
        raw = np.frombuffer(content, frames.dtype)
        block = raw.reshape(stop - start, *frames.shape)
        frames.extend(block[frames.end - start :])


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
    ring = RecordRing(capacity, action["dtype"], action["shape"])
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
