"""results/: every study that is kept there is named, whole, and of the study's arms."""

import json
import re
import zipfile

import pandas as pd
import pytest

from helpers import documents, kept
from redo_dopamine.report import runs as study_runs
from redo_dopamine.studies import STUDIES, spec

RESULTS = documents.ROOT / "results"
KEPT = sorted(path.parent.name for path in RESULTS.glob("*/runs.zip"))
PAGE = (RESULTS / "README.md").read_text()


def rows():
    return {row[0].strip("`"): row for row in documents.tables(PAGE)}


def test_the_page_names_what_is_there():
    assert list(rows()) == list(sorted(rows(), key=list(STUDIES).index))
    assert sorted(rows()) == KEPT


@pytest.mark.parametrize("name", KEPT)
def test_a_study_is_kept_whole(name):
    summary = pd.read_csv(RESULTS / name / "summary.csv")
    assert set(summary["arm"]) == {arm.name for arm in STUDIES[name].arms}
    with zipfile.ZipFile(RESULTS / name / "runs.zip") as archive:
        study = json.loads(archive.read("study.json"))
        runs = {entry.rpartition("/")[0] for entry in archive.namelist()} - {""}
    assert study["name"] == name
    told = rows()[name]
    scale = "" if study["scale"] == 1 else f" --scale={study['scale']:g}"
    assert told[1].startswith(f"`--study={name}{scale}")
    curves = pd.read_csv(RESULTS / name / "curves.csv", dtype=str)
    keys = curves[["arm", "game", "seed"]].drop_duplicates()
    assert {"/".join(key) for key in keys.to_numpy()} == runs
    seeds = {run.rpartition("/")[2] for run in runs}
    assert str(len(seeds)) == told[-1]


@pytest.mark.parametrize("name", KEPT)
def test_what_is_kept_can_be_read_again(name, tmp_path):
    with zipfile.ZipFile(RESULTS / name / "runs.zip") as archive:
        archive.extractall(tmp_path)
    records = study_runs.find_records(tmp_path, spec.load(tmp_path))
    done = {record.key for record in records if record.state == "done"}
    assert done == set(kept.runs(name))


def test_runs_from_a_dirty_tree_are_told():
    found = {
        name: sum(info["git"]["dirty"] for info in kept.infos(name).values())
        for name in KEPT
    }
    told = re.findall(r"^ {4}- `(\w+)`: (\d+),", PAGE, re.MULTILINE)
    assert {name: int(x) for name, x in told} == {k: x for k, x in found.items() if x}
    assert f"{sum(found.values())} runs come from a tree" in PAGE


def test_studies_that_are_not_kept_are_told():
    for name in {"label_shuffle", "offline", "distillation"} - set(KEPT):
        assert f"`{name}`" in PAGE


@pytest.mark.parametrize(
    "path", sorted((RESULTS / "unfinished").glob("*.zip")), ids=lambda path: path.stem
)
def test_an_unfinished_study_can_be_taken_up_again(path, tmp_path):
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / path.stem)
    records = study_runs.find_records(
        tmp_path / path.stem, spec.load(tmp_path / path.stem)
    )
    done = [record for record in records if record.state == "done"]
    assert done
    assert not any(record.run.info["git"]["dirty"] for record in done)
    assert spec.load(tmp_path / path.stem).name == path.stem
