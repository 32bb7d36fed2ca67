"""Every write, flush and rename of a checkpoint fails once: the run can be resumed."""

import os
import shutil

import numpy as np
import pytest

from helpers.failing_disk import FailingDisk, die, no_space
from helpers.stub_agent import StubRun
from redo_dopamine.rundir import checkpoint

pytestmark = pytest.mark.slow


@pytest.fixture
def saved(tmp_path):
    """A run that has begun to delete old checkpoints, and what it held at the last."""
    (tmp_path / "run").mkdir()
    run = StubRun(tmp_path / "run")
    contents = [run.advance_and_save(iteration) for iteration in range(5)]
    return run, contents[-1]


def resumed(base_dir):
    """A new process's view: where it goes on, and with what."""
    run = StubRun(base_dir)
    snapshot = run.resume()
    return snapshot.iteration, run.agent.content(), run


def count_calls(run):
    """What another checkpoint does to the disk."""
    disk = FailingDisk(no_space)
    with disk.installed():
        run.save(5)
    return disk.calls


def test_every_call_that_fails_leaves_a_checkpoint_and_the_run_goes_on(
    saved, tmp_path, capsys
):
    calls = count_calls(a_copy(tmp_path, "count"))
    assert {"open", "write", "fsync", "replace", "unlink"} <= set(calls)
    for at in range(len(calls)):
        run = a_copy(tmp_path, f"error{at}")
        base_dir = run.base_dir
        before = run.agent.content()
        run.agent.advance()
        after = run.agent.content()
        disk = FailingDisk(no_space, at)
        with disk.installed():
            run.save(5)  # Fails once, and says so; nothing is raised.
        assert len(disk.calls) > at
        iteration, content, _ = resumed(base_dir)
        assert (iteration, content) in [(4, before), (5, after)], calls[at]
        # The disk is well again: the next checkpoint is whole, and the one resumed.
        new = run.advance_and_save(6)
        assert resumed(base_dir)[:2] == (6, new), calls[at]
        shutil.rmtree(base_dir)
    warnings = capsys.readouterr().err.count("could not be written")
    print(f"{len(calls)} faults injected, {warnings} of them named")
    assert warnings >= len(calls) / 2


def test_a_process_that_dies_at_any_call_leaves_a_checkpoint(saved, tmp_path):
    calls = count_calls(a_copy(tmp_path, "count"))
    for at in range(len(calls)):
        run = a_copy(tmp_path, f"death{at}")
        base_dir = run.base_dir
        before = run.agent.content()
        run.agent.advance()
        after = run.agent.content()
        child = os.fork()
        if child == 0:
            with FailingDisk(die, at).installed():
                run.save(5)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -9
        iteration, content, survivor = resumed(base_dir)
        assert (iteration, content) in [(4, before), (5, after)], calls[at]
        new = survivor.advance_and_save(6)
        assert resumed(base_dir)[:2] == (6, new), calls[at]
        parts = list((base_dir / "checkpoints").rglob("*.part"))
        assert parts == []
        shutil.rmtree(base_dir)


def a_copy(tmp_path, name):
    run = StubRun(shutil.copytree(tmp_path / "run", tmp_path / name))
    run.resume()
    return run


def test_a_disk_that_stays_full_costs_checkpoints_only(saved, capsys):
    run, last = saved
    disk = FailingDisk(no_space)
    disk.note = lambda what: no_space() if what in ("write", "open") else None
    with disk.installed():
        for iteration in range(5, 11):
            run.agent.advance()
            run.save(iteration)
    assert capsys.readouterr().err.count("No space left on device") == 6
    assert resumed(run.base_dir)[:2] == (4, last)
    new = run.advance_and_save(11)
    assert resumed(run.base_dir)[:2] == (11, new)


def test_a_base_dir_that_is_deleted_is_named_and_does_not_stop_the_run(saved, capsys):
    run, _ = saved
    shutil.rmtree(run.base_dir)
    run.agent.advance()
    run.save(5)
    assert "could not be written" in capsys.readouterr().err


def test_a_clock_that_jumps_changes_nothing(saved, monkeypatch):
    run, last = saved
    monkeypatch.setattr("time.time", lambda: 0.0)
    assert resumed(run.base_dir)[:2] == (4, last)


def test_arrays_of_other_shapes_are_refused_and_named():
    arrays = checkpoint.flatten({"a": np.zeros((2, 3)), "b": np.zeros(1)}, "agent")
    with pytest.raises(ValueError, match=r"'a'\] is float64\[2, 3\] there and .*3, 2"):
        checkpoint.unflatten({"a": np.zeros((3, 2)), "b": np.ones(1)}, arrays, "agent")
