"""Runs with a network of Dopamine's own, or of a user's, whose layers are derived."""

import sys

import pytest

from helpers import runs
from redo_dopamine.errors import UserError
from redo_dopamine.inspect.measure import inspect_checkpoint

DOPAMINES = (
    *(x for x in runs.TINY_REDO if "NatureNetwork" not in x),
    "JaxDQNAgent.network = @networks.ClassicControlDQNNetwork",
    "ClassicControlDQNNetwork.hidden_units = 8",
)
# A module as docs/your_own_network.md has one.
OWN = """
import collections

import flax.linen as nn
import gin

Output = collections.namedtuple("Output", ["q_values"])


@gin.configurable(module="module_of_mine")
class NetworkOfMine(nn.Module):
    num_actions: int

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Dense(6)(x.reshape(-1) / 255))
        x = nn.relu(nn.Dense(5)(x))
        return Output(nn.Dense(self.num_actions)(x))
"""


@pytest.fixture(autouse=True)
def untouched():
    """In the place of that of conftest, which makes another run."""


def logged_last(run, name):
    return float([row for row in runs.metrics(run) if row["name"] == name][-1]["value"])


def test_a_run_with_dopamines_network_is_inspected_and_resumed(tmp_path):
    run = runs.run(tmp_path / "whole", "dqn_redo.gin", DOPAMINES)
    found = inspect_checkpoint(run, metrics=())
    assert {k: len(x) for k, x in found.scores.items()} == {
        "layers_0": 8,
        "layers_1": 8,
    }
    assert logged_last(run, "recycled/layers_0") >= 0
    config = (run / "config.gin").read_text()
    assert "@networks.ClassicControlDQNNetwork" in config

    half = tmp_path / "half"
    runs.run(half, "dqn_redo.gin", (*DOPAMINES, "Runner.num_iterations = 1"))
    runs.run(half, "dqn_redo.gin", DOPAMINES)
    assert runs.metrics(half) == runs.metrics(run)


def test_a_users_module_is_imported_only_if_it_is_trusted(tmp_path, monkeypatch):
    (tmp_path / "module_of_mine.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    gin_file = tmp_path / "mine.gin"
    gin_file.write_text(
        "include 'dqn_redo.gin'\nimport module_of_mine\n"
        "JaxDQNAgent.network = @NetworkOfMine\n"
    )
    bindings = [x for x in runs.TINY_REDO if "NatureNetwork" not in x]
    run = runs.run(tmp_path / "run", str(gin_file), bindings)
    with pytest.raises(UserError, match="--trust_modules"):
        inspect_checkpoint(run, metrics=())
    found = inspect_checkpoint(run, metrics=(), trust_modules=["module_of_mine"])
    assert list(found.scores) == ["Dense_0", "Dense_1"]
    del sys.modules["module_of_mine"]
