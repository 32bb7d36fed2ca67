"""Metadata of other forms: the older checkpoint, or a message; never a traceback."""

import shutil
import types

import numpy as np
import pytest

from helpers.stub_agent import StubRun
from redo_dopamine.errors import UserError
from redo_dopamine.rundir import checkpoint
from redo_dopamine.runners import resumable
from redo_dopamine.runners.resume import TrainPhase

GONE = object()
VALUES = (GONE, None, -1, 1.5, "x", [], {}, True)
# What versions before may lack.
MAY_LACK = ("rollbacks", "metrics_crc")
CASES = [
    (name, value)
    for name in ("iteration", "phase", "rollbacks", "config", "metrics_size")
    for value in VALUES
    if not (value is GONE and name in MAY_LACK)
    and not (name == "config" and value == "x")
    and not (name == "phase" and value == {})
]
PHASES = [{"num_steps": x} for x in (None, -1, 1.5, "x", [], True, 10**400)] + [
    {"action": "x"},
    {"action": ["x"]},
    {"action": [[1]]},
    {"over": 1},
    {"sum_returns": "1"},
    *({name: 10**400} for name in ("sum_returns", "seconds", "episode_return")),
    {"seconds": float("nan")},
    {"action": [10**400]},
    {"unknown": 1},
    {"\x1b[2J" * 1000: 1},
]
CASES += [("phase", phase) for phase in PHASES]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    base_dir = tmp_path_factory.mktemp("saved") / "run"
    base_dir.mkdir()
    run = StubRun(base_dir)
    return base_dir, [run.advance_and_save(iteration) for iteration in range(2)]


def change(base_dir, number, name, value):
    path = checkpoint.path_of(base_dir / "checkpoints", number)
    arrays, meta = checkpoint.read(path)
    meta[name] = value
    if value is GONE:
        del meta[name]
    checkpoint.write_file(path, arrays, meta)


@pytest.mark.parametrize(("name", "value"), CASES, ids=lambda x: str(x)[:20])
def test_the_older_checkpoint_is_taken_up(name, value, saved, tmp_path, capsys):
    base_dir, contents = saved
    copy = shutil.copytree(base_dir, tmp_path / "run")
    change(copy, 1, name, value)
    run = StubRun(copy)
    assert run.resume().iteration == 0
    assert run.agent.content() == contents[0]
    said = capsys.readouterr().err
    assert "must say where its run stands" in said
    assert name in said
    assert len(said) < 1000
    assert all(x.isprintable() or x == "\n" for x in said)


def test_where_no_checkpoint_is_whole_there_is_a_message(saved, tmp_path):
    copy = shutil.copytree(saved[0], tmp_path / "run")
    rows = (copy / "metrics.csv").read_bytes()
    for number in (0, 1):
        change(copy, number, "phase", GONE)
    with pytest.raises(UserError, match="none in"):
        StubRun(copy).resume()
    assert (copy / "metrics.csv").read_bytes() == rows


def test_an_environment_that_cannot_be_restored_is_damage(saved, tmp_path, capsys):
    copy = shutil.copytree(saved[0], tmp_path / "run")
    tried = []

    def restore(state):
        np.testing.assert_array_equal(state["emulator"], np.arange(50))
        tried.append(state)
        if len(tried) == 1:
            raise KeyError("screens")

    assert StubRun(copy).checkpoints.resume(restore).iteration == 0
    assert "must hold the state of its environment" in capsys.readouterr().err


def test_what_a_phase_writes_it_reads():
    for action in (None, 3, [0.5, -1.0]):
        phase = TrainPhase(num_steps=3, action=action, sum_returns=2.5, over=True)
        assert TrainPhase.from_json(phase.to_json()) == phase


@pytest.mark.parametrize("action", [5, True, [0], [], [0.5, -1.0]])
def test_an_action_that_the_game_does_not_have_is_refused(action):
    class Run:
        _environment = types.SimpleNamespace(action_space=types.SimpleNamespace(n=5))

    check = resumable.ResumableRunner._check_action
    check(Run, None)
    check(Run, 4)
    if action is True:  # JSON's true, which a phase does not take for a number.
        with pytest.raises(ValueError, match="no training phase"):
            TrainPhase.from_json({"action": True})
        return
    with pytest.raises(ValueError, match="is no action of it"):
        check(Run, action)
