import numpy as np
import pytest

from helpers import runs

# Two updates every four agent steps, so that the last gradient step of a checkpoint is
# one of tracking.
SETTINGS = (
    *runs.TINY,
    "RecycledDQNAgent.tracking_period = 2",
    "RecycledDQNAgent.taus = (0.0, 0.4)",
    "RecycledDQNAgent.metrics = "
    "[@previous_share(), @policy_churn(), @gradient_norm(), @distance_from_initial()]",
    "previous_share.taus = (0.4,)",
)


@pytest.fixture(autouse=True)
def gin_state(clean_gin):
    pass


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    return runs.run(tmp_path_factory.mktemp("inspect") / "run", "dqn.gin", SETTINGS)


@pytest.fixture(autouse=True)
def untouched(run):
    """Nothing in this file may change the run."""
    before = runs.fingerprint(run)
    yield
    assert runs.fingerprint(run) == before


@pytest.fixture
def states(tmp_path):
    rng = np.random.default_rng(0)
    np.save(
        tmp_path / "states.npy", rng.integers(0, 256, (5, 84, 84, 4), dtype=np.uint8)
    )
    return tmp_path / "states.npy"
