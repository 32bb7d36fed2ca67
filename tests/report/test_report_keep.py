"""What is kept of a study: small, the same each time, and enough to go on from."""

import errno
import json
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest

from redo_dopamine.errors import UserError
from redo_dopamine.report import keep as keep_module
from redo_dopamine.report import write_report
from redo_dopamine.rundir import status as run_status
from report.study_factory import Factory, noisy, replay_ratio_arms

pytestmark = pytest.mark.slow


ARMS = replay_ratio_arms((1, 2))
KEY = ["arm", "game", "seed", "name"]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    made = Factory(tmp_path_factory.mktemp("kept") / "study", ARMS, ("Pong",))
    made.iterations = 20
    made.write_all(noisy)
    made.write_run("redo_rr2", "Pong", 2, 0.1, state="running")
    for path in made.root.glob("*/*/*"):
        for name, more in (
            ("status.json", {"host": "a"}),
            ("run.json", {"command": 1}),
        ):
            content = json.loads((path / name).read_text())
            (path / name).write_text(json.dumps(content | more))
    return made


@pytest.fixture(scope="module")
def kept(study):
    to = study.root.parent / "results"
    to.mkdir()
    (to / "photo.png").write_bytes(b"mine")
    (to / "README.md").write_text("mine")
    keep_module.keep(study.root, to, repeats=20)
    return to


def test_tables_and_figures_are_the_reports(study, kept):
    names = {path.name for path in kept.iterdir()}
    assert {"scores.csv", "summary.csv", "headline.png", "curves.csv"} <= names
    assert {"runs.zip", "README.md", "photo.png"} <= names
    assert not any(name.endswith((".svg", ".html")) for name in names)
    for name in ("scores.csv", "headline.png"):
        assert (kept / name).read_bytes() == (study.root / "report" / name).read_bytes()


def test_curves_are_thinned_and_of_finished_runs(kept):
    table = pd.read_csv(kept / "curves.csv")
    names = {"dormant_fraction/0.0", "dormant_fraction/0.1", "loss"}
    assert set(table["name"]) == {*names, "train/average_return"}
    sizes = table.groupby(KEY).size().groupby("name").agg(list)
    of_runs = 4 * 3 - 1
    # Of 80 measurements, and of 20 iterations.
    assert {name: sizes[name] for name in names} == dict.fromkeys(names, [25] * of_runs)
    assert sizes["train/average_return"] == [20] * of_runs
    assert set(table.groupby(KEY)["agent_step"].max()) == {2000}
    assert set(table[table["name"] == "loss"]["agent_step"]) >= {25, 2000}


def test_what_is_unpacked_gives_the_same_scores_and_is_finished(study, kept, tmp_path):
    with zipfile.ZipFile(kept / "runs.zip") as archive:
        archive.extractall(tmp_path)
    page = write_report(tmp_path, bootstrap_repeats=20)
    # The run that is not finished has points in the study's own.
    key = ["arm", "game", "seed", "frames"]
    again = pd.read_csv(page.parent / "scores.csv").merge(
        pd.read_csv(kept / "scores.csv"), on=key, validate="1:1"
    )
    assert len(again) == 11 * 20
    np.testing.assert_allclose(again["return_x"], again["return_y"])
    for name in ("summary.csv", "ends.csv"):
        pd.testing.assert_frame_equal(
            pd.read_csv(page.parent / name), pd.read_csv(kept / name)
        )
    seeds = [path.parent for path in tmp_path.glob("*/*/*/status.json")]
    assert len(seeds) == 11
    assert {run_status.actual_state(path) for path in seeds} == {"done"}
    status = json.loads((seeds[0] / "status.json").read_text())
    info = json.loads((seeds[0] / "run.json").read_text())
    assert info["game"] == "Pong"
    assert not {"host", "pid", "command"} & {*status, *info}
    metrics = pd.read_csv(seeds[0] / "metrics.csv")["name"].value_counts()
    assert metrics["dormant_fraction/0.1"] == 80  # What the ends are read from.
    assert metrics["dormant_fraction/0.0"] == 25
    rows = (seeds[0] / "metrics.csv").read_text()
    assert "train/episode_return" not in rows
    assert "train/average_return" in rows


def test_the_same_runs_give_the_same_bytes(study, kept, tmp_path):
    keep_module.keep(study.root, tmp_path / "a" / "b", repeats=20)
    for path in (tmp_path / "a" / "b").iterdir():
        assert path.read_bytes() == (kept / path.name).read_bytes()


def test_some_figures_are_kept_where_they_are_named(study, tmp_path):
    keep_module.keep(study.root, tmp_path, ["sample_efficiency"], repeats=20)
    keep_module.keep(study.root, tmp_path, ["headline", "dormant_fraction"], repeats=20)
    figures = {path.name for path in tmp_path.glob("*.png")}
    assert figures == {"headline.png", "dormant_fraction.png"}
    with pytest.raises(UserError, match="'head' is none"):
        keep_module.keep(study.root, tmp_path, ["head"], repeats=20)


@pytest.mark.parametrize("place", [".", "report", "../study/report"])
def test_a_studys_own_directory_is_no_place(place, study):
    with pytest.raises(UserError, match="apart from the study's own"):
        keep_module.keep(study.root, study.root / place, repeats=20)


@pytest.mark.parametrize("name", ["curves.csv", "summary.csv", "headline.png"])
def test_a_file_of_somebody_elses_is_not_replaced(name, study, tmp_path):
    (tmp_path / name).write_text("mine")
    with pytest.raises(UserError, match=rf"has {name} and no runs\.zip"):
        keep_module.keep(study.root, tmp_path, repeats=20)
    assert [x.read_text() for x in tmp_path.iterdir()] == ["mine"]


def test_a_damaged_run_is_named(tmp_path):
    made = Factory(tmp_path / "study", ARMS, ("Pong",))
    made.write_all(noisy)
    next(made.root.glob("*/*/*/run.json")).write_text("{")
    with pytest.raises(UserError, match=r"run\.json must be what a run wrote"):
        keep_module.keep(made.root, tmp_path / "to", repeats=20)


def test_nothing_is_finished(tmp_path):
    made = Factory(tmp_path / "study", ARMS, ("Pong",))
    made.write_study()
    with pytest.raises(UserError, match="must have a finished run"):
        keep_module.keep(made.root, tmp_path / "results", repeats=20)
    assert not (tmp_path / "results").exists()


def contents(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def zipped(path, name, *runs):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("study.json", json.dumps({"name": name}))
        for run in runs:
            archive.writestr(f"{run}/metrics.csv", "")


def marked(path, place, byte):
    """An archive whose first entry is encrypted (6) or of another method (8)."""
    zipped(path, "replay_ratio")
    content = bytearray(path.read_bytes())
    # The entry itself, and its line in the directory at the end.
    for start in (0, content.index(b"PK\x01\x02") + 2):
        content[start + place : start + place + 1] = byte
    path.write_bytes(content)


def huge(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("study.json", '{"name": "replay_ratio"}' + " " * 2**25)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.write_text("mine"), "is of something else, not of"),
        (lambda path: marked(path, 6, b"\x01"), "is of something else, not of"),
        (lambda path: marked(path, 8, b"\x63"), "is of something else, not of"),
        (lambda path: huge(path), "is of something else, not of"),
        (lambda path: zipped(path, "other"), "is of other, not of replay_ratio"),
        (
            lambda path: zipped(path, "replay_ratio", "gone/Pong/7"),
            "1 of .* are not in .*gone/Pong/7",
        ),
    ],
)
def test_kept_runs_and_files_of_others_are_not_lost(make, words, study, tmp_path):
    make(tmp_path / "runs.zip")
    (tmp_path / "curves.csv").write_text("before")
    before = contents(tmp_path)
    with pytest.raises(UserError, match=words):
        keep_module.keep(study.root, tmp_path, repeats=20)
    assert contents(tmp_path) == before


def test_a_disk_that_fills_leaves_what_was_kept(study, tmp_path, monkeypatch):
    keep_module.keep(study.root, tmp_path, repeats=20)
    before = contents(tmp_path)
    written = []

    def fail(path, content):
        written.append(path)
        if len(written) == 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        path.write_bytes(content)

    monkeypatch.setattr(keep_module.files, "write_bytes", fail)
    monkeypatch.setattr(
        keep_module, "write_report", lambda *_: study.root / "report" / "index.html"
    )
    with pytest.raises(UserError, match="No space left"):
        keep_module.keep(study.root, tmp_path, ["headline"], repeats=20)
    assert contents(tmp_path) == before


def test_a_directory_in_the_way_of_a_file(study, tmp_path):
    keep_module.keep(study.root, tmp_path, repeats=20)
    (tmp_path / "summary.csv").unlink()
    (tmp_path / "summary.csv").mkdir()
    before = (tmp_path / "runs.zip").read_bytes()
    with pytest.raises(UserError, match=r"summary\.csv is a directory"):
        keep_module.keep(study.root, tmp_path, repeats=20)
    assert (tmp_path / "runs.zip").read_bytes() == before
    assert (tmp_path / "summary.csv").is_dir()


def test_no_study_and_no_place_to_write(study, tmp_path):
    with pytest.raises(UserError, match=r"study\.json"):
        keep_module.keep(tmp_path, tmp_path / "results")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="--to must be a directory that can be written"):
        keep_module.keep(study.root, tmp_path / "file" / "results", repeats=20)


def test_the_command(study, tmp_path):
    command = [sys.executable, "-m", "redo_dopamine.report.keep"]
    flags = [f"--base_dir={study.root}", f"--to={tmp_path}"]
    done = subprocess.run([*command, *flags], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"{tmp_path}\n")
    wrong = subprocess.run(
        [*command, f"--base_dir={tmp_path / 'x'}", f"--to={tmp_path}"],
        capture_output=True,
        text=True,
    )
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("error: ")
