import atexit
import os
import shutil
import signal
import tempfile
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Many tests build the same agent: compiled once for all workers and what they start.
os.environ["JAX_COMPILATION_CACHE_DIR"] = (
    os.environ["JAX_COMPILATION_CACHE_DIR"]
    if "PYTEST_XDIST_WORKER" in os.environ
    else tempfile.mkdtemp(prefix="compiled_")
)
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.1"
os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"

import gin
import jax
import pytest
from hypothesis import settings

from redo_dopamine import compat as compat  # Before any test imports Dopamine.
from redo_dopamine.cli import process

if "PYTEST_XDIST_WORKER" not in os.environ:
    atexit.register(
        shutil.rmtree, os.environ["JAX_COMPILATION_CACHE_DIR"], ignore_errors=True
    )
# The same examples at every run, and no deadline: the first one compiles.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def same_signals():
    """Signals as they were, where a command was run in this process."""
    before = {number: signal.getsignal(number) for number in process.SIGNALS}
    yield
    for number, handler in before.items():
        if signal.getsignal(number) != handler:
            signal.signal(number, handler)


@pytest.fixture
def clean_gin():
    """Gin's global state empty before and after."""
    gin.clear_config()
    yield
    gin.clear_config()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark as slow what tests/slow.txt lists, which were more than 2 seconds each."""
    lines = Path(__file__).with_name("slow.txt").read_text().splitlines()[1:]
    listed = dict(line.split(" ", 1) for line in lines)
    seen = set()
    for item in items:
        name = item.nodeid.partition("[")[0]
        which = listed.get(name)
        if which == "all" or (which == "but the first" and name in seen):
            item.add_marker(pytest.mark.slow)
        seen.add(name)


@pytest.fixture(scope="module", autouse=True)
def forget_what_is_compiled():
    """Nothing compiled from one module to the next: memory, and time to collect it."""
    yield
    jax.clear_caches()
