"""A task of an array with fake runs, signalled as Slurm does: all processes at once."""

import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from redo_dopamine.launch.slurm import task as slurm_task
from redo_dopamine.launch.slurm.task import RunFailedError, RunTask
from redo_dopamine.rundir import lock
from redo_dopamine.rundir import status as run_status

HERE = Path(__file__).parent
FAKE, STOPPABLE = HERE / "fake_run.py", HERE / "fake_stoppable_run.py"
# A job's process: with submitit's handlers, here one that tells that it was called.
JOB = (
    "import pathlib, signal, sys\n"
    "from redo_dopamine.launch.slurm.task import RunTask\n"
    "def requeue(number, frame):\n"
    "    print('requeued', flush=True)\n"
    "    sys.exit(255)\n"
    "signal.signal(signal.SIGUSR2, requeue)\n"
    "directory, *arguments = sys.argv[1:]\n"
    "task = RunTask([sys.executable, *arguments], pathlib.Path(directory), cpus=1,\n"
    "               minutes=1, grace=20)\n"
    "print(task(), flush=True)\n"
)
SCONTROL = "#!/bin/sh\necho JobId=7 JobState={} PreemptTime={} Partition=low\n"


def task(directory, *arguments, **settings):
    defaults = {"cpus": 1, "minutes": 1, "grace": 10.0}
    command = [sys.executable, *map(str, arguments)]
    return RunTask(command, directory, **defaults | settings)


def fake(directory, behavior):
    return task(directory, FAKE, directory, behavior)


def test_a_run_to_its_end(tmp_path):
    assert fake(tmp_path, "succeed")() == "done"
    assert run_status.read(tmp_path).state == "done"
    assert (tmp_path / "cores").read_text().endswith(" 1")


@pytest.mark.parametrize("behavior", ["crash_once", "be_killed_once"])
def test_a_crash_is_made_good_in_place(behavior, tmp_path):
    assert fake(tmp_path, behavior)() == "done"
    assert run_status.read(tmp_path).attempts == 2


def test_three_crashes_are_a_failure_with_the_end_of_the_log(tmp_path):
    with pytest.raises(RunFailedError, match=r"log\.txt ends:\n(?s:.*)out of luck"):
        fake(tmp_path, "crash")()
    status = run_status.read(tmp_path)
    assert (status.state, status.attempts) == ("failed", 3)
    assert status.message == (
        "exit status 1: ValueError: out of luck; its log ends: ValueError: out of luck"
    )


def test_a_killed_run_is_marked_failed(tmp_path):
    with pytest.raises(RunFailedError):
        fake(tmp_path, "be_killed")()
    status = run_status.read(tmp_path)
    assert (status.state, status.message) == ("failed", "killed by SIGKILL")


def test_a_mistake_is_not_tried_again(tmp_path):
    with pytest.raises(RunFailedError, match="exit status 2"):
        fake(tmp_path, "mistake")()
    assert (tmp_path / "log.txt").read_text().count("error: ") == 1


def test_a_run_that_another_process_has(tmp_path):
    with lock.held(tmp_path):
        assert fake(tmp_path, "succeed")() == "taken elsewhere"


def start_job(directory, *arguments, **environment):
    directory.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-c", JOB, str(directory), *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=HERE.parent.parent,
        env=os.environ | environment,
    )


def child_of(process):
    """The run's process, once it executes its command."""
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline:
        path = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        found = path.read_text().split()
        if found and b"-c" not in Path(f"/proc/{found[0]}/cmdline").read_bytes():
            return int(found[0])
        time.sleep(0.02)
    raise AssertionError("no child")


def wait_for_a_step(directory):
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline:
        status = run_status.read(directory)
        if status is not None and status.agent_step > 0:
            return
        time.sleep(0.02)
    raise AssertionError("no step")


def signal_all(process, number):
    child = child_of(process)
    process.send_signal(number)
    os.kill(child, number)


def test_the_warning_becomes_a_checkpoint_and_a_requeue(tmp_path):
    job = start_job(tmp_path, STOPPABLE, tmp_path, 5)
    wait_for_a_step(tmp_path)
    signal_all(job, signal.SIGUSR2)
    out, _ = job.communicate(timeout=100)
    assert (out, job.returncode) == ("requeued\n", 255)
    assert int((tmp_path / "checkpoint").read_text()) >= 1
    assert run_status.read(tmp_path).state == "stopped"
    # And again, to the end.
    job = start_job(tmp_path, STOPPABLE, tmp_path, 0.5)
    assert job.communicate(timeout=100)[0] == "done\n"
    assert run_status.read(tmp_path).attempts == 2


def test_a_run_that_has_just_begun_is_told_again(tmp_path):
    job = start_job(tmp_path, STOPPABLE, tmp_path, 5, 2)
    signal_all(job, signal.SIGUSR2)
    assert job.communicate(timeout=100)[0] == "requeued\n"
    assert (tmp_path / "checkpoint").read_text() in ("0", "1")


@pytest.mark.parametrize(
    ("number", "state", "preempted_at", "said"),
    [
        (signal.SIGTERM, "RUNNING", "2026-01-01T00:00:00", "requeued\n"),
        (signal.SIGTERM, "RUNNING", "None", "stopped\n"),
        (signal.SIGTERM, "CANCELLED", "None", "stopped\n"),
        (signal.SIGUSR1, "RUNNING", "2026-01-01T00:00:00", "stopped\n"),
    ],
)
def test_other_signals(number, state, preempted_at, said, tmp_path):
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "scontrol").write_text(SCONTROL.format(state, preempted_at))
    (programs / "scontrol").chmod(0o755)
    path = f"{programs}:{os.environ['PATH']}"
    job = start_job(
        tmp_path / "run", STOPPABLE, tmp_path / "run", 5, PATH=path, SLURM_JOB_ID="7"
    )
    wait_for_a_step(tmp_path / "run")
    signal_all(job, number)
    assert job.communicate(timeout=100)[0] == said
    assert (tmp_path / "run" / "checkpoint").exists()


def test_a_run_that_was_told_by_somebody_else_has_stopped(tmp_path):
    job = start_job(tmp_path, STOPPABLE, tmp_path, 5)
    wait_for_a_step(tmp_path)
    os.kill(child_of(job), signal.SIGTERM)
    assert job.communicate(timeout=100)[0] == "stopped\n"
    assert job.returncode == 0


def test_a_run_that_does_not_heed_is_killed_in_time(tmp_path, monkeypatch):
    monkeypatch.setattr(slurm_task, "_POLL_SECONDS", 0.05)
    requeued = []
    before = signal.signal(signal.SIGUSR2, lambda *x: requeued.append(x[0]))
    try:
        hanging = task(tmp_path, FAKE, tmp_path, "hang", grace=0.5)
        subprocess.Popen(["sh", "-c", f"sleep 1; kill -USR2 {os.getpid()}"])
        assert hanging() == "stopped"
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert requeued == [signal.SIGUSR2]
    assert run_status.actual_state(tmp_path) == "stopped"


def test_no_step_in_three_times_the_time_is_a_failure(tmp_path):
    idle = task(tmp_path, minutes=0)
    idle._count_idle_attempts(1.0, 0)
    idle._count_idle_attempts(1.0, 0)
    again = pickle.loads(pickle.dumps(idle))  # As by a requeue.
    with pytest.raises(RunFailedError, match="give a longer --time"):
        again._count_idle_attempts(1.0, 0)
    assert "no new agent step in 3 times" in run_status.read(tmp_path).message


def test_submitit_gets_the_same_task_again(tmp_path):
    submitit = pytest.importorskip("submitit")
    found = task(tmp_path).checkpoint()
    assert isinstance(found, submitit.helpers.DelayedSubmission)
    assert isinstance(found.function, RunTask)
