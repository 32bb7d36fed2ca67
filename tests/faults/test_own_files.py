"""What a user has put into a run's own files, or done to them: refused, or kept."""

import os
import shutil
import signal
import zlib

import pytest

from helpers import commands, mounts, runs
from helpers.stub_agent import METRICS_HEADER, StubRun
from redo_dopamine.cli import flags, process
from redo_dopamine.cli.process import StopSwitch
from redo_dopamine.errors import UserError
from redo_dopamine.rundir import files, metrics_csv, resume

ROW = "5,60,30,loss,0.5\n"
# What stands in metrics.csv after the rows of the last checkpoint; whether all of it
# may be of a run that was killed.
TAILS = [
    (ROW, True),
    ('5,60,30,"a,""name""",nan\n5,60,30,b,-inf\n', True),
    (ROW + "5,6", True),
    (ROW + "5,60,30,lo", True),
    (ROW + "\0" * 5000, True),  # After a power cut.
    ("5,60,30,l\0\0\0\0ss,0.5\n" + ROW, True),
    ("# my notes\n", False),
    (ROW + "my notes", False),
    (METRICS_HEADER + ROW, False),  # Of two files made into one.
    ("\n" + ROW, False),
    (ROW.replace("\n", "\r\n"), False),
    ("loss,30,60,5,0.5\n", False),
]


@pytest.mark.parametrize("checkpointed", [True, False])
@pytest.mark.parametrize(("tail", "may_go"), TAILS)
def test_lines_that_no_run_writes_are_not_cut(tail, may_go, checkpointed, tmp_path):
    run, metrics = StubRun(tmp_path), tmp_path / "metrics.csv"
    before = metrics.read_bytes()
    if checkpointed:
        run.advance_and_save(0)
        before = metrics.read_bytes()
    else:
        files.write_json(
            tmp_path / "run.json",
            {"start": "2026", "resumed": [], "checkpointed": False},
        )
    with metrics.open("a", newline="") as file:
        file.write(tail)
    if may_go:
        StubRun(tmp_path).resume()
        assert metrics.read_bytes() == (before if checkpointed else b"")
    else:
        with pytest.raises(UserError, match=r"lines after them that no run .*\. Move"):
            StubRun(tmp_path).resume()
        assert metrics.read_bytes() == before + tail.encode()


def test_no_more_is_read_than_is_needed(tmp_path):
    (tmp_path / "config.gin").write_bytes(b"")
    os.truncate(tmp_path / "config.gin", 1 << 40)
    assert len(resume.read_config(tmp_path)) == files.LARGEST_JSON
    (tmp_path / "metrics.csv").write_bytes(b"x")
    os.truncate(tmp_path / "metrics.csv", 1 << 40)
    assert metrics_csv.checksum(tmp_path, 1) == zlib.crc32(b"x")


def test_what_was_set_aside_before_stays(tmp_path, capsys):
    path = tmp_path / "status.json"
    for content in ("one", "two", "three"):
        path.write_text(content)
        files.set_aside(path)
    names = ("status.json.damaged", "status.json.damaged.2", "status.json.damaged.3")
    assert [(tmp_path / x).read_text() for x in names] == ["one", "two", "three"]
    assert "It now is status.json.damaged.3" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["checkpoints", "checkpoints/replay", "metrics"])
def test_a_directory_that_cannot_be_written_is_named_at_the_start(name, tmp_path):
    directory = tmp_path / name
    directory.mkdir(parents=True)
    with (
        mounts.read_only(directory),
        pytest.raises(UserError, match=rf"{name} must be a directory .*chmod"),
    ):
        flags.writable_run("--base_dir", str(tmp_path))


@pytest.mark.parametrize("name", ["metrics.csv", "run.lock", "config.gin"])
def test_a_file_that_cannot_be_written_is_named_at_the_start(
    name, tmp_path, monkeypatch
):
    path = tmp_path / name
    path.write_text("")
    # Root may write whatever the permissions are.
    monkeypatch.setattr(os, "access", lambda file, rights: file != path)
    with pytest.raises(UserError, match=rf"{name} must be a file that can .*chmod"):
        flags.writable_run("--base_dir", str(tmp_path))


@pytest.mark.parametrize("number", process.MAY_BE_IGNORED)
def test_a_signal_that_is_ignored_is_no_wish_to_stop(number):
    before = signal.signal(number, signal.SIG_IGN)
    try:
        switch = StopSwitch()
        with switch.listening():
            os.kill(os.getpid(), number)
            switch.check()
        assert signal.getsignal(number) == signal.SIG_IGN
    finally:
        signal.signal(number, before)


def test_a_finished_run_says_so_in_one_line(stopped, tmp_path, capsys):
    copy = shutil.copytree(stopped, tmp_path / "run")
    shutil.rmtree(copy / "checkpoints")
    bindings = (*runs.TINY_REDO, "Runner.num_iterations = 1")
    assert commands.redo_train(*commands.arguments(copy, bindings)) == 0
    assert capsys.readouterr().out.count("\n") == 1
