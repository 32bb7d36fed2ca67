"""What lies in a run's directory under our names: no link is followed for writing, and
nothing else than a file is waited for or replaced."""

import contextlib
import os
import subprocess
import sys

import numpy as np
import pytest

from redo_dopamine.cli import flags
from redo_dopamine.errors import UserError
from redo_dopamine.launch import common
from redo_dopamine.offline import arrays
from redo_dopamine.report import files
from redo_dopamine.rundir import checkpoint, lock, metrics_csv, status
from redo_dopamine.rundir import files as run_files
from redo_dopamine.rundir import files as whole_files
from redo_dopamine.runners import collectors

PRECIOUS = b"precious\n"


def as_link(path, precious):
    path.symlink_to(precious)


def as_fifo(path, precious):
    os.mkfifo(path)


def as_directory(path, precious):
    path.mkdir()


def as_socket(path, precious):
    os.mknod(path, 0o600 | 0o140000)


def as_dangling_link(path, precious):
    path.symlink_to(precious.with_name("nowhere"))


NOT_FILES = [as_link, as_dangling_link, as_fifo, as_directory, as_socket]
FILES = [
    *("run.lock", "metrics.csv", "config.gin", "run.json", "status.json"),
    *("run.json.part", "status.json.part", "config.gin.part"),
]
DIRECTORIES = ["checkpoints", "metrics", "metrics/tensorboard", "checkpoints/replay"]


@pytest.fixture
def precious(tmp_path):
    path = tmp_path / "precious"
    path.write_bytes(PRECIOUS)
    yield path
    assert path.read_bytes() == PRECIOUS
    assert not path.with_name("nowhere").exists()


def test_the_table_names_all_that_a_run_leaves():
    assert {*FILES} == {*run_files._FILES}
    assert {*DIRECTORIES} == {*run_files._DIRECTORIES}


@pytest.mark.parametrize("make", NOT_FILES)
@pytest.mark.parametrize("name", FILES)
def test_a_run_refuses_what_is_no_file(name, make, precious, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    make(run / name, precious)
    with pytest.raises(UserError, match=f"{name} must be an ordinary file"):
        flags.writable_run("--base_dir", str(run))
    assert [x.name for x in run.iterdir()] == [name]


def as_file(path, precious):
    path.write_bytes(b"mine")


def as_link_to_a_directory(path, precious):
    (precious.parent / "elsewhere").mkdir()
    path.symlink_to(precious.parent / "elsewhere")


@pytest.mark.parametrize("make", [as_file, as_fifo, as_link, as_link_to_a_directory])
@pytest.mark.parametrize("name", DIRECTORIES)
def test_a_run_refuses_what_is_no_directory(name, make, precious, tmp_path):
    path = tmp_path / "run" / name
    path.parent.mkdir(parents=True)
    make(path, precious)
    with pytest.raises(UserError, match=f"{name} must be an ordinary directory"):
        flags.writable_run("--base_dir", str(tmp_path / "run"))


def test_a_base_dir_may_be_a_link_itself(tmp_path):
    (tmp_path / "scratch").mkdir()
    (tmp_path / "runs").symlink_to(tmp_path / "scratch")
    directory = flags.writable_run("--base_dir", str(tmp_path / "runs" / "pong"))
    whole_files.write_text(directory / "run.json", "{}")
    assert (tmp_path / "scratch" / "pong" / "run.json").read_text() == "{}"


def hold_lock(directory):
    with lock.held(directory):
        pass


def write_array(directory):
    path = directory / "array.gz"
    rows = arrays.RowFile(path, (2,), np.uint8)
    rows.append([1, 2])
    rows.close()


# A writer, and the names that it may write to.
WRITERS = {
    "lock": (hold_lock, ["run.lock"]),
    "status": (
        lambda x: status.write(x, status.Status("done")),
        ["status.json"],
    ),
    "text": (lambda x: whole_files.write_text(x / "config.gin", ""), ["config.gin"]),
    "rows": (lambda x: metrics_csv.open_append(x).close(), ["metrics.csv"]),
    "collector": (lambda x: collectors.CsvCollector(x, None), ["metrics.csv"]),
    "cut": (lambda x: metrics_csv.cut_back(x, 3), ["metrics.csv"]),
    "log": (
        lambda x: common.start(["true"], x, [0], shared=False).wait(),
        ["log.txt"],
    ),
    "checkpoint": (lambda x: checkpoint.write(x, 7, {}, {}), ["checkpoint.7.npz"]),
    "array": (write_array, ["array.gz"]),
    "column": (lambda x: arrays.write(x / "array.gz", [1]), ["array.gz"]),
    "report": (lambda x: files.make_directory(x / "report"), ["report"]),
}
# They are replaced, since a rename does not follow them.
PARTS = {
    "status": "status.json.part",
    "checkpoint": "checkpoint.7.npz.part",
    "array": "array.gz.rows.part",
    "column": "array.gz.part",
}


@pytest.mark.parametrize("make", NOT_FILES)
@pytest.mark.parametrize("writer", WRITERS)
def test_no_writer_follows_or_waits(writer, make, precious, tmp_path):
    write, [name] = WRITERS[writer]
    run = tmp_path / "run"
    run.mkdir()
    make(run / name, precious)
    before = os.lstat(run / name)
    if writer == "report" and make is as_directory:
        return
    if writer == "cut" and make is not as_link:
        return  # There is nothing to cut.
    with pytest.raises((OSError, UserError)):
        write(run)
    assert os.path.samestat(os.lstat(run / name), before)


@pytest.mark.parametrize("make", [as_link, as_dangling_link, as_fifo])
@pytest.mark.parametrize("writer", PARTS)
def test_what_lies_where_a_file_is_prepared_is_deleted_itself(
    writer, make, precious, tmp_path
):
    run = tmp_path / "run"
    run.mkdir()
    make(run / PARTS[writer], precious)
    write, [name] = WRITERS[writer]
    write(run)
    assert [x.name for x in run.iterdir()] == [name]
    assert (run / name).is_file()


READERS = {
    "status": (status.read, "status.json", None),
    "holder": (lock.holder, "run.lock", None),
    "log": (common.end_of_log, "log.txt", ""),
}


@pytest.mark.parametrize("make", [as_fifo, as_directory, as_socket])
@pytest.mark.parametrize("reader", READERS)
def test_no_reader_waits(reader, make, precious, tmp_path):
    read, name, expected = READERS[reader]
    make(tmp_path / name, precious)
    assert read(tmp_path) == expected


@pytest.mark.parametrize("make", [as_fifo, as_directory])
def test_a_checkpoint_that_is_no_file_is_damaged(make, precious, tmp_path):
    path = checkpoint.path_of(tmp_path, 3)
    make(path, precious)
    with pytest.raises(checkpoint.DamagedCheckpointError, match="ordinary file"):
        checkpoint.read(path)
    with contextlib.suppress(OSError):
        checkpoint.delete_all_but(tmp_path, 0)
    assert path.exists() is (make is as_directory)


def test_a_failure_is_recorded_only_where_a_file_may_be(precious, tmp_path):
    as_fifo(tmp_path / "status.json", precious)
    status.record_failure(tmp_path, "refused")
    assert (tmp_path / "status.json").is_fifo()


def test_the_command_refuses_a_link_and_says_what_to_do(precious, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.lock").symlink_to(precious)
    result = subprocess.run(
        [
            *(sys.executable, "-m", "redo_dopamine.train", "--gin_files=demo.gin"),
            f"--base_dir={tmp_path}/run",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert result.stderr.startswith("error: run.lock must be an ordinary file")
    assert "move it away, or give another directory" in result.stderr
