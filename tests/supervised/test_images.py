"""Images, and the files of data sets: read exactly, or refused in words."""

import gzip

import numpy as np
import pytest

from redo_dopamine.errors import UserError
from redo_dopamine.supervised.images import (
    TEST,
    TEST_FILES,
    TRAIN_FILES,
    Images,
    averaged,
    choose,
    cifar10,
    fashion_mnist,
    read_cifar10,
    read_fashion_mnist,
    read_idx,
    standardize,
)

IDX_NAMES = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
IDX_PIXELS = np.random.default_rng(0).integers(0, 256, (10_000, 28, 28), np.uint8)
IDX_LABELS = np.arange(10_000, dtype=np.uint8) % 10
RECORDS = np.random.default_rng(0).integers(0, 256, (10_000, 3073), np.uint8)
RECORDS[:, 0] %= 10


def test_standardising_is_per_color():
    pixels = np.zeros((2, 1, 2, 3), np.uint8)
    pixels[..., 0] = [[[10, 10]], [[20, 20]]]
    pixels[..., 1] = 7  # Never changes.
    pixels[..., 2] = [[[0, 4]], [[0, 4]]]
    found = standardize(pixels)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[:, 0, :, 0], [[-1, -1], [1, 1]])
    np.testing.assert_array_equal(found[..., 1], 0)
    np.testing.assert_array_equal(found[:, 0, :, 2], [[-1, 1], [-1, 1]])


def test_a_choice_keeps_images_and_labels_together_and_takes_none_twice():
    pixels = np.arange(50, dtype=np.uint8).reshape(50, 1, 1, 1)
    images = Images(pixels, np.arange(50, dtype=np.int32))
    chosen = choose(images, 20, np.random.default_rng(0))
    np.testing.assert_array_equal(chosen.pixels.ravel(), chosen.labels)
    assert len(set(chosen.labels)) == 20
    assert chosen.checksum != choose(images, 20, np.random.default_rng(1)).checksum


@pytest.mark.parametrize("num_samples", [0, 51])
def test_a_number_of_samples_that_there_is_not_is_named(num_samples):
    images = Images(np.zeros((50, 1, 1, 1), np.uint8), np.zeros(50, np.int32))
    with pytest.raises(ValueError, match=rf"in \[1, 50\].* is {num_samples}"):
        choose(images, num_samples, np.random.default_rng(0))


def test_blocks_of_pixels_are_averaged_by_hand():
    pixels = np.arange(16, dtype=np.uint8).reshape(1, 4, 4, 1)
    found = averaged(pixels, 2)
    assert found.dtype == np.float32
    # (0 + 1 + 4 + 5) / 4, and so on.
    assert found[0, :, :, 0].tolist() == [[2.5, 4.5], [10.5, 12.5]]
    assert averaged(pixels, 1) is pixels
    with pytest.raises(ValueError, match=r"must divide .* 4 and 4, but is 3"):
        averaged(pixels, 3)


# Fashion-MNIST.


@pytest.fixture
def idx_folder(tmp_path, idx):
    """A whole test split."""
    for name, array in zip(IDX_NAMES, (IDX_PIXELS, IDX_LABELS), strict=True):
        (tmp_path / name).write_bytes(idx(array))
    return tmp_path


def idx_refusal(idx_folder):
    with pytest.raises(UserError) as error:
        read_fashion_mnist(idx_folder, TEST)
    assert "dataset-fashion-mnist" in str(error.value)
    return str(error.value)


def test_an_array_is_read_as_it_was_written(tmp_path, idx):
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    (tmp_path / "file").write_bytes(idx(array))
    np.testing.assert_array_equal(read_idx(tmp_path / "file", (2, 3, 4)), array)


@pytest.mark.parametrize("compressed", [False, True])
def test_a_split_is_read_plain_and_compressed(idx_folder, compressed):
    if compressed:
        for name in IDX_NAMES:
            content = gzip.compress((idx_folder / name).read_bytes(), compresslevel=1)
            (idx_folder / f"{name}.gz").write_bytes(content)
            (idx_folder / name).unlink()
    images = read_fashion_mnist(idx_folder, TEST)
    np.testing.assert_array_equal(images.pixels[..., 0], IDX_PIXELS)
    np.testing.assert_array_equal(images.labels, IDX_LABELS)
    assert images.pixels.shape == (10_000, 28, 28, 1)
    assert images.labels.dtype == np.int32


def test_the_training_split_has_60000_images(fashion_folder):
    images = fashion_mnist(str(fashion_folder))
    assert images.pixels.shape == (60_000, 28, 28, 1)
    assert images.labels.shape == (60_000,)


def test_another_magic_number_is_named(idx_folder, idx):
    (idx_folder / IDX_NAMES[0]).write_bytes(idx(IDX_PIXELS, magic=2050))
    message = idx_refusal(idx_folder)
    assert "magic number 2051" in message
    assert "begins with 2050" in message


def test_a_labels_file_in_the_place_of_the_images_is_named(idx_folder):
    (idx_folder / IDX_NAMES[0]).write_bytes((idx_folder / IDX_NAMES[1]).read_bytes())
    assert "begins with 2049" in idx_refusal(idx_folder)


def test_another_number_of_images_is_named(idx_folder, idx):
    (idx_folder / IDX_NAMES[0]).write_bytes(idx(IDX_PIXELS[:9]))
    assert "(10000, 28, 28)" in idx_refusal(idx_folder)
    assert "says (9, 28, 28)" in idx_refusal(idx_folder)


@pytest.mark.parametrize("change", [-1, 1])
def test_a_length_that_is_off_by_a_byte_is_named(idx_folder, change):
    path = idx_folder / IDX_NAMES[0]
    content = path.read_bytes()
    path.write_bytes(content[:-1] if change < 0 else content + b"\0")
    message = idx_refusal(idx_folder)
    assert "must have 7840016 bytes" in message
    assert f"has {7840016 + change}" in message


@pytest.mark.parametrize("size", [0, 3, 15])
def test_a_file_shorter_than_its_header_is_refused(idx_folder, size):
    path = idx_folder / IDX_NAMES[0]
    path.write_bytes(path.read_bytes()[:size])
    assert f"has {size} bytes" in idx_refusal(idx_folder)


@pytest.mark.parametrize("damage", ["truncated", "flipped"])
def test_a_damaged_compressed_file_is_refused(idx_folder, damage):
    path = idx_folder / IDX_NAMES[1]
    content = bytearray(gzip.compress(path.read_bytes()))
    if damage == "truncated":
        del content[len(content) // 2 :]
    else:
        content[-6] ^= 1  # In the checksum.
    path.write_bytes(content)
    assert "A compressed file must be whole" in idx_refusal(idx_folder)


def test_a_label_that_is_no_class_is_named(idx_folder, idx):
    labels = IDX_LABELS.copy()
    labels[17] = 10
    (idx_folder / IDX_NAMES[1]).write_bytes(idx(labels))
    assert "image 17" in idx_refusal(idx_folder)
    assert "label 10" in idx_refusal(idx_folder)


@pytest.mark.parametrize("name", IDX_NAMES)
def test_a_missing_file_is_named(idx_folder, name):
    (idx_folder / name).unlink()
    assert name in idx_refusal(idx_folder)


def test_a_missing_folder_is_named(tmp_path):
    assert "nowhere" in idx_refusal(tmp_path / "nowhere")


# CIFAR-10.


@pytest.fixture
def cifar_folder(tmp_path):
    """A whole test file."""
    (tmp_path / "test_batch.bin").write_bytes(RECORDS.tobytes())
    return tmp_path


def cifar_refusal(read, *arguments):
    with pytest.raises(UserError) as error:
        read(*arguments)
    assert "cifar-10-binary.tar.gz" in str(error.value)
    assert "--data_dir" in str(error.value)
    return str(error.value)


def test_a_pixel_is_where_the_format_says(cifar_folder):
    images = read_cifar10(cifar_folder, TEST_FILES)
    assert images.pixels.shape == (10_000, 32, 32, 3)
    np.testing.assert_array_equal(images.labels, RECORDS[:, 0])
    for color, row, column in ((0, 0, 0), (1, 3, 5), (2, 31, 30)):
        stored = RECORDS[:, 1 + 1024 * color + 32 * row + column]
        np.testing.assert_array_equal(images.pixels[:, row, column, color], stored)


@pytest.mark.parametrize("unpacked_in", ["", "cifar-10-batches-bin"])
def test_the_training_files_make_50000_images(cifar_folder, unpacked_in):
    target = cifar_folder / unpacked_in
    target.mkdir(exist_ok=True)
    for number in range(1, 6):
        (target / f"data_batch_{number}.bin").symlink_to(
            cifar_folder / "test_batch.bin"
        )
    images = cifar10(str(cifar_folder))
    assert images.pixels.shape == (50_000, 32, 32, 3)
    np.testing.assert_array_equal(images.labels[40_000:], RECORDS[:, 0])


@pytest.mark.parametrize("length", [0, 3073, 30_729_999])
def test_cifar_a_truncated_file_is_refused(cifar_folder, length):
    (cifar_folder / "test_batch.bin").write_bytes(RECORDS.tobytes()[:length])
    message = cifar_refusal(read_cifar10, cifar_folder, TEST_FILES)
    assert "30730000" in message
    assert f"has {length}" in message


def test_cifar_a_label_that_is_no_class_is_named(cifar_folder):
    records = RECORDS.copy()
    records[42, 0] = 11
    (cifar_folder / "test_batch.bin").write_bytes(records.tobytes())
    message = cifar_refusal(read_cifar10, cifar_folder, TEST_FILES)
    assert "image 42" in message
    assert "label 11" in message


def test_cifar_a_missing_file_is_named(cifar_folder):
    assert "data_batch_1.bin" in cifar_refusal(cifar10, str(cifar_folder))


def test_cifar_without_a_folder_it_is_below_where_the_run_is_started(
    cifar_folder, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    message = cifar_refusal(cifar10)
    assert "data/data_batch_1.bin cannot be read" in message
    assert "put it into data/ where the run is started" in message
    there = tmp_path / "data" / "cifar-10-batches-bin"
    there.mkdir(parents=True)
    for name in TRAIN_FILES:
        (there / name).symlink_to(cifar_folder / TEST_FILES[0])
    assert cifar10().pixels.shape == (50_000, 32, 32, 3)
