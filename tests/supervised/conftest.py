import struct

import jax
import numpy as np
import pytest
from jax.experimental.compilation_cache import compilation_cache

from redo_dopamine.supervised.images import Images


def idx_bytes(array, magic=None):
    """An IDX file of bytes."""
    magic = 0x0800 + array.ndim if magic is None else magic
    return struct.pack(f">{1 + array.ndim}I", magic, *array.shape) + array.tobytes()


@pytest.fixture(scope="package", autouse=True)
def compiled_once(tmp_path_factory):
    """Every experiment compiles again, mostly what one before it has compiled."""
    settings = {
        "jax_compilation_cache_dir": str(tmp_path_factory.mktemp("compiled")),
        "jax_persistent_cache_min_compile_time_secs": 0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    before = {name: getattr(jax.config, name) for name in settings}
    for name, value in settings.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()
    yield
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()


@pytest.fixture(scope="session")
def idx():
    return idx_bytes


@pytest.fixture(scope="session")
def make_images():
    return patterns


def patterns(num_images, shape, seed=0):
    """Images of ten classes that a small network can tell apart."""
    rng = np.random.default_rng(seed)
    prototypes = rng.integers(0, 256, (10, *shape))
    labels = rng.integers(0, 10, num_images).astype(np.int32)
    noise = rng.integers(-40, 41, (num_images, *shape), dtype=np.int16)
    pixels = np.clip(prototypes[labels] + noise, 0, 255).astype(np.uint8)
    return Images(pixels, labels)


@pytest.fixture(scope="session")
def fashion_folder(tmp_path_factory):
    """The training files of a made-up Fashion-MNIST, as large as the real one."""
    folder = tmp_path_factory.mktemp("fashion")
    few = patterns(600, (28, 28))
    pixels, labels = np.tile(few.pixels, (100, 1, 1)), np.tile(few.labels, 100)
    (folder / "train-images-idx3-ubyte").write_bytes(idx_bytes(pixels))
    labels_file = folder / "train-labels-idx1-ubyte"
    labels_file.write_bytes(idx_bytes(labels.astype(np.uint8)))
    return folder
