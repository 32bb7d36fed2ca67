"""docs/claims.md: a row for every study, and no number without its source."""

import re

import pytest

from helpers import documents
from redo_dopamine.studies import STUDIES

ROOT = documents.ROOT
PAGE = (ROOT / "docs" / "claims.md").read_text()
NUMBER = re.compile(r"(?<![\w.])[\d,]*\.?\d+%?")


def rows():
    return [row for row in documents.tables(PAGE) if len(row) == 5]


def statuses():
    return {row[0] for row in documents.tables(PAGE) if len(row) == 2}


def results():
    """All that was ever committed as a result: in `results/`, and on three pages."""
    pages = [ROOT / name for name in ("README.md", "docs/laptop.md", "docs/causes.md")]
    files = [*pages, *sorted(ROOT.glob("results/**/*.csv"))]
    return "\n".join(path.read_text() for path in files)


def study_of(row):
    return row[1].strip("`")


def test_every_study_has_a_row_and_every_row_a_known_status():
    named = {study_of(row) for row in rows()} - {"–"}
    assert named == set(STUDIES)
    used = {row[-1] for row in rows()}
    assert used <= statuses()
    assert {"not run here", "run small", "run whole", "held by a test"} == statuses()


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0][:40])
def test_a_row_says_what_its_status_allows(row):
    _, _, _, here, status = row
    assert (here == "–") == (status == "not run here")


@pytest.mark.parametrize(
    "row", [x for x in rows() if x[-1].startswith("run ")], ids=lambda x: x[0][:40]
)
def test_our_numbers_are_among_the_committed_results(row):
    found = results()
    without_settings = re.sub(r"(τ = |RR )[\d.]+", "", row[3])
    numbers = NUMBER.findall(without_settings)
    assert numbers
    for number in numbers:
        assert re.search(rf"(?<![\d.]){re.escape(number)}(?!\d)", found), number


@pytest.mark.parametrize("study", [x for x in STUDIES.values() if x.paper])
def test_the_papers_scores_are_those_of_the_study(study):
    told = " ".join(row[2] for row in rows() if study_of(row) == study.name)
    shown = {float(x) for x in re.findall(r"\d\.\d+", told)}
    assert {score.iqm for score in study.paper} <= shown


@pytest.mark.parametrize(
    "study", [x for x in STUDIES.values() if x.paper_dormancy or x.paper_curve]
)
def test_the_papers_dormant_fractions_are_those_of_the_study(study):
    told = " ".join(row[2] for row in rows() if study_of(row) == study.name)
    shown = {float(x) for x in re.findall(r"(\d+)(?=%|–)", told)}
    percents = {x for y in study.paper_dormancy for x in (y.low, y.high)}
    percents |= {point.percent for point in study.paper_curve}
    assert percents <= shown
