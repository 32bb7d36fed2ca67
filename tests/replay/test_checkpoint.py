import json

import numpy as np
import pytest

from redo_dopamine.replay.windows import complete_windows

LONG = {"max_capacity": 600, "update_horizon": 3, "checkpoint_duration": 2}


def files(directory, pattern):
    return sorted((directory / "replay").glob(pattern))


def newest(directory, iteration):
    state = json.loads((directory / "replay" / f"state.{iteration}.json").read_text())
    return state["segments"]


def assert_same_from_here(replays, one, other, seed=9):
    """The same contents, the same draws, and both after more steps as well."""
    for _ in range(3):
        assert one.add_count == other.add_count
        replays.assert_same_batch(replays.everything(one), replays.everything(other))
        replays.assert_same_batch(one.sample(), other.sample())
        replays.feed(replays.stream(seed), 37, one, other)


@pytest.mark.parametrize("capacity", [30, 600])
@pytest.mark.parametrize("windows", [{}, {"windows": complete_windows}])
def test_a_loaded_buffer_goes_on_as_the_saved_one(replays, tmp_path, capacity, windows):
    settings = {**LONG, **windows, "max_capacity": capacity}
    saved = replays.ours(**settings)
    steps = replays.stream()
    for iteration in range(4):
        replays.feed(steps, 101, saved)
        saved.sample()
        saved.save(tmp_path, iteration)
    replays.feed(replays.stream(ends=0.0), 5, saved)  # In the middle of an episode.
    saved.save(tmp_path, 4)
    loaded = replays.ours(**settings, seed=77)
    replays.feed(replays.stream(seed=3), 50, loaded)
    loaded.load(tmp_path, 4)
    assert len(loaded._trajectory) > 0
    assert_same_from_here(replays, saved, loaded)


def test_frames_older_than_any_new_transition_come_back(replays, tmp_path):
    settings = {"max_capacity": 5, "update_horizon": 10}
    saved = replays.ours(**settings)
    steps = replays.stream(ends=0.0)
    for iteration in range(40):
        replays.feed(steps, 1, saved)
        saved.save(tmp_path, iteration)
    loaded = replays.ours(**settings)
    loaded.load(tmp_path, 39)
    assert_same_from_here(replays, saved, loaded)


def test_float_vectors_and_vector_actions_come_back(replays, tmp_path):
    settings = {"stack_size": 1, "update_horizon": 3}
    saved, loaded = replays.ours(**settings), replays.ours(**settings)
    shape = {"shape": (17,), "dtype": np.float32, "action_shape": (3,), "ends": 0.0}
    steps = replays.stream(**shape)
    replays.feed(steps, 100, saved)
    saved.save(tmp_path, 0)
    loaded.load(tmp_path, 0)
    replays.feed(steps, 10, saved, loaded)
    replays.assert_same_batch(saved.sample(30), loaded.sample(30))


def test_an_empty_buffer_comes_back_empty(replays, tmp_path):
    replays.ours().save(tmp_path, 0)
    loaded = replays.ours()
    replays.feed(replays.stream(), 50, loaded)
    loaded.load(tmp_path, 0)
    assert loaded.add_count == 0
    with pytest.raises(ValueError, match="must hold a transition"):
        loaded.sample()


def test_a_state_dictionary_holds_everything(replays):
    saved, loaded = replays.ours(), replays.ours(seed=8)
    replays.feed(replays.stream(), 203, saved)
    loaded.from_state_dict(saved.to_state_dict())
    assert_same_from_here(replays, saved, loaded)


# What is written, and where.


def test_a_save_writes_only_what_is_new(replays, tmp_path):
    saved = replays.ours(**LONG)
    steps = replays.stream(shape=(12, 10))
    replays.feed(steps, 500, saved)
    saved.save(tmp_path, 0)
    (first,) = files(tmp_path, "segment.*")
    replays.feed(steps, 20, saved)
    saved.save(tmp_path, 1)
    (second,) = set(files(tmp_path, "segment.*")) - {first}
    assert second.stat().st_size < first.stat().st_size / 10
    saved.save(tmp_path, 2)  # Nothing is new.
    assert set(files(tmp_path, "segment.*")) == {first, second}


def test_a_loaded_buffer_saves_only_what_is_new_there_and_all_elsewhere(
    replays, tmp_path
):
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    saved, loaded = replays.ours(**LONG), replays.ours(**LONG)
    steps = replays.stream()
    replays.feed(steps, 300, saved)
    saved.save(here, 0)
    loaded.load(here, 0)
    replays.feed(steps, 10, saved, loaded)
    loaded.save(here, 1)
    assert newest(here, 1)[0] == newest(here, 0)[0]
    assert len(newest(here, 1)) == 2
    loaded.save(elsewhere, 1)
    assert len(newest(elsewhere, 1)) == 1
    for folder in (here, elsewhere):
        again = replays.ours(**LONG)
        again.load(folder, 1)
        replays.assert_same_batch(replays.everything(saved), replays.everything(again))


def test_old_states_and_segments_that_nothing_needs_are_deleted(replays, tmp_path):
    saved = replays.ours(max_capacity=50, checkpoint_duration=2)
    steps = replays.stream(ends=0.0)
    for iteration in range(8):
        replays.feed(steps, 30, saved)
        saved.save(tmp_path, iteration)
    states = [path.name for path in files(tmp_path, "state.*")]
    assert states == ["state.6.json", "state.7.json"]
    needed = {p["file"] for i in (6, 7) for p in newest(tmp_path, i)}
    assert {path.name for path in files(tmp_path, "segment.*")} == needed
    # 50 transitions and the steps around them lie in two segments of 30.
    assert [int(p["file"].split(".")[1]) for p in newest(tmp_path, 7)] == [6, 7]
    for iteration in (6, 7):
        replays.ours(max_capacity=50).load(tmp_path, iteration)


def test_a_run_that_resumes_from_before_spoils_no_later_state(replays, tmp_path):
    saved, resumed = replays.ours(**LONG), replays.ours(**LONG)
    steps = replays.stream()
    for iteration in (0, 1, 2):
        replays.feed(steps, 60, saved)
        saved.save(tmp_path, iteration)
    resumed.load(tmp_path, 1)
    replays.feed(replays.stream(seed=4), 200, resumed)
    resumed.save(tmp_path, 1)
    for buffer, iteration in ((resumed, 1), (saved, 2)):
        again = replays.ours(**LONG)
        again.load(tmp_path, iteration)
        replays.assert_same_batch(replays.everything(buffer), replays.everything(again))


@pytest.mark.parametrize("lost", ["cleared", "deleted"])
def test_a_buffer_that_shares_nothing_with_the_folder_writes_all(
    replays, tmp_path, lost
):
    saved, loaded = replays.ours(**LONG), replays.ours(**LONG)
    steps = replays.stream()
    replays.feed(steps, 100, saved)
    saved.save(tmp_path, 0)
    if lost == "cleared":
        saved.clear()
    else:
        files(tmp_path, "segment.*")[0].unlink()
    replays.feed(steps, 150, saved)
    saved.save(tmp_path, 1)
    loaded.load(tmp_path, 1)
    assert_same_from_here(replays, saved, loaded)


# What cannot be loaded.


@pytest.fixture
def saved(replays, tmp_path):
    buffer = replays.ours()
    replays.feed(replays.stream(), 100, buffer)
    buffer.save(tmp_path, 3)
    return buffer


@pytest.mark.parametrize("pattern", ["state.*", "segment.*"])
def test_what_is_not_there(replays, tmp_path, saved, pattern):
    files(tmp_path, pattern)[0].unlink()
    with pytest.raises(FileNotFoundError, match=pattern[:5]):
        replays.ours().load(tmp_path, 3)


@pytest.mark.parametrize("pattern", ["state.*", "segment.*"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied"])
def test_a_damaged_file_is_named(replays, tmp_path, saved, pattern, damage):
    (path,) = files(tmp_path, pattern)
    data = bytearray(path.read_bytes())
    if damage == "cut":
        data = data[: len(data) // 2]
    elif damage == "emptied":
        data = bytearray()
    else:
        # For a state its first brace, for a segment one byte of the records.
        at = 0 if pattern == "state.*" else len(data) // 3
        data[at] ^= 0xFF
    path.write_bytes(bytes(data))
    loaded = replays.ours()
    with pytest.raises(ValueError, match=f"must be whole, but .*{path.name} cannot"):
        loaded.load(tmp_path, 3)
    assert loaded.add_count == 0


def test_a_segment_that_is_not_the_states_own(replays, tmp_path, saved):
    other = replays.ours()
    replays.feed(replays.stream(), 20, other)
    other.save(tmp_path / "other", 3)
    wrong = files(tmp_path / "other", "segment.*")[0].read_bytes()
    files(tmp_path, "segment.*")[0].write_bytes(wrong)
    with pytest.raises(
        ValueError, match=r"segment\.3\..* it is another one than was written"
    ):
        replays.ours().load(tmp_path, 3)


def test_a_newer_format(replays, tmp_path, saved):
    (path,) = files(tmp_path, "state.*")
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 3}))
    with pytest.raises(ValueError, match=r"must be of format 2, but .*of format 3"):
        replays.ours().load(tmp_path, 3)


@pytest.mark.parametrize(
    "setting",
    [
        {"stack_size": 3},
        {"update_horizon": 2},
        {"gamma": 0.9},
        {"max_capacity": 50},
        {"windows": complete_windows},
    ],
)
def test_other_settings(replays, tmp_path, saved, setting):
    loaded = replays.ours(**setting)
    with pytest.raises(ValueError, match="must have the settings of its checkpoint"):
        loaded.load(tmp_path, 3)
    with pytest.raises(ValueError, match="must have the settings"):
        loaded.from_state_dict(saved.to_state_dict())
