"""`status.json`: whole at any time, and true after any end."""

import errno
import json
import os
import threading

import pytest

from redo_dopamine.rundir import lock
from redo_dopamine.rundir import status as run_status
from redo_dopamine.rundir.status import Reporter, Status


def test_a_run_as_it_goes(tmp_path):
    steps = [0]
    with lock.held(tmp_path):
        with Reporter(tmp_path, lambda: steps[0], 100, scale=0.5):
            first = run_status.read(tmp_path)
            assert run_status.actual_state(tmp_path) == "running"
            steps[0] = 103
        content = json.loads((tmp_path / "status.json").read_text())
    assert (first.state, first.agent_step, first.attempts) == ("running", 0, 1)
    assert first.pid == os.getpid()
    del content["updated"], content["host"]
    assert content == {
        "format": 1,
        "state": "done",
        "pid": os.getpid(),
        "started": first.started,
        "attempts": 1,
        "agent_step": 103,
        "agent_steps": 100,
        "message": "",
        "scale": 0.5,
    }


@pytest.mark.parametrize(
    ("error", "state", "message"),
    [
        (ValueError("too deep"), "failed", "ValueError: too deep"),
        (KeyboardInterrupt(), "stopped", "stopped by KeyboardInterrupt"),
        (SystemExit(143), "stopped", "stopped by SystemExit"),
    ],
)
def test_a_run_that_does_not_end_well(error, state, message, tmp_path):
    with pytest.raises(type(error)), Reporter(tmp_path, lambda: 7, 100):
        raise error
    status = run_status.read(tmp_path)
    assert (status.state, status.message, status.agent_step) == (state, message, 7)


def test_a_disk_that_takes_no_status_hides_no_error(tmp_path, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def fail_on_a_full_disk():
        monkeypatch.setattr(run_status, "write", full)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), Reporter(tmp_path, lambda: 7, 100):
        fail_on_a_full_disk()


def test_attempts_are_counted_and_the_first_start_is_kept(tmp_path):
    run_status.write(tmp_path, Status("stopped", attempts=4, started="long ago"))
    with Reporter(tmp_path, lambda: 1, 2):
        pass
    status = run_status.read(tmp_path)
    assert (status.attempts, status.started) == (5, "long ago")


def test_steps_are_written_while_the_run_goes(tmp_path):
    steps = [0]
    with Reporter(tmp_path, lambda: steps[0], 100, every=0.01):
        steps[0] = 42
        for _ in range(500):
            if run_status.read(tmp_path).agent_step == 42:
                break
            threading.Event().wait(0.01)
        assert run_status.read(tmp_path).agent_step == 42


def test_a_run_without_a_process_has_stopped(tmp_path):
    run_status.write(tmp_path, Status("running"))
    assert run_status.actual_state(tmp_path) == "stopped"
    with lock.held(tmp_path):
        assert run_status.actual_state(tmp_path) == "running"


def test_a_reader_never_sees_half_a_file(tmp_path):
    path = tmp_path / "status.json"
    run_status.write(tmp_path, Status("running", message="x"))
    over = threading.Event()
    seen = []

    def look():
        while not over.is_set():
            seen.append(json.loads(path.read_text())["state"])

    reader = threading.Thread(target=look)
    reader.start()
    for step in range(100):
        run_status.write(tmp_path, Status("running", step, message="x" * 10_000))
    over.set()
    reader.join()
    assert set(seen) == {"running"}
    assert [p.name for p in tmp_path.iterdir()] == ["status.json"]


def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch):
    run_status.write(tmp_path, Status("running", 7))

    def fail(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        run_status.write(tmp_path, Status("running", 8))
    assert run_status.read(tmp_path).agent_step == 7
    assert [p.name for p in tmp_path.iterdir()] == ["status.json"]


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "{}", "null", '{"state": "asleep"}', '{"state": 3}'),
        *("[" * 100_000, '{"a":' * 100_000, '{"state": ["done"]}', '{"state": {}}'),
        *(
            f'{{"state": "done", "{name}": {value}}}'
            for name in ("agent_step", "agent_steps", "attempts", "pid", "format")
            for value in ("null", '"1"', "1.5", "-1", "true", "[]", "1" + "0" * 400)
        ),
        *(
            f'{{"state": "done", "{name}": {value}}}'
            for name in ("message", "host", "started", "updated")
            for value in ("null", "1", "[]", "{}")
        ),
        *(
            f'{{"state": "done", "scale": {x}}}'
            for x in ("null", '"1"', "NaN", "1e999")
        ),
    ],
)
def test_a_damaged_file_is_none(text, tmp_path):
    (tmp_path / "status.json").write_text(text)
    assert run_status.read(tmp_path) is None
    assert run_status.actual_state(tmp_path) is None
    with Reporter(tmp_path, lambda: 1, 2):
        assert run_status.read(tmp_path).attempts == 1
    assert (tmp_path / "status.json.damaged").read_text() == text


def test_a_file_of_a_later_version_is_read(tmp_path):
    (tmp_path / "status.json").write_text('{"state": "done", "color": "red"}')
    assert run_status.read(tmp_path).state == "done"


def test_failures_are_recorded_for_runs_that_could_not(tmp_path):
    run = tmp_path / "run"
    run_status.record_failure(run, "exit status 2")
    status = run_status.read(run)
    assert (status.state, status.message) == ("failed", "exit status 2")
    run_status.write(run, Status("done"))
    run_status.record_failure(run, "later")
    assert run_status.read(run).state == "done"
