import gin
import pytest

from helpers import runs


@pytest.fixture(scope="session")
def stopped(tmp_path_factory):
    """A real run that has one of its two iterations left to do."""
    base_dir = tmp_path_factory.mktemp("stopped") / "run"
    runs.run(base_dir, bindings=(*runs.TINY_REDO, "Runner.num_iterations = 1"))
    gin.clear_config()
    return base_dir
