"""docs/claims.md: a row for every study, verdicts in words, the papers' numbers."""

import re

import pytest

from helpers import documents
from redo_dopamine.studies import STUDIES

ROOT = documents.ROOT
PAGE = (ROOT / "docs" / "claims.md").read_text()


def rows():
    return [row for row in documents.tables(PAGE) if len(row) == 5]


def statuses():
    return {row[0] for row in documents.tables(PAGE) if len(row) == 2}


def study_of(row):
    return row[1].strip("`")


def test_every_study_has_a_row_and_every_row_a_known_status():
    named = {study_of(row) for row in rows()} - {"–"}
    assert named == set(STUDIES)
    used = {row[-1] for row in rows()}
    assert used <= statuses()
    assert statuses() == {
        *("not run here", "runs not kept", "under way"),
        *("run small", "run whole", "held by a test"),
    }


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0][:40])
def test_a_row_says_what_its_status_allows(row):
    _, _, _, here, status = row
    assert (here == "–") == (status == "not run here")


@pytest.mark.parametrize(
    "row", [x for x in rows() if x[-1].startswith("run")], ids=lambda x: x[0][:40]
)
def test_a_row_leads_to_its_numbers_and_does_not_repeat_them(row):
    here, status = row[3:]
    assert re.search(r"\]\((laptop\.md#|causes\.md#|#one-whole-run)", here)
    assert not documents.numbers_with_intervals(here)
    kept = (ROOT / "results" / study_of(row)).is_dir()
    if status == "runs not kept":
        assert not kept
    if status == "run whole":
        assert kept


def test_nothing_of_he_is_run_whole():
    """The paper trains for 20 million steps."""
    of_he = {x.name for x in STUDIES.values() if x.source.startswith("He, 2026")}
    found = {row[-1] for row in rows() if study_of(row) in of_he}
    assert found == {"run small", "not run here"}


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
    taus = {x.tau for x in (*study.paper_dormancy, *study.paper_curve)}
    for tau in taus:
        assert ("τ not known" if tau is None else f"τ = {tau:g}") in told
