"""Files that are missing, cut short or of something else: one message that says so."""

import gzip

import numpy as np
import pytest

from offline.recordings import load, steps_of, write
from redo_dopamine.errors import UserError
from redo_dopamine.offline import arrays

FILES = ("observation", "action", "reward", "terminal", "add_count", "invalid_range")


@pytest.fixture
def split(tmp_path):
    write(tmp_path, steps_of([(30, True), (30, True)]))
    return tmp_path


def path_of(directory, name):
    if name in (*arrays.ARRAYS, arrays.EPISODE_END):
        return arrays.array_path(directory, name, 0)
    return arrays.note_path(directory, name, 0)


def refused(directory, *parts, splits=None):
    with pytest.raises(UserError) as error:
        load(directory, splits)
    for part in parts:
        assert part in str(error.value)


@pytest.mark.parametrize("name", FILES[1:])
def test_a_missing_file_is_named(name, split):
    path_of(split, name).unlink()
    refused(split, "split 0", "lacks", path_of(split, name).name, "again")


@pytest.mark.parametrize("name", [*FILES, "episode_end"])
def test_a_file_that_is_cut_short_is_named(name, split):
    path = path_of(split, name)
    path.write_bytes(path.read_bytes()[:-10])
    refused(split, str(path), "whole gzipped .npy", "again")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("where", [0.3, 0.6, 0.97])
def test_a_flipped_bit_is_found(name, where, split):
    path = path_of(split, name)
    content = bytearray(path.read_bytes())
    # Behind gzip's header, which has the time and the name of the file.
    start = 30 + len(path.name)
    content[start + int((len(content) - start) * where)] ^= 4
    path.write_bytes(content)
    refused(split, str(path))


def test_a_file_of_another_kind_is_named(split):
    path = path_of(split, "action")
    path.write_bytes(b"<html>Not found</html>" * 20)
    refused(split, str(path), "Not a gzipped file")
    with gzip.open(path, "wb") as file:
        file.write(b"no array" * 20)
    refused(split, str(path), "magic string")


def test_an_array_that_goes_on_is_refused(split):
    path = path_of(split, "reward")
    with path.open("ab") as file:
        file.write(gzip.compress(b"more"))
    refused(split, str(path), "goes on behind")


def test_pickled_objects_are_refused(split):
    path = path_of(split, "add_count")
    with gzip.open(path, "wb") as file:
        np.save(file, np.array([{}], object), allow_pickle=True)
    refused(split, str(path), "object")


def test_arrays_of_different_lengths_are_refused(split):
    arrays.write(path_of(split, "reward"), np.zeros(7, np.float32))
    refused(split, "one entry per row", "(7,)")


def test_frames_for_another_number_of_steps_are_refused(split):
    arrays.write(path_of(split, "observation"), np.zeros((7, 6, 5), np.uint8))
    refused(split, "observation", "(7, 6, 5)")


def test_numbers_of_another_kind_are_refused(split):
    arrays.write(path_of(split, "action"), np.zeros(67, np.float32))
    refused(split, "action", "float32")


def test_an_invalid_range_beyond_the_rows_is_refused(split):
    arrays.write(path_of(split, "invalid_range"), np.array([10**6]))
    refused(split, "invalid_range", "1000000")


def test_splits_that_are_not_there_are_named(split, tmp_path):
    refused(split, "[3, 5]", "has [0]", "replay_logs.splits", splits=(0, 3, 5))
    refused(tmp_path / "nowhere", "there is no directory", "record")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "has none", "atari-replay-datasets")


def test_splits_of_other_frames_do_not_mix(split, tmp_path):
    write(tmp_path / "other", steps_of([(30, True)], shape=(4, 4)))
    for path in (tmp_path / "other").iterdir():
        path.rename(split / path.name.replace(".0.gz", ".1.gz"))
    refused(split, "one shape and type")


def test_too_little_to_learn_from_is_refused(tmp_path):
    write(tmp_path, steps_of([(1, False)]))
    refused(tmp_path, "must hold a transition")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("reward", np.nan), ("reward", np.inf), ("reward", -np.inf)),
        # Beyond the floats that it becomes.
        ("reward", np.float64(1e300)),
        *(("action", -1), ("action", np.int8(-1))),
        *(("terminal", 2), ("terminal", np.float32(np.nan)), ("terminal", np.int8(-1))),
        ("episode_end", 2),
    ],
)
def test_a_row_that_would_spoil_the_training_is_named(name, value, split):
    path = path_of(split, name)
    column = arrays.read(path, "iuf")
    if isinstance(value, np.generic):
        column = column.astype(value.dtype)
    column[17] = value
    arrays.write(path, column)
    refused(split, str(path), f"row 17 of {len(column)}", f"{name} {column[17]}")


def test_an_episode_that_ends_in_one_file_alone_is_named(split):
    path = path_of(split, "episode_end")
    arrays.write(path, np.zeros(67, np.uint8))
    refused(split, str(path), "row 32 of 67 has the episode_end 0 (2 such rows)")


@pytest.mark.parametrize(
    ("one", "other"), [("action", "terminal"), ("reward", "terminal")]
)
def test_files_in_each_others_place_are_refused(one, other, split):
    paths = path_of(split, one), path_of(split, other)
    contents = [path.read_bytes() for path in paths]
    for path, content in zip(paths, reversed(contents), strict=True):
        path.write_bytes(content)
    refused(split, str(path_of(split, "terminal")), "has the terminal")


@pytest.mark.parametrize("name", ["reward", "action"])
def test_rows_that_are_not_written_may_have_anything(name, split):
    before = load(split)
    path = path_of(split, name)
    column = arrays.read(path, "if")
    column[-1] = -(10**6)
    arrays.write(path, column)
    assert len(load(split).records) == len(before.records)


@pytest.mark.parametrize(
    ("name", "array", "part"),
    [
        *((name, np.zeros(0, np.int32), "shape (0,)") for name in FILES[1:]),
        ("add_count", np.array(-5), "no number >= 0, but [-5]"),
        ("add_count", np.array([66, 4]), "no number >= 0, but [66, 4]"),
        ("add_count", np.array([[66]]), "no number >= 0, but [[66]]"),
        ("invalid_range", np.array([np.nan]), "names rows [nan] of 67"),
        ("invalid_range", np.zeros((2, 2)), "names rows [[0.0, 0.0]"),
        ("observation", np.zeros((67, 6, 5), np.float32), "float32, not uint8"),
        ("observation", np.zeros((67, 6, 5), np.int64), "int64, not uint8"),
        ("observation", np.zeros((67, 0, 5), np.uint8), "shape (0, 5)"),
        ("observation", np.zeros(67, np.uint8), "shape (67,)"),
    ],
)
def test_an_array_that_no_recording_has_is_named(name, array, part, split):
    path = path_of(split, name)
    arrays.write(path, array)
    refused(split, str(path), part, "again")


@pytest.mark.parametrize("number", ["00", "٣", "-1", "+1", "1.5", ""])
def test_files_of_no_split_are_passed_over(number, split):
    for path in list(split.iterdir()):
        path.rename(split / path.name.replace(".0.gz", f".{number}.gz"))
    refused(split, "has none")
