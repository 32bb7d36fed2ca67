"""Neurons without a gradient beside those dormant at τ = 0: a table, a file, a page."""

import json
import zipfile

import pandas as pd
import pytest

from redo_dopamine.report import keep, write_report
from redo_dopamine.report import runs as study_runs
from redo_dopamine.report.study import analysis, curves, tables
from redo_dopamine.studies import spec

LAYER = "value/Dense_1"
NAN = float("nan")
# Of each seed, at three measurements.
SHARES = {0: (0.0, 0.25, 0.5), 1: (0.125, 0.25, 0.25)}
ONE_SET = {0: (NAN, 1.0, 0.75), 1: (1.0, 1.0, 1.0)}
IN_TIME = {0: (NAN, NAN, 0.5), 1: (NAN, 0.75, 1.0)}


@pytest.fixture
def root(tmp_path):
    content = {
        "format": 1,
        "name": "ppo_layers",
        "scale": 1.0,
        "games": ["HalfCheetah-v4"],
        "seeds": [0, 1],
        "unit": "agent steps",
        "agent steps": {"study": 300, "run": 300},
        "scored": False,
        "arms": [{"name": "deep", "label": "four layers", "series": "deep", "x": None}],
    }
    (tmp_path / "study.json").write_text(json.dumps(content))
    for seed in SHARES:
        write_run(tmp_path, seed)
    return tmp_path


def write_run(root, seed):
    path = root / "deep" / "HalfCheetah-v4" / str(seed)
    path.mkdir(parents=True)
    rows = ["iteration,agent_step,gradient_step,name,value"]
    for i, share in enumerate(SHARES[seed]):
        at = f"{i},{100 * (i + 1)},{10 * (i + 1)},"
        rows += [
            f"{at}dormant_fraction/0.0,{share / 2}",
            f"{at}dormant_fraction/0.1,0.5",
            f"{at}dormant_fraction/0.0/{LAYER},{share}",
            # Quiet neurons are no silent ones.
            f"{at}dormant_fraction/0.1/{LAYER},0.875",
            f"{at}zero_gradient_fraction/{LAYER},{share}",
            f"{at}zero_gradient_dormant_overlap/{LAYER},{ONE_SET[seed][i]}",
            f"{at}zero_gradient_overlap/{LAYER},{IN_TIME[seed][i]}",
        ]
    (path / "metrics.csv").write_text("\n".join(rows) + "\n")
    (path / "config.gin").write_text("")
    (path / "run.json").write_text(json.dumps({"end": "x"}))
    (path / "status.json").write_text(json.dumps({"state": "done"}))


def test_the_two_sets_are_compared_at_tau_0(root):
    [row] = curves.zero_gradient(analysis.analyze(root, 50)).to_dict("records")
    assert (row["arm"], row["layer"], row["seeds"]) == ("deep", LAYER, 2)
    for name in ("dormant", "zero_gradient"):
        assert row[f"{name}_first"] == pytest.approx(0.0625)
        assert row[name] == pytest.approx(0.375)
        assert row[f"{name}_low"] < 0.375 < row[f"{name}_high"]
    assert row["growth"] == pytest.approx((0.5 + 0.125) / 2)
    assert row["one_set_lowest"] == 0.75
    assert row["one_set_measurements"] == 5
    assert row["in_time"] == pytest.approx((0.5 + 0.75 + 1) / 3)
    assert row["in_time_lowest"] == 0.5
    assert row["in_time_measurements"] == 3


def test_the_page_has_it_and_a_file(root):
    report = write_report(root, 50).parent
    rows = pd.read_csv(report / "zero_gradient.csv")
    assert rows["zero_gradient"].tolist() == [0.375]
    page = (report / "index.html").read_text()
    assert "Without a gradient, and dormant at τ = 0" in page
    assert "0.75 of 5" in page
    assert "0.75, 0.50 of 3" in page


def test_runs_that_measured_one_of_the_two_have_no_such_table(root):
    for path in root.glob("deep/*/*/metrics.csv"):
        rows = path.read_text().splitlines(keepends=True)
        path.write_text("".join(x for x in rows if "zero_gradient" not in x))
    found = analysis.analyze(root, 50)
    assert curves.zero_gradient(found).empty
    assert not tables.zero_gradient(found)
    assert not (write_report(root, 50).parent / "zero_gradient.csv").exists()


def test_what_is_not_defined_is_kept_as_it_is(root, tmp_path_factory):
    to, again = tmp_path_factory.mktemp("kept"), tmp_path_factory.mktemp("again")
    keep.keep(root, to, repeats=20)
    with zipfile.ZipFile(to / "runs.zip") as archive:
        archive.extractall(again)
    records = study_runs.find_records(again, spec.load(again))
    assert {record.state for record in records} == {"done"}
    before = curves.zero_gradient(analysis.analyze(root, 20))
    after = curves.zero_gradient(analysis.analyze(again, 20))
    pd.testing.assert_frame_equal(before, after)
    assert (to / "zero_gradient.csv").exists()
