"""One process per directory, by real processes."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from redo_dopamine import run_lock
from redo_dopamine.run_lock import DirectoryInUseError

HOLD = (
    "import sys, time\n"
    "from redo_dopamine import run_lock\n"
    "with run_lock.held(sys.argv[1]):\n"
    "    print('held', flush=True)\n"
    "    sys.stdin.read()\n"
)
# Adds one to a number in a file, thirty times, each time under the lock.
COUNT = (
    "import pathlib, sys, time\n"
    "from redo_dopamine import run_lock\n"
    "path = pathlib.Path(sys.argv[1]) / 'count'\n"
    "for _ in range(30):\n"
    "    with run_lock.held(sys.argv[1], patience=30):\n"
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
        run_lock.held(tmp_path, patience=0.1),
    ):
        pass
    text = f"in use by process {other.pid} on {socket.gethostname()} since 20"
    assert text in str(error.value)
    assert "another directory" in str(error.value)
    assert run_lock.holder(tmp_path)["pid"] == other.pid


def test_a_lock_goes_with_its_process(other, tmp_path):
    os.kill(other.pid, signal.SIGKILL)
    other.wait()
    assert (tmp_path / run_lock.NAME).exists()
    assert run_lock.holder(tmp_path) is None
    with run_lock.held(tmp_path):
        owner = json.loads((tmp_path / run_lock.NAME).read_text())
        assert owner["pid"] == os.getpid()
        assert owner["host"] == socket.gethostname()


def test_a_lock_leaves_nothing_behind(tmp_path):
    with run_lock.held(tmp_path):
        assert (tmp_path / run_lock.NAME).exists()
    assert list(tmp_path.iterdir()) == []
    assert run_lock.holder(tmp_path) is None


def test_a_lock_waits_for_one_that_is_let_go(other, tmp_path):
    started = time.monotonic()
    other.stdin.close()
    with run_lock.held(tmp_path, patience=20):
        assert time.monotonic() - started < 20


def test_two_locks_of_one_directory_have_names(tmp_path):
    with run_lock.held(tmp_path), run_lock.held(tmp_path, "study.lock"):
        assert run_lock.holder(tmp_path) is not None


def test_processes_that_race_do_not_get_in_at_once(tmp_path):
    # The lock file comes and goes all the while.
    (tmp_path / "count").write_text("0")
    racers = [
        subprocess.Popen([sys.executable, "-c", COUNT, str(tmp_path)]) for _ in range(4)
    ]
    assert [racer.wait() for racer in racers] == [0, 0, 0, 0]
    assert (tmp_path / "count").read_text() == "120"
