"""Real disks fail under a real run: it goes on, or says why and can be resumed."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys

import pytest

from helpers import commands, mounts, runs
from redo_dopamine import errors
from redo_dopamine.rundir import checkpoint as checkpoints
from redo_dopamine.rundir import status as run_status
from redo_dopamine.runners.resumable import ResumableRunner

pytestmark = pytest.mark.slow


THREE = (*runs.TINY_REDO, "Runner.num_iterations = 3", "Runner.training_steps = 40")
NOT_WRITTEN = "warning: A checkpoint could not be written"
# Of the three checkpoints of a run, one per iteration.
FIRST, SECOND, THIRD = range(3)


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The rows of a run that nothing happens to."""
    base_dir = tmp_path_factory.mktemp("straight") / "run"
    assert commands.redo_train(*commands.arguments(base_dir, THREE)) == 0
    return runs.metrics(base_dir)


@pytest.fixture
def disk(tmp_path):
    with mounts.small_disk(tmp_path / "disk") as disk:
        yield disk


@pytest.fixture
def before_checkpoint(monkeypatch):
    """Has something happen, once, just before one of a run's checkpoints."""
    checkpoint = ResumableRunner._checkpoint

    def install(events):
        count = 0

        def noted(self):
            nonlocal count
            count += 1
            events.get(count - 1, lambda: None)()
            checkpoint(self)

        monkeypatch.setattr(ResumableRunner, "_checkpoint", noted)

    return install


@pytest.fixture
def train(capfd):
    """Status and standard error of the command, TensorFlow's part of it too."""

    def train(base_dir):
        capfd.readouterr()
        status = commands.redo_train(*commands.arguments(base_dir, THREE))
        said = capfd.readouterr().err
        assert "Traceback" not in said
        return status, said

    return train


def numbers(base_dir):
    return checkpoints.numbers(base_dir / "checkpoints")


def test_a_disk_that_is_full_for_a_while_costs_one_checkpoint(
    disk, expected, before_checkpoint, train
):
    fillers = []
    before_checkpoint(
        {
            SECOND: lambda: fillers.append(mounts.fill(disk)),
            THIRD: lambda: fillers[0].unlink(),
        }
    )
    status, said = train(disk / "run")
    assert said.count(NOT_WRITTEN) == 1, said
    assert said.count("warning: Rows of") == 1, said
    assert said.count("warning: ") <= 3, said  # Perhaps of TensorBoard's events too.
    assert status == errors.COMPLETE, said
    assert numbers(disk / "run") == [1, 0]
    assert runs.metrics(disk / "run") == expected


def test_a_disk_that_stays_full_ends_the_run_with_a_message(
    disk, expected, before_checkpoint, train
):
    fillers = []
    before_checkpoint({SECOND: lambda: fillers.append(mounts.fill(disk))})
    status, said = train(disk / "run")
    assert status == errors.CRASHED, said
    assert said.count("error: The run's files could not be written") == 1, said
    assert NOT_WRITTEN in said
    assert numbers(disk / "run") == [0]

    # Nor is there anything to begin with.
    status, said = train(disk / "run")
    assert status == errors.CRASHED
    assert said.count("error: ") == 1, said
    assert "No space left on device" in said

    fillers[0].unlink()
    status, said = train(disk / "run")
    assert status == errors.COMPLETE, said
    assert runs.metrics(disk / "run") == expected


def test_a_run_that_is_stopped_on_a_full_disk_says_that_it_can_go_on(
    disk, expected, before_checkpoint, train
):
    fillers = []

    def fill_and_stop():
        fillers.append(mounts.fill(disk))
        os.kill(os.getpid(), signal.SIGTERM)

    before_checkpoint({SECOND: fill_and_stop})
    status, said = train(disk / "run")
    assert status == errors.STOPPED, said
    assert said.count(NOT_WRITTEN) == 2, said  # That of the iteration, and the last.
    assert numbers(disk / "run") == [0]
    fillers[0].unlink()
    assert train(disk / "run")[0] == errors.COMPLETE
    assert runs.metrics(disk / "run") == expected


def test_a_directory_that_becomes_read_only_costs_checkpoints(
    tmp_path, expected, before_checkpoint, train
):
    base_dir = tmp_path / "run"
    with contextlib.ExitStack() as stack:
        before_checkpoint(
            {SECOND: lambda: stack.enter_context(mounts.read_only(base_dir))}
        )
        status, said = train(base_dir)
        assert status == errors.CRASHED, said
        assert said.count(NOT_WRITTEN) == 2, said
        assert said.count("error: The run's files could not be written") == 1, said
        assert numbers(base_dir) == [0]

        # From the start it is a mistake in what was typed.
        before = runs.fingerprint(base_dir)
        status, said = train(base_dir)
        assert status == errors.USER_ERROR
        assert said.count("error: ") == 1
        assert "must be a directory that can be written" in said
        assert runs.fingerprint(base_dir) == before
    assert train(base_dir)[0] == errors.COMPLETE
    assert runs.metrics(base_dir) == expected


def test_a_base_dir_that_is_deleted_is_named(tmp_path, before_checkpoint, train):
    base_dir = tmp_path / "run"
    before_checkpoint({SECOND: lambda: shutil.rmtree(base_dir)})
    status, said = train(base_dir)
    assert status == errors.IN_USE
    assert said.count("error: A run's directory must stay where it is") == 1, said
    assert str(base_dir) in said
    assert not base_dir.exists()


def test_a_clock_that_jumps_changes_nothing(
    tmp_path, expected, before_checkpoint, train, monkeypatch
):
    """Back by decades and ahead again, in a run and between two processes of it."""
    base_dir, now = tmp_path / "run", [2e9]
    monkeypatch.setattr("time.time", lambda: now[0])
    monkeypatch.setattr("time.time_ns", lambda: int(1e9 * now[0]))

    def jump_back():
        now[0] = 1.0

    def jump_ahead_and_stop():
        now[0] = 4e9
        raise KeyboardInterrupt

    before_checkpoint({FIRST: jump_back, THIRD: jump_ahead_and_stop})
    with pytest.raises(KeyboardInterrupt):
        train(base_dir)
    assert numbers(base_dir) == [1, 0]
    now[0] = 0.0
    assert train(base_dir)[0] == errors.COMPLETE
    assert run_status.read(base_dir).state == "done"
    assert runs.metrics(base_dir) == expected


def test_a_run_goes_on_though_its_output_goes_nowhere(tmp_path, expected):
    base_dir = tmp_path / "run"
    command = [sys.executable, "-m", "redo_dopamine.train"]
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            [*command, *commands.arguments(base_dir, THREE)],
            stdout=full,
            stderr=full,
            check=False,
        )
    assert result.returncode == errors.COMPLETE
    assert run_status.read(base_dir).state == "done"
    assert runs.metrics(base_dir) == expected


def test_a_run_whose_directory_is_another_ones_by_now_stops(
    tmp_path, before_checkpoint, train
):
    base_dir = tmp_path / "run"

    def replace():
        shutil.rmtree(base_dir)
        base_dir.mkdir()
        (base_dir / "metrics.csv").write_text("of another run")

    before_checkpoint({SECOND: replace})
    status, said = train(base_dir)
    assert status == errors.IN_USE
    assert said.count("error: ") == 1, said
    assert [x.name for x in base_dir.iterdir()] == ["metrics.csv"]
    assert (base_dir / "metrics.csv").read_text() == "of another run"
