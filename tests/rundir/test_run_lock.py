"""One process per directory, by real processes."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest

from helpers.stub_agent import StubAgent
from redo_dopamine.rundir import lock, metrics_csv, provenance, status
from redo_dopamine.rundir.lock import DirectoryInUseError
from redo_dopamine.runners import collectors
from redo_dopamine.runners.resume import Checkpoints, Snapshot

HOLD = (
    "import sys, time\n"
    "from redo_dopamine.rundir import lock\n"
    "with lock.held(sys.argv[1]):\n"
    "    print('held', flush=True)\n"
    "    sys.stdin.read()\n"
)
# Adds one to a number in a file, thirty times, each time under the lock.
COUNT = (
    "import pathlib, sys, time\n"
    "from redo_dopamine.rundir import lock\n"
    "path = pathlib.Path(sys.argv[1]) / 'count'\n"
    "for _ in range(30):\n"
    "    with lock.held(sys.argv[1], patience=30):\n"
    "        count = int(path.read_text())\n"
    "        time.sleep(0.002)\n"
    "        path.write_text(str(count + 1))\n"
)


@pytest.fixture
def other(tmp_path):
    """Another process that holds the lock."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_process_is_refused_and_told_of_the_first(other, tmp_path):
    with (
        pytest.raises(DirectoryInUseError) as error,
        lock.held(tmp_path, patience=0.1),
    ):
        pass
    text = f"in use by process {other.pid} on {socket.gethostname()} since 20"
    assert text in str(error.value)
    assert "another directory" in str(error.value)
    assert lock.holder(tmp_path)["pid"] == other.pid


def test_a_lock_goes_with_its_process(other, tmp_path):
    os.kill(other.pid, signal.SIGKILL)
    other.wait()
    assert (tmp_path / lock.NAME).exists()
    assert lock.holder(tmp_path) is None
    with lock.held(tmp_path):
        owner = json.loads((tmp_path / lock.NAME).read_text())
        assert owner["pid"] == os.getpid()
        assert owner["host"] == socket.gethostname()


def test_a_lock_leaves_nothing_behind(tmp_path):
    with lock.held(tmp_path):
        assert (tmp_path / lock.NAME).exists()
    assert list(tmp_path.iterdir()) == []
    assert lock.holder(tmp_path) is None


def test_a_lock_waits_for_one_that_is_let_go(other, tmp_path):
    started = time.monotonic()
    other.stdin.close()
    with lock.held(tmp_path, patience=20):
        assert time.monotonic() - started < 20


def test_two_locks_of_one_directory_have_names(tmp_path):
    with lock.held(tmp_path), lock.held(tmp_path, "study.lock"):
        assert lock.holder(tmp_path) is not None


def test_processes_that_race_do_not_get_in_at_once(tmp_path):
    # The lock file comes and goes all the while.
    (tmp_path / "count").write_text("0")
    racers = [
        subprocess.Popen([sys.executable, "-c", COUNT, str(tmp_path)]) for _ in range(4)
    ]
    assert [racer.wait() for racer in racers] == [0, 0, 0, 0]
    assert (tmp_path / "count").read_text() == "120"


def replaced(directory):
    """The directory is deleted and made again."""
    shutil.rmtree(directory)
    directory.mkdir()


def deleted(directory):
    shutil.rmtree(directory)


def moved(directory):
    directory.rename(directory.with_name("moved"))


@pytest.mark.parametrize("change", [replaced, deleted, moved])
def test_a_holder_learns_that_its_directory_is_gone(change, tmp_path):
    directory = tmp_path / "run"
    directory.mkdir()
    with lock.held(directory):
        lock.check(directory)
        change(directory)
        with pytest.raises(lock.LockLostError, match="deleted or replaced"):
            lock.check(directory)
    lock.check(directory)  # Nothing is held any more.


WRITERS = {
    "status": lambda x: status.write(x, status.Status("running")),
    "start": lambda x: provenance.record_start(str(x), seed=1, game="", agent=""),
    "rows": metrics_csv.open_append,
    "supervised rows": lambda x: metrics_csv.append(x, [(0, 0, "loss", 1.0)]),
    "checkpoint": lambda x: Checkpoints(str(x), StubAgent(), "").save(
        Snapshot(0, {}, {})
    ),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_nothing_is_written_into_another_ones_directory(writer, tmp_path):
    directory = tmp_path / "run"
    directory.mkdir()
    with lock.held(directory):
        replaced(directory)
        with pytest.raises(lock.LockLostError):
            WRITERS[writer](directory)
        assert list(directory.iterdir()) == []


def test_a_collector_and_a_reporter_write_no_more(tmp_path):
    directory = tmp_path / "run"
    directory.mkdir()
    with lock.held(directory):
        rows = collectors.CsvCollector(str(directory), lambda: (0, 0, 0))
        reporter = status.Reporter(directory, lambda: 1, 2, every=0.01)

        def go_on():
            replaced(directory)
            time.sleep(0.1)
            rows.write([])

        with pytest.raises(lock.LockLostError), reporter:
            go_on()
        assert list(directory.iterdir()) == []


def test_an_end_releases_only_its_own_lock(tmp_path):
    """A's directory is deleted and made again, B has it, A ends: C is refused."""
    directory = tmp_path / "run"
    directory.mkdir()
    command = [sys.executable, "-c", HOLD, str(directory)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as first:
        assert first.stdout.readline() == "held\n"
        replaced(directory)
        with subprocess.Popen(command, **pipes) as second:
            assert second.stdout.readline() == "held\n"
            first.communicate("")
            assert first.returncode == 0
            with (
                pytest.raises(DirectoryInUseError, match=f"process {second.pid}"),
                lock.held(directory, patience=0.1),
            ):
                pass
            second.communicate("")
    assert list(directory.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        *("", "null", "[]", "3", "[" * 100_000, '{"pid": {"a": 1}}', "\udcff"),
        *('{"pid": null, "host": [1], "since": 2.5}', '{"pid": "\\ud800"}'),
    ],
)
def test_a_lock_file_of_any_content_names_who_it_can(content, other, tmp_path):
    (tmp_path / lock.NAME).write_bytes(content.encode(errors="surrogateescape"))
    found = lock.holder(tmp_path)
    assert found.keys() == {"host", "pid", "since"}
    with (
        pytest.raises(DirectoryInUseError, match="in use by process"),
        lock.held(tmp_path, patience=0),
    ):
        pass
