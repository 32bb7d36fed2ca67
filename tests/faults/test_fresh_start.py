"""A directory without a checkpoint: a run begins there only if nothing is lost."""

import os
import shutil

import pytest

from helpers import commands, runs
from helpers.stub_agent import CONFIG, METRICS_HEADER, StubRun
from redo_dopamine.errors import UserError
from redo_dopamine.rundir import checkpoint as checkpoints
from redo_dopamine.rundir import files, metrics_csv, operative, provenance, resume
from redo_dopamine.rundir import status as run_status
from redo_dopamine.rundir.status import Status

ROWS = METRICS_HEADER + "0,8,2,loss,0.5\n"
STARTED = {"start": "2026", "resumed": []}
STEPS = 120


def before_checkpoint(directory):
    files.write_json(directory / "run.json", STARTED | {"checkpointed": False})


def had_checkpoint(directory):
    files.write_json(directory / "run.json", STARTED | {"checkpointed": True})


def of_an_earlier_version(directory):
    files.write_json(directory / "run.json", STARTED)


def running(directory):
    run_status.write(directory, Status("running", attempts=1))


def nothing(directory):
    pass


def damaged(directory):
    (directory / "run.json").write_text("[" * 100_000)


# What lies beside metrics.csv; its content; whether a start may cut it.
CASES = [
    (nothing, "", True),
    (nothing, METRICS_HEADER[:9], True),  # Killed while it was begun.
    (nothing, METRICS_HEADER, True),
    (nothing, ROWS, False),
    (running, ROWS, False),
    (before_checkpoint, ROWS, True),
    (before_checkpoint, ROWS + "0,9", True),
    (before_checkpoint, "date,revenue\n2026-01-01,3\n", False),
    (nothing, "date,revenue\n2026-01-01,3\n", False),
    (nothing, "x", False),
    (had_checkpoint, ROWS, False),
    (of_an_earlier_version, ROWS, False),
    (damaged, ROWS, False),
]


@pytest.mark.parametrize(("beside", "content", "may_begin"), CASES)
def test_rows_are_cut_only_if_an_unfinished_start_explains_them(
    beside, content, may_begin, tmp_path
):
    beside(tmp_path)
    metrics = tmp_path / "metrics.csv"
    metrics.write_text(content)
    run = StubRun(tmp_path)
    before = runs.fingerprint(tmp_path)
    if may_begin:
        assert run.resume() is None
        assert metrics.read_text() == ""
    else:
        with pytest.raises(UserError, match=r"(?s)cuts metrics.csv.*--base_dir"):
            run.resume()
        assert runs.fingerprint(tmp_path) == before


def test_the_first_checkpoint_is_noted_and_stays_so(tmp_path):
    before_checkpoint(tmp_path)
    run = StubRun(tmp_path)
    run.advance_and_save(0)
    assert provenance.read(tmp_path)["checkpointed"] is True
    provenance.record_start(str(tmp_path), seed=1, game="Pong", agent="Agent")
    assert provenance.read(tmp_path)["checkpointed"] is True
    shutil.rmtree(tmp_path / "checkpoints")
    with pytest.raises(UserError, match="the checkpoints that they belong to are gone"):
        StubRun(tmp_path, operative.operative_config()).resume()


@pytest.mark.parametrize(
    ("agent_steps", "done", "error"),
    [
        (STEPS, STEPS, resume.RunFinishedError),
        (STEPS - 60, STEPS, resume.RunFinishedError),
        (STEPS, 0, resume.RunFinishedError),  # Not known.
        (STEPS + 60, STEPS, UserError),
    ],
)
def test_a_run_that_is_done_is_done(agent_steps, done, error, tmp_path):
    run_status.write(tmp_path, Status("done", agent_steps=done))
    (tmp_path / "metrics.csv").write_text(ROWS)
    before = runs.fingerprint(tmp_path)
    with pytest.raises(error, match="is finished"):
        resume.check(tmp_path, CONFIG, agent_steps)
    assert runs.fingerprint(tmp_path) == before


@pytest.mark.parametrize(
    ("beside", "content", "may_begin"),
    [
        (nothing, "my.setting = 1\n", False),
        (nothing, CONFIG, True),
        (running, "my.setting = 1\n", True),
        (before_checkpoint, "my.setting = 1\n", True),
    ],
)
def test_settings_of_somebody_else_are_not_replaced(
    beside, content, may_begin, tmp_path
):
    beside(tmp_path)
    (tmp_path / "config.gin").write_text(content)
    if may_begin:
        resume.check(tmp_path, CONFIG, STEPS)
    else:
        with pytest.raises(UserError, match=r"config\.gin is there already"):
            resume.check(tmp_path, CONFIG, STEPS)


def test_rows_are_on_the_disk_before_the_checkpoint_that_counts_on_them(
    tmp_path, monkeypatch
):
    run, seen = StubRun(tmp_path), []
    fsync = os.fsync

    def note(descriptor):
        seen.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    run.advance_and_save(0)
    [checkpoint] = [x for x in seen if x.endswith("checkpoint.0.npz.part")]
    assert str(tmp_path / "metrics.csv") in seen[: seen.index(checkpoint)]


def test_nothing_to_have_on_the_disk(tmp_path):
    metrics_csv.sync(tmp_path)
    assert list(tmp_path.iterdir()) == []


# The command itself.


def command(base_dir, capsys, *bindings):
    bound = (*runs.TINY_REDO, "Runner.num_iterations = 1", *bindings)
    status = commands.redo_train(*commands.arguments(base_dir, bound))
    said = capsys.readouterr()
    return status, said.out, said.err


def test_a_finished_run_without_checkpoints_stays_finished(stopped, tmp_path, capsys):
    copy = shutil.copytree(stopped, tmp_path / "run")
    shutil.rmtree(copy / "checkpoints")
    before = runs.fingerprint(copy)
    status, out, _ = command(copy, capsys)
    assert (status, "is finished, and its checkpoints are gone" in out) == (0, True)
    status, _, err = command(copy, capsys, "Runner.num_iterations = 2")
    assert status == 2
    assert "is finished at 60 steps and has none any more" in err
    assert runs.fingerprint(copy) == before


def test_a_directory_with_a_table_of_somebody_is_refused(tmp_path, capsys):
    (tmp_path / "metrics.csv").write_text("date,revenue\n2026-01-01,3\n")
    before = runs.fingerprint(tmp_path)
    status, _, err = command(tmp_path, capsys)
    assert status == 2
    assert "no unfinished start of a run explains them" in err
    assert runs.fingerprint(tmp_path) == before


def test_checkpoints_that_are_a_file_are_refused(stopped, tmp_path, capsys):
    copy = shutil.copytree(stopped, tmp_path / "run")
    shutil.rmtree(copy / "checkpoints")
    (copy / "checkpoints").write_text("mine")
    before = runs.fingerprint(copy)
    status, _, err = command(copy, capsys)
    assert status == 2
    assert "checkpoints must be an ordinary directory" in err
    assert runs.fingerprint(copy) == before


@pytest.mark.parametrize("attempts", ["null", '"3"', "-1", "true", "1.5", "1e999"])
def test_a_status_of_a_wrong_type_is_told_once(attempts, stopped, tmp_path, capsys):
    copy = shutil.copytree(stopped, tmp_path / "run")
    content = f'{{"state": "running", "attempts": {attempts}}}'
    (copy / "status.json").write_text(content)
    status, _, err = command(copy, capsys)
    assert status == 0
    assert err.count("It now is status.json.damaged") == 1
    assert (copy / "status.json.damaged").read_text() == content
    status, _, err = command(copy, capsys)
    assert (status, "damaged" in err) == (0, False)
    assert checkpoints.numbers(copy / "checkpoints")
