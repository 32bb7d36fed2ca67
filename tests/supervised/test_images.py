import numpy as np
import pytest

from redo_dopamine.supervised.images import Images, averaged, choose, standardise


def test_standardising_is_per_colour():
    pixels = np.zeros((2, 1, 2, 3), np.uint8)
    pixels[..., 0] = [[[10, 10]], [[20, 20]]]
    pixels[..., 1] = 7  # Never changes.
    pixels[..., 2] = [[[0, 4]], [[0, 4]]]
    found = standardise(pixels)
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
