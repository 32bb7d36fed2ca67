"""Weights & Biases: what it is told; the real one, offline, where it is installed."""

import sys
import types

import pytest
from dopamine.metrics import statistics_instance

from helpers import runs
from redo_dopamine.errors import UserError
from redo_dopamine.runners.collectors import Clock
from redo_dopamine.runners.wandb_collector import WandbCollector

COLLECTORS = "CollectorDispatcher.collectors = ('csv', 'wandb')"


@pytest.fixture(autouse=True)
def gin_state(clean_gin):
    pass


class FakeRun:
    """What it was told."""

    def __init__(self, **settings):
        self.settings, self.logged, self.finished = settings, [], False

    def define_metric(self, name, **settings):
        pass

    def log(self, values):
        self.logged.append(values)

    def finish(self):
        self.finished = True


@pytest.fixture
def told(monkeypatch):
    """The runs that were begun, in a stand-in for wandb."""
    begun = []

    def init(**settings):
        begun.append(FakeRun(**settings))
        return begun[-1]

    fake = types.SimpleNamespace(init=init, Error=RuntimeError)
    monkeypatch.setitem(sys.modules, "wandb", fake)
    return begun


def test_scalars_are_logged_with_the_clock(told, tmp_path):
    made = WandbCollector(str(tmp_path), lambda: Clock(1, 20, 5))
    made.write([statistics_instance.StatisticsInstance("loss", 0.5, step=20)])
    made.close()
    clock = {"iteration": 1, "agent_step": 20, "gradient_step": 5}
    assert told[0].logged == [{**clock, "loss": 0.5}]
    assert told[0].finished


def test_a_run_that_is_resumed_has_its_id(told, tmp_path):
    for name in ("a", "a", "b"):
        WandbCollector(str(tmp_path / name), lambda: Clock(0, 0, 0))
    ids = [run.settings["id"] for run in told]
    assert ids[0] == ids[1] != ids[2]
    assert {run.settings["resume"] for run in told} == {"allow"}


@pytest.mark.slow
def test_a_run_logs_what_its_csv_has(told, tmp_path):
    settings = (*runs.TINY, "Runner.num_iterations = 1", COLLECTORS)
    run = runs.run(tmp_path / "run", "dqn.gin", settings)
    [seen] = told
    assert seen.settings["config"]["JaxDQNAgent.seed"] == "3"
    rows = {(row["agent_step"], row["name"]) for row in runs.metrics(run, True)}
    clock = ("iteration", "agent_step", "gradient_step")
    assert rows == {
        (str(x["agent_step"]), name)
        for x in seen.logged
        for name in x
        if name not in clock
    }
    assert seen.finished


# A directory of that name can be imported.
@pytest.mark.parametrize("there", [None, types.ModuleType("wandb")])
def test_without_wandb_it_says_what_to_install(there, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "wandb", there)
    with pytest.raises(UserError, match=r"pip install 'redo-dopamine\[wandb\]'"):
        WandbCollector(str(tmp_path), lambda: Clock(0, 0, 0))
    assert not [*tmp_path.iterdir()]


def test_the_real_one_offline(monkeypatch, tmp_path):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    made = WandbCollector(str(tmp_path), lambda: Clock(1, 20, 5))
    made.write([statistics_instance.StatisticsInstance("loss", 0.5, step=20)])
    assert made._run.id == (tmp_path / "metrics" / "wandb" / "run_id").read_text()
    made.close()
    assert [*(tmp_path / "metrics" / "wandb" / "wandb").glob("offline-run-*")]
