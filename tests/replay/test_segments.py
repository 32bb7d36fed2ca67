import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.settings import CHEAP
from redo_dopamine.replay import segments
from redo_dopamine.replay.frames import FrameStore
from redo_dopamine.replay.segments import Contents, restore, segment
from redo_dopamine.replay.windows import RecordRing

SHAPE = (8, 160)  # Four bands of 320 bytes.
BLOCK = 7


@pytest.fixture(autouse=True, scope="module")
def short_blocks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segments, "_BLOCK_FRAMES", BLOCK)
        yield


def frames_of(seed, count):
    """Frames of which each differs from the one before in one row at most."""
    rng = np.random.default_rng(seed)
    frames = np.zeros((count, *SHAPE), np.uint8)
    for i in range(1, count):
        frames[i] = frames[i - 1]
        frames[i, rng.integers(SHAPE[0])] = rng.integers(0, 3)
    return frames


def parts_of(contents, frames, lengths):
    """Fill a store; the segments of what each of these lengths added."""
    start, parts = 0, []
    for length in lengths:
        contents.frames.extend(frames[start : start + length])
        parts.append(dict(segment(contents, start, 0)))
        start += length
    return parts


@CHEAP
@given(
    seed=st.integers(0, 2**16),
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=4),
    dropped=st.integers(0, 130),
)
def test_several_segments_without_their_oldest_frames(seed, lengths, dropped):
    frames = frames_of(seed, sum(lengths))
    contents = Contents(FrameStore(SHAPE, np.uint8), RecordRing(5, np.int32, ()))
    parts = parts_of(contents, frames, lengths)
    contents.frames.drop_before(dropped)
    first = contents.frames.first
    restored = restore(contents.header(), 5, enumerate(parts)).frames
    assert (restored.first, restored.end) == (first, len(frames))
    assert restored.bands_in_use == contents.frames.bands_in_use
    gathered = restored.gather(np.arange(first, len(frames)))
    np.testing.assert_array_equal(gathered, frames[first:])


@pytest.mark.parametrize("damage", ["block", "bits", "bits cut", "bands", "segment"])
def test_what_is_missing_or_damaged_is_named(damage):
    frames = frames_of(1, 40)
    contents = Contents(FrameStore(SHAPE, np.uint8), RecordRing(5, np.int32, ()))
    parts = parts_of(contents, frames, [20, 20])
    block = f"{BLOCK}_{2 * BLOCK}"
    if damage == "block":
        del parts[0][f"frames_{block}"]
    elif damage == "bits":
        bits = parts[0][f"changed_{block}"]
        parts[0][f"changed_{block}"] = bits ^ np.uint8(2)
    elif damage == "bits cut":
        parts[0][f"changed_{block}"] = parts[0][f"changed_{block}"][:-2]
    elif damage == "bands":
        parts[0][f"frames_{block}"] = parts[0][f"frames_{block}"][:-3]
    else:
        parts[0] = {}
    with pytest.raises(ValueError, match=r"must be whole, but (0|1) cannot be read"):
        restore(contents.header(), 5, enumerate(parts))
