"""A report's contents, and `--watch` of runs under way."""

import re
from pathlib import Path

from redo_dopamine.report import files, watch, write_report


def test_contents_lead_to_every_heading(make_run):
    page = write_report(make_run()).read_text()
    nav = page.partition("<nav")[2].partition("</nav>")[0]
    links = re.findall(r'href="#([^"]+)">([^<]+)<', nav)
    assert ("overview", "Overview") in links
    assert links == re.findall(r'<h2 id="([^"]+)">([^<]+)</h2>', page)
    assert len({name for name, _ in links}) == len(links) > 3
    assert 'http-equiv="refresh"' not in page


def test_headings_of_one_name_have_places_of_their_own():
    found = files.with_contents("<h2>A &amp; B</h2><h2>A &amp; B</h2>")
    names = re.findall(r'id="([^"]+)"', found)
    assert len({*names}) == 2


def test_a_page_under_watch_loads_itself_again(make_run):
    page = write_report(make_run(), reload_every=30).read_text()
    assert '<meta http-equiv="refresh" content="30">' in page


def test_it_is_built_until_no_run_is_under_way(monkeypatch, capsys):
    states = iter([True, False, True, False, False])
    monkeypatch.setattr(watch, "_under_way", lambda place: next(states))
    slept, built = [], []
    monkeypatch.setattr(watch.time, "sleep", slept.append)

    def build(seconds):
        built.append(seconds)
        return Path("index.html")

    watch.follow(build, [Path("run")], 60)
    assert built == [60, 60]
    assert slept == [60, 10, 60, 10]
    assert capsys.readouterr().out.count("again in 60 s") == 2
    assert next(states, None) is None
