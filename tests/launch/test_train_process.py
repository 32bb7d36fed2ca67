"""`redo_dopamine.train` as launchers know it: its lock, its status, its exit status."""

import subprocess
import sys

import pytest

from helpers import runs
from redo_dopamine import training
from redo_dopamine.rundir import lock
from redo_dopamine.rundir import status as run_status


def test_a_directory_in_use_is_refused_with_status_3(tmp_path):
    command = [sys.executable, "-m", "redo_dopamine.train", "--gin_files=demo.gin"]
    with lock.held(tmp_path):
        result = subprocess.run(
            [*command, f"--base_dir={tmp_path}"],
            capture_output=True,
            text=True,
            check=False,
        )
    assert result.returncode == 3
    assert result.stderr.startswith("error: A run's directory belongs to one process")
    assert list(tmp_path.iterdir()) == []


def test_status_of_a_run_from_its_start_to_its_end(tmp_path, clean_gin, monkeypatch):
    runs.configure_run("dqn_redo.gin", runs.TINY_REDO)
    checkpoint = training.PlasticityRunner._checkpoint

    def fail_after_the_second_iteration(self):
        seen.append(run_status.actual_state(tmp_path))
        if len(seen) == 2:
            raise OSError("no space left")
        checkpoint(self)

    seen = []
    monkeypatch.setattr(
        training.PlasticityRunner, "_checkpoint", fail_after_the_second_iteration
    )
    with pytest.raises(OSError, match="no space left"):
        training.train(str(tmp_path), scale=0.5)
    status = run_status.read(tmp_path)
    assert (status.state, status.message) == ("failed", "OSError: no space left")
    assert (status.scale, status.agent_steps, status.attempts) == (0.5, 120, 1)
    assert status.agent_step >= 120
    assert lock.holder(tmp_path) is None

    runs.configure_run("dqn_redo.gin", runs.TINY_REDO)
    training.train(str(tmp_path), scale=0.5)
    status = run_status.read(tmp_path)
    assert (status.state, status.message, status.attempts) == ("done", "", 2)
    assert set(seen) == {"running"}

    # A finished run stays as it is; only a status that is not there is made.
    before = (tmp_path / "status.json").read_text()
    training.train(str(tmp_path))
    assert (tmp_path / "status.json").read_text() == before
    (tmp_path / "status.json").unlink()
    training.train(str(tmp_path))
    assert run_status.read(tmp_path).state == "done"
