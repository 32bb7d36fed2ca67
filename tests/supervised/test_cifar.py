"""CIFAR-10's binary files, whole and damaged: read exactly, or refused in words."""

import numpy as np
import pytest

from redo_dopamine.errors import UserError
from redo_dopamine.supervised.images import (
    TEST_FILES,
    TRAIN_FILES,
    cifar10,
    read_cifar10,
)

RECORDS = np.random.default_rng(0).integers(0, 256, (10_000, 3073), np.uint8)
RECORDS[:, 0] %= 10


@pytest.fixture
def folder(tmp_path):
    """A whole test file."""
    (tmp_path / "test_batch.bin").write_bytes(RECORDS.tobytes())
    return tmp_path


def refusal(read, *arguments):
    with pytest.raises(UserError) as error:
        read(*arguments)
    assert "cifar-10-binary.tar.gz" in str(error.value)
    assert "--data_dir" in str(error.value)
    return str(error.value)


def test_a_pixel_is_where_the_format_says(folder):
    images = read_cifar10(folder, TEST_FILES)
    assert images.pixels.shape == (10_000, 32, 32, 3)
    np.testing.assert_array_equal(images.labels, RECORDS[:, 0])
    for colour, row, column in ((0, 0, 0), (1, 3, 5), (2, 31, 30)):
        stored = RECORDS[:, 1 + 1024 * colour + 32 * row + column]
        np.testing.assert_array_equal(images.pixels[:, row, column, colour], stored)


@pytest.mark.parametrize("unpacked_in", ["", "cifar-10-batches-bin"])
def test_the_training_files_make_50000_images(folder, unpacked_in):
    target = folder / unpacked_in
    target.mkdir(exist_ok=True)
    for number in range(1, 6):
        (target / f"data_batch_{number}.bin").symlink_to(folder / "test_batch.bin")
    images = cifar10(str(folder))
    assert images.pixels.shape == (50_000, 32, 32, 3)
    np.testing.assert_array_equal(images.labels[40_000:], RECORDS[:, 0])


@pytest.mark.parametrize("length", [0, 3073, 30_729_999])
def test_a_truncated_file_is_refused(folder, length):
    (folder / "test_batch.bin").write_bytes(RECORDS.tobytes()[:length])
    message = refusal(read_cifar10, folder, TEST_FILES)
    assert "30730000" in message
    assert f"has {length}" in message


def test_a_label_that_is_no_class_is_named(folder):
    records = RECORDS.copy()
    records[42, 0] = 11
    (folder / "test_batch.bin").write_bytes(records.tobytes())
    message = refusal(read_cifar10, folder, TEST_FILES)
    assert "image 42" in message
    assert "label 11" in message


def test_a_missing_file_is_named(folder):
    assert "data_batch_1.bin" in refusal(cifar10, str(folder))


def test_without_a_folder_it_is_below_where_the_run_is_started(
    folder, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    message = refusal(cifar10)
    assert "data/data_batch_1.bin cannot be read" in message
    assert "put it into data/ where the run is started" in message
    there = tmp_path / "data" / "cifar-10-batches-bin"
    there.mkdir(parents=True)
    for name in TRAIN_FILES:
        (there / name).symlink_to(folder / TEST_FILES[0])
    assert cifar10().pixels.shape == (50_000, 32, 32, 3)
