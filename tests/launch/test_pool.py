"""The pool against runs that crash, hang, are killed, and succeed."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from redo_dopamine.launch import common
from redo_dopamine.launch.pool import Pool
from redo_dopamine.rundir import lock
from redo_dopamine.rundir import status as run_status
from redo_dopamine.studies.plan import Run

FAKE = Path(__file__).parent / "fake_run.py"
STOPPABLE = Path(__file__).parent / "fake_stoppable_run.py"


def fake_command(run):
    """The arm of a fake run is what it does."""
    return [sys.executable, str(FAKE), str(run.directory), run.arm]


def fake_run(base_dir, behavior, seed=0):
    return Run(
        study="fake",
        arm=behavior,
        game="Pong",
        seed=seed,
        module="a fake of it",
        directory=base_dir / behavior / "Pong" / str(seed),
        gin_files=(),
        gin_bindings=(),
        scale=1.0,
        agent_steps=100,
        steps="agent steps",
        seconds=1.0,
    )


def make_pool(base_dir, behaviors, **settings):
    events = []
    runs = [fake_run(base_dir, *x.split("/")) for x in behaviors]
    defaults = {"core_sets": [[0], [0]], "time_limit": 60, "grace": 10}
    pool = Pool(runs, fake_command, on_event=events.append, **defaults | settings)
    return pool, events


def work(base_dir, *behaviors, **settings):
    pool, events = make_pool(base_dir, behaviors, **settings)
    return {task.run.arm: task for task in pool.run()}, events


def status(task):
    return run_status.read(task.run.directory)


def test_whatever_one_run_does_the_others_are_done(tmp_path):
    behaviors = ("crash", "mistake", "be_killed", "succeed", "crash_once")
    tasks, _ = work(tmp_path, *behaviors, "be_killed_once")
    assert {name: task.state for name, task in tasks.items()} == {
        "crash": "failed",
        "mistake": "failed",
        "be_killed": "failed",
        "succeed": "done",
        "crash_once": "done",
        "be_killed_once": "done",
    }
    # Tried thrice; a mistake once; twice where that was enough.
    attempts = {name: status(task).attempts for name, task in tasks.items()}
    assert attempts == {
        "crash": 3,
        "mistake": 0,
        "be_killed": 3,
        "succeed": 1,
        "crash_once": 2,
        "be_killed_once": 2,
    }
    assert tasks["crash"].message == "exit status 1: ValueError: out of luck"
    assert tasks["be_killed"].message == "killed by SIGKILL"
    assert tasks["mistake"].message == (
        "exit status 2: error: tau must be >= 0, but is -1."
    )
    assert tasks["mistake"].crashes == 1
    for name in ("crash", "mistake", "be_killed"):
        assert status(tasks[name]).state == "failed"
        assert status(tasks[name]).message == tasks[name].message
    log = common.end_of_log(tasks["crash"].run.directory)
    assert log.endswith("ValueError: out of luck")
    assert "about to fail" not in log
    assert log.count("about to crash") <= 3


def test_a_run_that_hangs_is_ended_and_tried_again(tmp_path):
    tasks, events = work(tmp_path, "hang", "succeed", time_limit=3, retries=1)
    assert tasks["hang"].state == "failed"
    assert tasks["hang"].message == "no new agent step for 3 s"
    assert tasks["hang"].crashes == 2
    assert status(tasks["hang"]).state == "failed"
    assert tasks["succeed"].state == "done"
    assert sum("to be tried again" in event for event in events) == 1


def test_a_run_that_will_not_end_is_killed(tmp_path):
    started = time.monotonic()
    tasks, _ = work(
        tmp_path, "ignore_sigterm_and_hang", time_limit=1, retries=0, grace=0.5
    )
    assert tasks["ignore_sigterm_and_hang"].state == "failed"
    assert time.monotonic() - started < 60


def test_a_run_that_somebody_else_stops_once_goes_on(tmp_path):
    tasks, events = work(tmp_path, "be_stopped_once")
    task = tasks["be_stopped_once"]
    assert (task.state, task.crashes, task.interruptions) == ("done", 0, 1)
    assert events == [
        "be_stopped_once/Pong/0: started",
        "be_stopped_once/Pong/0: stopped by SIGTERM; to be tried again",
        "be_stopped_once/Pong/0: started again",
        "be_stopped_once/Pong/0: done",
    ]


def test_a_run_that_is_stopped_again_and_again_is_left_to_be_resumed(tmp_path):
    behaviors = ("be_stopped", "be_stopped_while_deaf", "be_stopped_then_crash")
    tasks, events = work(tmp_path, *behaviors)
    stopped, deaf, crashed = (tasks[name] for name in behaviors)
    assert (stopped.state, stopped.message) == ("stopped", "stopped by SIGTERM")
    assert (deaf.state, deaf.message) == ("stopped", "killed by SIGTERM")
    # Both count: three times in all, whatever they are.
    assert (crashed.state, crashed.crashes, crashed.interruptions) == ("failed", 1, 2)
    for task in tasks.values():
        assert status(task).attempts == 3
        assert task.given_up
    assert run_status.actual_state(stopped.run.directory) == "stopped"
    assert run_status.actual_state(deaf.run.directory) == "stopped"
    assert status(crashed).state == "failed"
    assert "be_stopped/Pong/0: stopped, stopped by SIGTERM" in events


def test_a_signal_for_one_run_alone(tmp_path):
    pool, events = make_pool(tmp_path, ["stoppable"])
    pool._command = lambda run: [
        *(sys.executable, str(STOPPABLE), str(run.directory), "2")
    ]
    told = []

    def tell_it_once(pool):
        found = status(pool.tasks[0])
        if not told and found is not None and found.agent_step > 0:
            told.append(os.kill(found.pid, signal.SIGTERM))

    pool._on_poll = tell_it_once
    [task] = pool.run()
    assert (task.state, status(task).attempts) == ("done", 2)
    assert "stoppable/Pong/0: stopped by SIGTERM; to be tried again" in events


def test_a_run_that_hung_is_a_crash_although_it_heeds_the_signal(tmp_path):
    settings = {"time_limit": 3, "retries": 0, "grace": 60}
    tasks, _ = work(tmp_path, "hang_until_told", **settings)
    task = tasks["hang_until_told"]
    assert (task.state, task.crashes, task.interruptions) == ("failed", 1, 0)
    assert task.message == "no new agent step for 3 s"


def test_a_run_that_finds_its_directory_in_use_is_left_to_the_other(tmp_path):
    tasks, events = work(tmp_path, "find_it_in_use")
    task = tasks["find_it_in_use"]
    assert (task.crashes, task.interruptions) == (0, 0)
    assert events == [
        "find_it_in_use/Pong/0: started",
        "find_it_in_use/Pong/0: taken elsewhere",
    ]
    # The other process has gone since.
    assert (task.state, task.message) == ("not started", "another process was at it")


def test_a_slow_run_that_makes_steps_has_not_hung(tmp_path):
    tasks, _ = work(tmp_path, "slower", time_limit=4, retries=0)
    assert tasks["slower"].state == "done"
    assert tasks["slower"].agent_step == 100


def test_finished_runs_are_skipped(tmp_path):
    work(tmp_path, "succeed")
    tasks, events = work(tmp_path, "succeed")
    assert tasks["succeed"].state == "done"
    assert status(tasks["succeed"]).attempts == 1
    assert events == []


def test_a_failed_run_is_tried_again_by_the_next_launch(tmp_path):
    work(tmp_path, "crash_once", retries=0)
    tasks, _ = work(tmp_path, "crash_once", retries=0)
    assert tasks["crash_once"].state == "done"


def test_a_run_of_another_process_is_left_to_it(tmp_path):
    directory = fake_run(tmp_path, "succeed").directory
    directory.mkdir(parents=True)
    with lock.held(directory):
        tasks, events = work(tmp_path, "succeed", "crash_once")
    assert tasks["succeed"].state == common.TAKEN
    assert tasks["succeed"].message == "another process is at it"
    assert "succeed/Pong/0: taken elsewhere" in events
    assert tasks["crash_once"].state == "done"
    assert not (directory / common.LOG).exists()


def test_two_launchers_do_not_run_the_same_run_twice(tmp_path):
    behaviors = [f"slow/{seed}" for seed in range(4)]
    pools = [make_pool(tmp_path, behaviors)[0] for _ in range(2)]
    threads = [threading.Thread(target=pool.run) for pool in pools]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for run in (task.run for task in pools[0].tasks):
        assert run_status.read(run.directory).state == "done"
        assert run_status.read(run.directory).attempts == 1


def test_stopping_leaves_everything_to_be_resumed(tmp_path):
    pool, _ = make_pool(tmp_path, ["hang/0", "hang/1", "succeed/0"])
    pool._on_poll = lambda pool: len(pool.running) == 2 and pool.stop()
    tasks = pool.run()
    assert [task.state for task in tasks] == ["stopped", "stopped", "not started"]
    assert all(lock.holder(task.run.directory) is None for task in tasks)
    tasks, _ = work(tmp_path, "succeed")
    assert tasks["succeed"].state == "done"


def test_stopping_twice_kills(tmp_path):
    pool, _ = make_pool(tmp_path, ["ignore_sigterm_and_hang"], grace=600)
    started = time.monotonic()

    def stop_once_it_runs(pool):
        if status(pool.tasks[0]) is not None:
            pool.stop()

    pool._on_poll = stop_once_it_runs
    assert pool.run()[0].state == "stopped"
    assert time.monotonic() - started < 60


def test_a_run_has_the_cores_of_its_worker(tmp_path):
    tasks, _ = work(tmp_path, "succeed", core_sets=[[0]])
    assert (tasks["succeed"].run.directory / "cores").read_text() == "[0] 1"


@pytest.mark.parametrize(
    ("workers", "cores", "sets"),
    [
        (1, [0, 1, 2, 3], [[0, 1, 2, 3]]),
        (2, [0, 1, 2, 3], [[0, 2], [1, 3]]),
        (4, [4, 5, 6, 7], [[4], [5], [6], [7]]),
        (3, [0, 1, 2, 3], [[0, 3], [1], [2]]),
        (3, [0, 5], [[0], [5], [0]]),
    ],
)
def test_cores_are_shared_out(workers, cores, sets):
    assert common.divide_cores(workers, cores) == sets


def test_a_run_that_cannot_be_started_fails_alone(tmp_path):
    pool, _ = make_pool(tmp_path, ["crash", "succeed"])
    pool._command = lambda run: (
        ["/nowhere/python"] if run.arm == "crash" else fake_command(run)
    )
    first, second = pool.run()
    assert first.state == "failed"
    assert "not started: " in first.message
    assert "/nowhere/python" in first.message
    assert second.state == "done"


def test_a_pool_that_fails_itself_ends_its_runs(tmp_path):
    pool, _ = make_pool(tmp_path, ["hang"])

    def fail_once_it_runs(pool):
        if status(pool.tasks[0]) is not None:
            raise RuntimeError("a fault of ours")

    pool._on_poll = fail_once_it_runs
    with pytest.raises(RuntimeError, match="a fault of ours"):
        pool.run()
    assert pool._active[0].process.wait(20) == -15


@pytest.mark.parametrize(
    ("code", "words"),
    [(3, "exit status 3"), (-15, "killed by SIGTERM"), (-35, "killed by signal 35")],
)
def test_how_a_process_ended_in_words(code, words):
    assert common.ended(code) == words


def test_the_fake_is_refused_like_the_real_one(tmp_path):
    with lock.held(tmp_path):
        command = [sys.executable, str(FAKE), str(tmp_path), "succeed"]
        assert subprocess.run(command, check=False).returncode == 3


def test_a_run_that_cannot_be_looked_at_does_not_end_the_others(tmp_path, monkeypatch):
    look = common.state

    def refuse(run):
        if run.arm == "crash":
            raise PermissionError(13, "Permission denied")
        return look(run)

    monkeypatch.setattr(common, "state", refuse)
    tasks, _ = work(tmp_path, "crash", "succeed")
    assert tasks["crash"].state == "failed"
    assert "Permission denied" in tasks["crash"].message
    assert tasks["succeed"].state == "done"
