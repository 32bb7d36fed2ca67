"""A report's contents, and `--watch` of runs under way."""

import re
from pathlib import Path

import pytest

from redo_dopamine.report import files, find_runs, watch, write_report
from redo_dopamine.rundir import status
from report.study_factory import Factory, bar_arms


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
    page = write_report(make_run(), reload_every=30)
    tag, before = '<meta http-equiv="refresh" content="30">\n', page.read_text()
    assert tag in before
    files.end_reloading(page.parent)
    assert page.read_text() == before.replace(tag, "")


class Clock:
    """Stands in for `time`; what each run is from when on, by its seed."""

    def __init__(self, **timeline):
        self.now = 0.0
        self._timeline = timeline

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds

    def state(self, run):
        begun = [x for at, x in self._timeline[f"seed{run.name}"] if at <= self.now]
        return begun[-1] if begun else None


ONE = ((5, "running"), (95, "done"))


@pytest.mark.parametrize(
    ("second", "seconds", "builds"),
    [
        ((), 60, 5),  # It never begins.
        (((185, "running"), (230, "done")), 60, 4),  # 90 seconds after the first.
        (((100, "running"), (150, "stopped")), 60, 6),
        (((100, "running"), (3500, "failed")), 3600, 2),
        (((0, "done"),), 60, 2),
    ],
)
def test_it_is_built_until_all_runs_are_done_or_long_idle(
    tmp_path, monkeypatch, capsys, second, seconds, builds
):
    Factory(tmp_path, bar_arms()[:1], games=["Pong"], seeds=[0, 1]).write_study()
    clock = Clock(seed0=ONE, seed1=second)
    monkeypatch.setattr(watch, "time", clock)
    monkeypatch.setattr(watch.status, "actual_state", clock.state)
    watch.follow(lambda seconds: Path("index.html"), [tmp_path], seconds)
    assert capsys.readouterr().out.count(f"again in {seconds} s") == builds


def test_a_directory_of_finished_runs_is_not_waited_for(tmp_path, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(watch, "time", clock)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        status.write(tmp_path / name, status.Status(status.DONE))
    watch.follow(lambda seconds: tmp_path, [tmp_path, tmp_path / "one"], 60)
    assert clock.now == 0


def test_a_run_that_has_not_begun_is_waited_for(
    make_run, tmp_path, monkeypatch, capsys
):
    clock, place = Clock(), tmp_path / "redo"

    def build(seconds):
        find_runs(place)
        return place / "index.html"

    def sleep(seconds):
        clock.now += seconds
        if clock.now == 20:
            make_run()
        if clock.now == 80:
            status.write(place, status.Status(status.DONE))

    clock.sleep = sleep
    monkeypatch.setattr(watch, "time", clock)
    watch.follow(build, [place], 60)
    *waited, built = capsys.readouterr().out.splitlines()
    assert waited == [f"There is no run at {place} yet, again in 10 s"] * 2
    assert built == f"{place / 'index.html'}, again in 60 s"


def test_a_run_that_never_begins_is_waited_for_two_minutes(tmp_path, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(watch, "time", clock)
    watch.follow(lambda seconds: find_runs(tmp_path), [tmp_path], 60)
    assert clock.now == 60 + 120 + 10


def test_after_ctrl_c_a_page_no_longer_loads_itself(tmp_path, monkeypatch):
    page, clock = tmp_path / "index.html", Clock()

    def build(seconds):
        page.write_text(f'<meta http-equiv="refresh" content="{seconds}">\n<p>')
        return page

    def sleep(seconds):
        raise KeyboardInterrupt

    clock.sleep = sleep
    monkeypatch.setattr(watch, "time", clock)
    with pytest.raises(KeyboardInterrupt):
        watch.follow(build, [tmp_path], 60)
    assert page.read_text() == "<p>"
