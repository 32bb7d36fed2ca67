"""Fashion-MNIST's files, whole and damaged: read exactly, or refused in words."""

import gzip

import numpy as np
import pytest

from redo_dopamine.errors import UserError
from redo_dopamine.supervised.images import (
    TEST,
    fashion_mnist,
    read_fashion_mnist,
    read_idx,
)

NAMES = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
PIXELS = np.random.default_rng(0).integers(0, 256, (10_000, 28, 28), np.uint8)
LABELS = np.arange(10_000, dtype=np.uint8) % 10


@pytest.fixture
def folder(tmp_path, idx):
    """A whole test split."""
    for name, array in zip(NAMES, (PIXELS, LABELS), strict=True):
        (tmp_path / name).write_bytes(idx(array))
    return tmp_path


def refusal(folder):
    with pytest.raises(UserError) as error:
        read_fashion_mnist(folder, TEST)
    assert "dataset-fashion-mnist" in str(error.value)
    return str(error.value)


def test_an_array_is_read_as_it_was_written(tmp_path, idx):
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    (tmp_path / "file").write_bytes(idx(array))
    np.testing.assert_array_equal(read_idx(tmp_path / "file", (2, 3, 4)), array)


@pytest.mark.parametrize("compressed", [False, True])
def test_a_split_is_read_plain_and_compressed(folder, compressed):
    if compressed:
        for name in NAMES:
            content = gzip.compress((folder / name).read_bytes(), compresslevel=1)
            (folder / f"{name}.gz").write_bytes(content)
            (folder / name).unlink()
    images = read_fashion_mnist(folder, TEST)
    np.testing.assert_array_equal(images.pixels[..., 0], PIXELS)
    np.testing.assert_array_equal(images.labels, LABELS)
    assert images.pixels.shape == (10_000, 28, 28, 1)
    assert images.labels.dtype == np.int32


def test_the_training_split_has_60000_images(fashion_folder):
    images = fashion_mnist(str(fashion_folder))
    assert images.pixels.shape == (60_000, 28, 28, 1)
    assert images.labels.shape == (60_000,)


def test_another_magic_number_is_named(folder, idx):
    (folder / NAMES[0]).write_bytes(idx(PIXELS, magic=2050))
    message = refusal(folder)
    assert "magic number 2051" in message
    assert "begins with 2050" in message


def test_a_labels_file_in_the_place_of_the_images_is_named(folder):
    (folder / NAMES[0]).write_bytes((folder / NAMES[1]).read_bytes())
    assert "begins with 2049" in refusal(folder)


def test_another_number_of_images_is_named(folder, idx):
    (folder / NAMES[0]).write_bytes(idx(PIXELS[:9]))
    assert "(10000, 28, 28)" in refusal(folder)
    assert "says (9, 28, 28)" in refusal(folder)


@pytest.mark.parametrize("change", [-1, 1])
def test_a_length_that_is_off_by_a_byte_is_named(folder, change):
    path = folder / NAMES[0]
    content = path.read_bytes()
    path.write_bytes(content[:-1] if change < 0 else content + b"\0")
    message = refusal(folder)
    assert "must have 7840016 bytes" in message
    assert f"has {7840016 + change}" in message


@pytest.mark.parametrize("size", [0, 3, 15])
def test_a_file_shorter_than_its_header_is_refused(folder, size):
    path = folder / NAMES[0]
    path.write_bytes(path.read_bytes()[:size])
    assert f"has {size} bytes" in refusal(folder)


@pytest.mark.parametrize("damage", ["truncated", "flipped"])
def test_a_damaged_compressed_file_is_refused(folder, damage):
    path = folder / NAMES[1]
    content = bytearray(gzip.compress(path.read_bytes()))
    if damage == "truncated":
        del content[len(content) // 2 :]
    else:
        content[-6] ^= 1  # In the checksum.
    path.write_bytes(content)
    assert "A compressed file must be whole" in refusal(folder)


def test_a_label_that_is_no_class_is_named(folder, idx):
    labels = LABELS.copy()
    labels[17] = 10
    (folder / NAMES[1]).write_bytes(idx(labels))
    assert "image 17" in refusal(folder)
    assert "label 10" in refusal(folder)


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    assert name in refusal(folder)


def test_a_missing_folder_is_named(tmp_path):
    assert "nowhere" in refusal(tmp_path / "nowhere")
