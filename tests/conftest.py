import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import gin
import pytest
from hypothesis import settings

from redo_dopamine import compat as compat  # Before any test imports Dopamine.

# The same examples at every run, and no deadline: the first one compiles.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")


@pytest.fixture
def clean_gin():
    """Gin's global state empty before and after."""
    gin.clear_config()
    yield
    gin.clear_config()
