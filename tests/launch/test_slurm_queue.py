"""What squeue and the files say, put together."""

import json

import pytest

from redo_dopamine.errors import UserError
from redo_dopamine.launch.slurm import queue
from redo_dopamine.launch.slurm.queue import JobId
from redo_dopamine.rundir import lock, status
from redo_dopamine.studies import plan

SQUEUE = """\
12_0|PENDING|redo-pruning
12_1|RUNNING|redo-pruning
12_2|COMPLETED|redo-pruning
12_10|REQUEUE_HOLD|redo-pruning
12_11|COMPLETING|redo-pruning
13|CONFIGURING|redo-pruning
14|PENDING|other|name
"""


@pytest.fixture
def runs(tmp_path):
    selection = plan.select("pruning", games="Pong,Qbert", seeds="2", scale=1e-6)
    return plan.runs(selection, tmp_path)


def test_squeue_is_read():
    assert queue.parse_queue(SQUEUE, "redo-pruning") == {
        JobId("12", 0): "pending",
        JobId("12", 1): "running",
        JobId("12", 10): "pending",
        JobId("12", 11): "running",
        JobId("13", None): "running",
    }
    assert queue.parse_queue("", "redo-pruning") == {}
    assert str(JobId.parse("12_3")) == "12_3"
    assert str(JobId.parse("12")) == "12"


def test_jobs_are_kept(tmp_path):
    assert queue.read_jobs(tmp_path) == {}
    queue.record_jobs(tmp_path, {"a": JobId("1", 0), "b": JobId("1", 1)})
    queue.record_jobs(tmp_path, {"b": JobId("2", None)})
    assert queue.read_jobs(tmp_path) == {
        "a": JobId("1", 0),
        "b": JobId("2", None),
    }
    (tmp_path / "slurm" / "jobs.json").write_text("[]")
    with pytest.raises(UserError, match=r"jobs\.json cannot be read"):
        queue.read_jobs(tmp_path)


def settle(run, state):
    run.directory.mkdir(parents=True)
    status.write(run.directory, status.Status(state))


def test_the_table(runs, tmp_path, monkeypatch):
    settle(runs[0], "done")
    settle(runs[1], "failed")
    settle(runs[2], "stopped")
    settle(runs[3], "failed")  # But submitted again.
    settle(runs[4], "done")  # Though its task is still there.
    settle(runs[5], "running")  # Its process is dead.
    settle(runs[6], "running")
    names = [run.name for run in runs]
    study = tmp_path / "pruning"
    jobs = {name: JobId("12", i) for i, name in enumerate(names[:5])}
    queue.record_jobs(study, jobs)
    asked = []

    def ask(command):
        asked.append(command)
        return "12_3|PENDING|redo-pruning\n12_4|RUNNING|redo-pruning\n"

    monkeypatch.setattr(queue, "ask", ask)
    monkeypatch.setattr(queue, "can_ask", lambda: True)
    with lock.held(runs[6].directory):
        found = queue.states(runs, study)
    assert [found[name] for name in names] == [
        *("done", "failed", "stopped", "pending"),
        *("done", "stopped", "running", "missing"),
    ]
    assert [command[-1] for command in asked] == ["--jobs=12"]
    lines = queue.table(runs, found)
    assert [line.split() for line in lines] == [
        ["arm", "pending", "running", "done", "failed", "stopped", "missing"],
        ["dqn", "0", "1", "2", "0", "1", "0"],
        ["prune", "1", "0", "0", "1", "1", "1"],
        ["all", "1", "1", "2", "1", "2", "1"],
    ]
    assert len({len(line) for line in lines}) == 1


def test_jobs_that_slurm_has_forgotten_are_over(monkeypatch):
    def refuse(command):
        raise UserError(
            "squeue failed: slurm_load_jobs error: Invalid job id specified"
        )

    monkeypatch.setattr(queue, "ask", refuse)
    assert queue.queue("pruning", [JobId("12", 0)]) == {}


def test_a_failing_program_is_quoted(tmp_path):
    program = tmp_path / "squeue"
    program.write_text("#!/bin/sh\necho 'no contact' >&2\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(UserError, match="failed: no contact"):
        queue.ask([str(program)])
    with pytest.raises(UserError, match="failed: "):
        queue.ask([str(tmp_path / "none")])


@pytest.mark.parametrize("line", ["", "junk", "1", "1|RUNNING", "|||", "\ufffd|\ufffd"])
def test_what_squeue_says_of_nothing_is_passed_over(line):
    assert queue.parse_queue(line, "redo-x") == {}


@pytest.mark.parametrize("job", ["", "x", "12_x", "12_[3-5]", "1" * 30, "1\0"])
def test_a_job_of_squeue_that_is_none_is_said(job):
    with pytest.raises(UserError, match="jobs must be numbers"):
        queue.parse_queue(f"{job}|RUNNING|redo-x", "redo-x")


@pytest.mark.parametrize("job", ["", "1\0", "\ud800", "x" * 3_000_000, "1,2", 5, None])
def test_a_job_of_jobs_json_that_is_none_is_said(job, tmp_path):
    path = queue.folder(tmp_path) / queue.NAME
    path.parent.mkdir(parents=True)
    content = {"format": 1, "runs": {"a/b/0": {"job": job, "task": None}}}
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"must tell the Slurm job of each run"):
        queue.read_jobs(tmp_path)
