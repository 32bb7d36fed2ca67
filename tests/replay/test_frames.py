import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.settings import CHEAP
from redo_dopamine.replay.frames import FrameStore


def walk(rng, count, shape, dtype=np.uint8):
    """Frames of which each differs from the one before in a row, or not at all."""
    frames = np.zeros((count, *shape), dtype)
    for i in range(1, count):
        frames[i] = frames[i - 1]
        if rng.random() < 0.7:
            frames[i, rng.integers(shape[0])] = rng.integers(0, 3, shape[1:])
    return frames


def live_bands(store, frames):
    """How many bands of the live frames differ from the same band before."""
    if not frames:
        return 0
    stacked = np.stack([frames[i] for i in sorted(frames)])
    bands = stacked.reshape(len(stacked), store._num_bands, -1)
    return store._num_bands + (bands[1:] != bands[:-1]).any(2).sum()


@CHEAP
@given(
    seed=st.integers(0, 2**16),
    operations=st.lists(
        st.tuples(st.sampled_from(["extend", "drop", "touch"]), st.integers(0, 90)),
        min_size=1,
        max_size=25,
    ),
)
def test_every_live_frame_comes_back_and_no_band_leaks(seed, operations):
    rng = np.random.default_rng(seed)
    # Bands of 320 bytes, four to a frame.
    shape = (8, 160)
    store, frames = FrameStore(shape, np.uint8, first=seed), {}
    assert store._num_bands > 1
    for operation, amount in operations:
        if operation == "touch":
            store.touch(amount)
        elif operation == "extend":
            new = walk(rng, amount, shape)
            first = store.extend(new)
            frames |= {first + i: frame for i, frame in enumerate(new)}
        else:
            store.drop_before(store.first + amount)
            frames = {i: f for i, f in frames.items() if i >= store.first}
        assert len(store) == len(frames)
        assert store.bands_in_use == live_bands(store, frames)
        if frames:
            ids = np.array(sorted(frames))
            np.testing.assert_array_equal(
                store.gather(ids), np.stack([frames[i] for i in ids])
            )


def test_one_at_a_time_is_the_same_as_all_at_once():
    frames = walk(np.random.default_rng(0), 300, (84, 84))
    one, all_at_once = FrameStore((84, 84), np.uint8), FrameStore((84, 84), np.uint8)
    assert [one.extend(frame[None]) for frame in frames] == list(range(300))
    assert all_at_once.extend(frames) == 0
    ids = np.arange(300).reshape(30, 10)
    np.testing.assert_array_equal(one.gather(ids), all_at_once.gather(ids))
    assert one.bands_in_use == all_at_once.bands_in_use < 300 * 2 + 14


def test_memory_is_bounded_over_many_wraps():
    rng = np.random.default_rng(1)
    store = FrameStore((16, 128), np.uint8)
    sizes = []
    for _ in range(60):
        frames = walk(rng, 50, (16, 128))
        store.extend(frames)
        store.drop_before(store.end - 100)
        sizes.append(store.nbytes)
    assert sizes[-1] == sizes[20]
    np.testing.assert_array_equal(
        store.gather(np.arange(store.end - 50, store.end)), frames
    )


def test_it_grows_by_a_small_part_and_not_to_a_capacity():
    store = FrameStore((64,), np.float64)
    for i in range(2000):
        store.extend(np.full((1, 64), float(i)))
        assert len(store._bands) <= max(64, 1.13 * store.bands_in_use + 64)


@pytest.mark.parametrize(
    ("shape", "dtype", "num_bands"),
    [
        ((84, 84), np.uint8, 28),
        ((84, 84, 3), np.uint8, 84),
        ((12, 10), np.uint8, 1),
        ((17,), np.float64, 1),
        ((5000,), np.float32, 1),
        ((), np.float32, 1),
        ((7, 3), np.uint8, 1),
    ],
)
def test_bands_and_round_trip_by_shape(shape, dtype, num_bands):
    store = FrameStore(shape, dtype)
    assert store._num_bands == num_bands
    frames = np.random.default_rng(0).integers(0, 200, (9, *shape)).astype(dtype)
    store.extend(frames)
    gathered = store.gather(np.arange(9))
    assert gathered.dtype == dtype
    np.testing.assert_array_equal(gathered, frames)


def test_floats_come_back_bit_by_bit():
    values = np.array([[0.0], [-0.0], [np.nan], [-np.nan], [np.inf], [5e-324]])
    store = FrameStore((1,), np.float64)
    for value in values:
        store.extend(value[None])
    assert store.gather(np.arange(6)).tobytes() == values.tobytes()


def test_numbers_that_are_not_live_do_not_raise():
    store = FrameStore((2, 2), np.uint8)
    assert store.gather(np.array([-7, 0, 99])).shape == (3, 2, 2)
    store.extend(np.ones((70, 2, 2), np.uint8))
    store.drop_before(1000)
    assert (store.first, store.end, store.bands_in_use) == (70, 70, 0)
    assert store.gather(np.array([[-7, 0], [70, 10**9]])).shape == (2, 2, 2, 2)


@pytest.mark.parametrize(("shape", "dtype"), [((0,), np.uint8), ((3,), object)])
def test_a_frame_must_have_bytes(shape, dtype):
    with pytest.raises(ValueError, match="array of at least one number"):
        FrameStore(shape, dtype)


@pytest.mark.parametrize(
    "frames", [np.zeros((1, 3), np.uint8), np.zeros((1, 2), np.float32)]
)
def test_frames_must_be_of_the_first_ones_kind(frames):
    store = FrameStore((2,), np.uint8)
    with pytest.raises(ValueError, match=r"must have.*\(2,\) uint8.*but these are"):
        store.extend(frames)


# Changes.


@CHEAP
@given(
    seed=st.integers(0, 2**16),
    dropped=st.integers(0, 40),
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=6),
)
def test_frames_come_back_from_their_changes_in_as_many_bands(seed, dropped, lengths):
    frames = walk(np.random.default_rng(seed), dropped + sum(lengths), (8, 160))
    store = FrameStore((8, 160), np.uint8)
    store.extend(frames)
    store.drop_before(dropped)
    copy = FrameStore((8, 160), np.uint8, first=dropped)
    for length in lengths:
        copy.extend_changes(*store.changes(copy.end, copy.end + length))
    assert (copy.first, copy.end) == (store.first, store.end)
    assert copy.bands_in_use == store.bands_in_use
    ids = np.arange(dropped, copy.end)
    np.testing.assert_array_equal(copy.gather(ids), frames[dropped:])
    # And it goes on like any other.
    copy.extend(frames[-1:])
    assert copy.bands_in_use == store.bands_in_use


@pytest.mark.parametrize("damage", ["bands lost", "bands cut", "frames cut", "first"])
def test_changes_that_do_not_fit_change_nothing(damage):
    store = FrameStore((8, 160), np.uint8)
    store.extend(walk(np.random.default_rng(0), 20, (8, 160)))
    changed, bands = store.changes(0, 20)
    if damage == "bands lost":
        bands = bands[:-1]
    elif damage == "bands cut":
        bands = bands[:, 1:]
    elif damage == "frames cut":
        changed = changed[:, 1:]
    else:
        changed[0, 0], bands = False, bands[1:]
    copy = FrameStore((8, 160), np.uint8)
    with pytest.raises(ValueError, match=r"Changes must be of 4 bands per frame.*but"):
        copy.extend_changes(changed, bands)
    assert (len(copy), copy.bands_in_use) == (0, 0)
