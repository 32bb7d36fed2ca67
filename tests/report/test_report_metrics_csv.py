"""Rows of a metrics.csv that are damaged, or written again after a resume."""

import math
import time

import numpy as np
import pytest

from redo_dopamine.report import load_run, metrics_csv, write_report
from redo_dopamine.report.metrics_csv import read_metrics
from report.conftest import BODY, HEADER, INFO

NAMES = ("loss", "largest_q", "dormant_fraction/0.1", "train/average_return")


def rows(first=0, last=2_000, names=("loss",), value=0.5):
    """Rows of each name at steps `first` to `last`, without the last."""
    return [
        [step // 1_000, step, 10 * step, name, value]
        for step in range(first, last)
        for name in names
    ]


def write(path, table):
    lines = [",".join(map(str, row)) for row in table]
    path.write_text(HEADER + "\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("resumes", [None, 0, 1, 3])
@pytest.mark.parametrize("names", [("loss",), NAMES], ids=len)
@pytest.mark.parametrize("column", [0, 1, 2])
@pytest.mark.parametrize(
    ("place", "wrong"),
    [(1_200, 0), (900, 99_999_999), (1_999, 0), (1, 99_999_999), (0, 99_999_999)],
)
def test_one_wrong_digit_costs_one_row(tmp_path, place, wrong, column, names, resumes):
    table = rows(1, 2_001, names)
    row = place * len(names) + len(names) - 1
    table[row][column] = wrong
    metrics, notes = read_metrics(write(tmp_path / "metrics.csv", table), resumes)
    assert len(metrics) == len(table) - 1
    assert wrong == 0 or (metrics.iloc[:, column] != wrong).all()
    [note] = notes
    assert note == (
        "metrics.csv has 1 row(s) out of order, which no resume of the run explains, "
        f"left out: line {row + 2}."
    )


def test_several_wrong_digits_are_counted_and_their_lines_named(tmp_path):
    table = rows()
    for place in range(100, 800, 100):
        table[place][1] = 5
    metrics, [note] = read_metrics(write(tmp_path / "metrics.csv", table))
    assert len(metrics) == 2_000 - 7
    assert "has 7 row(s) out of order" in note
    assert note.endswith("left out: line 102, 202, 302, 402, 502, ….")


RESUMED = [*rows(0, 100, NAMES), *rows(60, 150, NAMES, value=0.25)]


@pytest.mark.parametrize("resumes", [None, 1, 2])
def test_all_names_written_again_are_a_resume(tmp_path, resumes):
    metrics, [note] = read_metrics(write(tmp_path / "metrics.csv", RESUMED), resumes)
    assert len(metrics) == 150 * len(NAMES)
    assert (metrics["value"] == np.where(metrics["agent_step"] < 60, 0.5, 0.25)).all()
    assert "resumed from a checkpoint 1 time(s)" in note
    assert f"{40 * len(NAMES)} row(s) written before and again" in note


def test_a_resume_that_run_json_does_not_have_is_damage(tmp_path):
    metrics, [note] = read_metrics(write(tmp_path / "metrics.csv", RESUMED), 0)
    # The longest order that never falls: 0 to 99 and the second 99 to 149, or that
    # of 0 to 60 and 60 to 149 at equal length.
    assert len(metrics) == 151 * len(NAMES)
    assert f"has {39 * len(NAMES)} row(s) out of order" in note


def test_one_name_that_goes_back_alone_is_damage_though_the_run_was_resumed(tmp_path):
    table = rows(0, 100, NAMES)
    table += rows(50, 60, NAMES[:1]) + rows(100, 200, NAMES)
    metrics, [note] = read_metrics(write(tmp_path / "metrics.csv", table), 1)
    assert len(metrics) == 200 * len(NAMES)
    assert "has 10 row(s) out of order" in note


def test_a_wrong_digit_beside_a_resume(tmp_path):
    table = [*map(list, RESUMED)]
    table[40][1] = 0
    table[-40][1] = 0
    metrics, notes = read_metrics(write(tmp_path / "metrics.csv", table), 1)
    assert len(metrics) == 150 * len(NAMES) - 2
    assert ["out of order" in note for note in notes] == [True, False]
    assert "has 2 row(s)" in notes[0]


def test_run_json_says_how_often_a_run_was_resumed(make_run):
    body = "\n".join(",".join(map(str, row)) for row in RESUMED) + "\n"
    once = load_run(make_run("once", body=body, info=INFO | {"resumed": ["then"]}))
    assert len(once.metrics) == 150 * len(NAMES)
    never = load_run(make_run("never", body=body, info=INFO | {"resumed": []}))
    assert "which no resume of the run explains" in never.notes[0]
    unknown = load_run(make_run("unknown", body=body, info=INFO | {"resumed": 7}))
    assert len(unknown.metrics) == len(once.metrics)


def test_a_million_rows_and_twenty_thousand_resumes_take_seconds(tmp_path):
    # Of 10 names: each resume goes 2 steps back, and 3 further.
    steps = np.concatenate([np.arange(i, i + 5) for i in range(0, 3 * 20_000, 3)])
    table = [
        f"0,{step},{step},name{name},0" for step in steps.tolist() for name in range(10)
    ]
    path = tmp_path / "metrics.csv"
    path.write_text(HEADER + "\n".join(table) + "\n")
    assert len(table) == 1_000_000
    start = time.perf_counter()
    metrics, [note] = read_metrics(path, 19_999)
    assert time.perf_counter() - start < 60
    assert len(metrics) == (3 * 20_000 + 2) * 10
    assert "resumed from a checkpoint 19999 time(s)" in note


def test_twenty_thousand_falls_that_no_resume_explains_take_seconds(tmp_path):
    table = rows(0, 40_000)
    for row in table[1::2]:
        row[1] = 0
    path = write(tmp_path / "metrics.csv", table)
    for resumes in (0, None, 20_000):
        start = time.perf_counter()
        _, notes = read_metrics(path, resumes)
        assert time.perf_counter() - start < 30
        assert "out of order" in notes[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("recycled/Conv_0", "inf"),
        ("recycled/Conv_0", "nan"),
        ("recycled/Conv_0", "-1"),
        ("recycled/Conv_0", "0.5"),
        ("recycled/Conv_0", "1e300"),
        ("reset_layers", "inf"),
        ("dormant_fraction/0.1", "inf"),
        ("dormant_fraction/0.1/Conv_0", "-inf"),
        ("dormant_fraction_after/0.1", "1.1"),
        ("zero_gradient_fraction", "-0.1"),
        ("overlap/0.1/Conv_0", "2"),
        ("train/accuracy", "100"),
    ],
)
def test_a_value_that_its_metric_cannot_have_is_damage(make_run, name, value):
    path = make_run(body=f"{BODY}2,260,40,{name},{value}\n")
    run = load_run(path)
    assert len(run.metrics) == len(BODY.splitlines())
    assert "has 1 row(s) with a value that their metric cannot have" in run.notes[0]
    assert run.notes[0].endswith(f"line {len(BODY.splitlines()) + 2}.")


def test_the_report_is_written_of_a_damaged_run(make_run):
    path = make_run(body=f"{BODY}2,260,40,recycled/Conv_0,inf\n")
    page = write_report(path).read_text()
    assert "with a value that their metric cannot have, left out: line 34." in page


@pytest.mark.parametrize("value", ["inf", "-inf", "nan", "1e308", "-1e308"])
def test_what_diverged_is_shown_as_it_is(make_run, value):
    names = ("loss", "largest_q", "train/episode_return", "train/average_return")
    more = "".join(f"2,260,40,{name},{value}\n" for name in names)
    path = make_run(body=BODY + more)
    run = load_run(path)
    assert run.notes == ()
    expected = float(value)
    for name in names:
        last = run.metrics[run.metrics["name"] == name]["value"].iloc[-1]
        assert last == expected or (math.isnan(last) and math.isnan(expected))
    assert "Overview" in write_report(path).read_text()


def test_values_whose_distance_no_float_holds_are_drawn(make_run):
    names = ("loss", "largest_q", "train/episode_return", "train/average_return")
    more = "".join(f"2,260,40,{name},1e308\n2,280,42,{name},-1e308\n" for name in names)
    assert "Overview" in write_report(make_run(body=BODY + more)).read_text()


def test_fractions_may_be_of_nothing_and_end_just_above_1():
    values = np.array([np.nan, 0.0, 1.0000001, 1.1, -0.1])
    found = metrics_csv.is_possible("dormant_fraction/0.1/Conv_0", values)
    assert found.tolist() == [True, True, True, False, False]


@pytest.mark.parametrize(
    "line",
    [
        "0,nan,0,loss,1",
        "0,-1,0,loss,1",
        "0,99999999999999999999,0,loss,1",
        f"0,{'9' * 400},0,loss,1",
        f"0,1,{'9' * 5_000},loss,1",
        "0,inf,0,loss,1",
        "0,1,0,lo\0ss,1",
        "0,1,0\0,loss,1",
        "\0" * 20,
        "0,1,0,lo\N{REPLACEMENT CHARACTER}ss,1",
        f"0,1,0,loss,{'1' * 5_000}",
        "x" * 1_000_000,
        "," * 100_000,
    ],
    ids=lambda line: repr(line[:24]),
)
def test_a_hostile_line_costs_itself(make_run, line):
    run = load_run(make_run(body=f"0,1,0,loss,0.5\n{line}\n0,2,1,loss,0.25\n"))
    assert run.metrics["value"].tolist() == [0.5, 0.25]
    assert run.metrics["agent_step"].dtype == "int64"
    [note] = run.notes
    assert "1 malformed line(s), left out: line 3." in note


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_byte_order_mark_is_read(make_run, ends):
    path = make_run()
    content = (HEADER + BODY).replace("\n", ends).encode("utf-8-sig")
    (path / "metrics.csv").write_bytes(content)
    run = load_run(path)
    assert (len(run.metrics), run.notes) == (len(BODY.splitlines()), ())
