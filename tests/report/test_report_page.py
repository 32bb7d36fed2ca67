"""The page: what it holds, that it stands alone, that nothing in it is unescaped."""

import base64
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from redo_dopamine.errors import UserError
from redo_dopamine.report import write_report

VOID = {"meta", "img", "br", "link"}


class Page(HTMLParser):
    """Collects images, links, cells and text, and checks that tags nest."""

    def __init__(self, text):
        super().__init__()
        self.images, self.links, self.cells, self.open = [], [], [], []
        self.words = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.links += [v for k, v in attrs if k in ("src", "href")]
        if tag == "img":
            self.images.append(attributes)
        if tag in ("td", "th"):
            self.cells.append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.cells[-1] += data
        if "style" not in self.open:
            self.words += data


def read(path):
    return Page(path.read_text(encoding="utf-8"))


def test_page_of_two_runs(make_run):
    make_run("redo")
    make_run("plain", body="0,5,2,loss,1\n", info=None, config=None)
    path = write_report(make_run.root)
    assert path == make_run.root / "report" / "index.html"
    page = read(path)

    assert len(page.images) == 6
    for image in page.images:
        head, _, data = image["src"].partition(",")
        assert head == "data:image/png;base64"
        assert base64.b64decode(data).startswith(b"\x89PNG")
        assert image["alt"].endswith("plotted for plain, redo")
    assert len({image["alt"] for image in page.images}) == 6
    assert not any("://" in link or link.startswith("//") for link in page.links)

    assert page.words.count("Dormant neurons in Pong") == 2
    row = page.cells.index("redo")
    assert page.cells[row : row + 12] == [
        *("redo", "Pong", "dqn", "7", "260", "40", "2", "20.0"),
        *("0.000", "0.200", "11", "120.0"),
    ]
    row = page.cells.index("plain")
    dash = "\N{EN DASH}"
    assert page.cells[row : row + 12] == [
        *("plain", dash, dash, dash, "5", "2", "0", dash, dash, dash, "0", dash)
    ]
    # The effect of recycling at 0.1.
    assert ["0.1", "0.400", "0.150", "2"] in [
        page.cells[i : i + 4] for i in range(len(page.cells))
    ]
    for words in (
        "plain: run.json is missing",
        "plain: config.gin is missing",
        "s_i ≤ τ",
        "|X ∩ Y| / min(|X|, |Y|)",
        "redo.tau = 0.1",
        "python -m redo_dopamine.train '--base_dir=a b'",
        "commit abc123, with uncommitted changes",
        "jax 0.6.2, python 3.11.2",
    ):
        assert words in page.words


def test_pngs_lie_next_to_the_page_and_old_ones_go(make_run):
    path = make_run()
    report = write_report(path).parent
    names = {entry.name for entry in report.iterdir()}
    assert names == {
        "index.html",
        "return.png",
        "dormant_fraction.png",
        "dormant_fraction_per_layer.png",
        "overlap_per_layer.png",
        "recycled_per_layer.png",
        "loss.png",
    }
    header = (path / "metrics.csv").read_text().splitlines()[0]
    (path / "metrics.csv").write_text(f"{header}\n0,5,2,loss,1\n")
    page = read(write_report(path))
    assert {entry.name for entry in report.iterdir()} == {"index.html", "loss.png"}
    assert len(page.images) == 1
    assert "Return is not shown: no run recorded train/episode_return" in page.words


def test_everything_from_the_run_is_escaped(make_run):
    evil = '<script>alert("x")</script>&'
    info = {
        "game": evil,
        "agent": evil,
        "seed": evil,
        "git": {"commit": evil, "dirty": None},
        "command": [evil],
        "versions": {evil: evil},
        "start": evil,
        "end": evil,
    }
    path = make_run("a<b>&c", info=info, config=evil)
    with (path / "metrics.csv").open("a") as file:
        file.write("2,300,40,recycled/<i>layer</i>,1\n")
    text = write_report(path).read_text(encoding="utf-8")
    assert "<script" not in text
    assert "<i>" not in text
    assert "a<b>" not in text
    assert evil in Page(text).words


def test_odd_run_json_is_shown_and_does_not_stop_the_page(make_run):
    info = {"git": None, "command": "train", "versions": None, "seed": None}
    page = read(write_report(make_run(info=info)))
    assert "unknown game" in page.words
    assert "redo: Unfinished" in page.words


def test_an_empty_run_has_a_page(make_run):
    page = read(write_report(make_run(body="")))
    assert page.images == []
    assert "Loss is not shown: no run recorded loss." in page.words


def test_same_runs_give_the_same_bytes(make_run):
    path = make_run()
    first = write_report(path).read_bytes()
    assert write_report(path).read_bytes() == first


def test_report_that_cannot_be_written_is_a_user_error(make_run):
    path = make_run()
    (path / "report").write_text("in the way")
    with pytest.raises(UserError, match="report is written to"):
        write_report(path)


def run_cli(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "redo_dopamine.report", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_cli_prints_the_path(make_run):
    path = make_run()
    done = run_cli(f"--base_dir={path}")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{path / 'report' / 'index.html'}\n"


def test_cli_reports_a_user_error_without_traceback(tmp_path):
    done = run_cli(f"--base_dir={tmp_path}")
    assert done.returncode == 2
    assert done.stderr.startswith("error: base_dir must hold a metrics.csv")
    assert str(tmp_path) in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_import_is_light():
    code = (
        "import sys, redo_dopamine.report, redo_dopamine.report.run_page;"
        "heavy = {'dopamine', 'tensorflow', 'jax', 'gin', 'flax'} & set(sys.modules);"
        "drawing = {'matplotlib.pyplot'} & set(sys.modules);"
        "sys.exit(f'imported: {heavy | drawing}' if heavy | drawing else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_run_in_its_warm_up_is_told(make_run):
    body = "0,10,0,train/average_return,1.0\n"
    page = write_report(make_run(body=body)).read_text()
    assert "it has made no gradient step" in page
