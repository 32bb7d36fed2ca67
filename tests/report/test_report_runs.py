"""Finding and loading runs, whole and broken."""

import math

import pytest

from redo_dopamine.errors import UserError
from redo_dopamine.report import find_runs, load_run


def test_load_run_reads_every_file(make_run):
    run = load_run(make_run("dqn_redo"))
    assert run.label == "dqn_redo"
    assert run.info["seed"] == 7
    assert run.config == "redo.tau = 0.1\n"
    assert run.notes == ()
    assert len(run.metrics) == 32
    first = run.metrics.iloc[0]
    assert (first.agent_step, first["name"], first.value) == (
        100,
        "dormant_fraction/0.0",
        0.1,
    )
    assert run.metrics["gradient_step"].dtype == "int64"
    assert math.isnan(run.metrics["value"][4])


def test_windows_line_ends_are_read_alike(make_run):
    path = make_run()
    text = (path / "metrics.csv").read_bytes()
    (path / "metrics.csv").write_bytes(text.replace(b"\n", b"\r\n"))
    run = load_run(path)
    assert (len(run.metrics), run.notes) == (32, ())


@pytest.mark.parametrize(
    "tail", ["0,3,2,loss,0.12", "0,3,2,lo", "0", "0,3,2,loss,"], ids=repr
)
def test_truncated_last_line_is_dropped_with_a_note(make_run, tail):
    # The first is well-formed, but nothing says that 0.12 was not to be 0.125.
    run = load_run(make_run(body="0,1,0,loss,0.5\n0,2,1,loss,0.25\n" + tail))
    assert run.metrics["value"].tolist() == [0.5, 0.25]
    (note,) = run.notes
    assert "ends inside a line" in note


@pytest.mark.parametrize(
    "line",
    [
        "0,1,0,lo0,1,0,loss,0.5",
        "0,x,0,loss,1",
        "0,1,0,loss,high",
        "0,1.5,0,loss,1",
        "0,1,0,,1",
        "0,nan,0,loss,1",
    ],
)
def test_malformed_line_is_dropped_with_its_number(make_run, line):
    run = load_run(make_run(body=f"0,1,0,loss,0.5\n{line}\n0,2,1,loss,nan\n"))
    assert run.metrics["agent_step"].tolist() == [1, 2]
    (note,) = run.notes
    assert "1 malformed line(s), left out: line 3." in note


@pytest.mark.parametrize("header", ["", "step,name,value\n", "0,1,0,loss,0.5\n"])
def test_wrong_header_is_a_user_error(make_run, header):
    path = make_run(header=header, body="" if not header else "0,1,0,loss,1\n")
    with pytest.raises(UserError) as caught:
        load_run(path)
    message = str(caught.value)
    assert str(path / "metrics.csv") in message
    assert (repr(header.strip()) if header else "an empty file") in message


def test_header_alone_is_a_run_without_rows(make_run):
    run = load_run(make_run(body=""))
    assert len(run.metrics) == 0
    assert run.notes == ()


def test_missing_and_broken_side_files_become_notes(make_run):
    bare = load_run(make_run("bare", info=None, config=None))
    assert (bare.info, bare.config) == ({}, None)
    assert "run.json is missing" in bare.notes[0]
    assert "config.gin is missing" in bare.notes[1]
    path = make_run("half")
    (path / "run.json").write_text('{"seed": 1, "ga')
    half = load_run(path)
    assert half.info == {}
    assert "not valid JSON" in half.notes[0]
    listed = load_run(make_run("listed", info=[1]))
    assert listed.info == {}
    assert "not a list" in listed.notes[0]


def test_unfinished_run_is_noted(make_run):
    run = load_run(make_run(info={"seed": 1, "end": None}))
    assert run.info["seed"] == 1
    assert run.notes[0].startswith("Unfinished")


def test_resumed_run_keeps_the_rows_written_last(make_run):
    # Killed at agent step 30 and resumed from the checkpoint at 10.
    run = load_run(
        make_run(
            body=(
                "0,10,1,train/average_return,1\n"
                "1,20,2,loss,0.2\n"
                "1,22,2,train/episode_return,5\n"
                "1,30,3,loss,0.3\n"
                "1,15,1,train/episode_return,6\n"
                "1,20,2,loss,0.21\n"
                "1,30,3,loss,0.31\n"
                "1,40,4,loss,0.41\n"
            )
        )
    )
    assert run.metrics["value"].tolist() == [1, 6, 0.21, 0.31, 0.41]
    (note,) = run.notes
    assert "resumed from a checkpoint 1 time(s); 3 row(s)" in note


def test_rows_buffered_by_name_are_no_resume(make_run):
    body = "0,10,1,train/episode_return,1\n0,5,1,loss,2\n0,9,1,loss,3\n"
    run = load_run(make_run(body=body))
    assert (len(run.metrics), run.notes) == (3, ())


def test_find_runs_takes_a_run_directory_itself(make_run):
    path = make_run("one")
    make_run("one/inner")
    (run,) = find_runs(path)
    assert run.label == "one"


def test_find_runs_takes_direct_sub_directories_by_name(make_run):
    for name in ("b", "a", "deep/c"):
        make_run(name)
    (make_run.root / "empty").mkdir()
    (make_run.root / "file.txt").write_text("no run")
    assert [run.label for run in find_runs(make_run.root)] == ["a", "b"]


def test_find_runs_names_what_it_looked_for(tmp_path):
    with pytest.raises(UserError) as caught:
        find_runs(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "metrics.csv" in str(caught.value)
    missing = tmp_path / "missing"
    with pytest.raises(UserError) as caught:
        find_runs(missing)
    assert f"none at {missing}" in str(caught.value)


def test_load_run_without_metrics_is_a_user_error(tmp_path):
    with pytest.raises(UserError, match=r"must hold a metrics\.csv"):
        load_run(tmp_path)


def test_a_name_that_is_nearly_right_is_suggested(make_run):
    path = make_run("pong")
    with pytest.raises(UserError, match=rf"Did you mean {path}\?"):
        find_runs(path.with_name("pnog"))
