"""The pages as headless Chromium shows them: figures load, tables fit or scroll."""

import re
import shutil
import subprocess

import pytest

from redo_dopamine.report import write_report
from report.study_factory import Factory, noisy, paper_values

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None, reason="chromium is not installed (apt-get install chromium)"
    ),
]
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
    *("--no-first-run", "--disable-background-networking", "--disable-sync"),
    *("--disable-component-update", "--window-size=1000,800"),
)
# What only a browser knows, written where the dumped document shows it.
PROBE = """
<pre id="probe"></pre><script>
const wide = [...document.images].filter(i => i.complete && i.naturalWidth > 1000);
const spilt = document.documentElement.scrollWidth > window.innerWidth;
document.getElementById("probe").textContent =
  `images ${document.images.length} shown ${wide.length} spilt ${spilt}`;
</script>
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    root = tmp_path_factory.mktemp("study") / "replay_ratio"
    factory = Factory(root, paper=paper_values(), seeds=[0, 1])
    factory.write_all(noisy)
    shutil.rmtree(factory.path("dqn_rr1", "Pong", 0))
    return write_report(root, 50).parent


@pytest.fixture
def open_page(report, tmp_path):
    def show(name):
        copy = report / f"probed_{name}"
        text = (report / name).read_text()
        copy.write_text(text.replace("</body>", f"{PROBE}</body>"))
        profile = f"--user-data-dir={tmp_path / name}"
        done = subprocess.run(
            [CHROMIUM, *FLAGS, profile, "--dump-dom", copy.as_uri()],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout

    return show


def test_the_studys_page(open_page):
    dom = open_page("index.html")
    assert "images 8 shown 8 spilt false" in dom
    tables = re.findall(r"<table>.*?</table>", dom, flags=re.DOTALL)
    # Scores, comparisons of arms, states of runs, and runs that did not end.
    assert [table.count("<tr>") - 1 for table in tables] == [8, 4, 8, 1]
    assert "DQN + ReDo, RR 0.5" in tables[0]
    assert "there is no such run directory" in tables[3]


def test_the_page_of_games(open_page):
    dom = open_page("games.html")
    assert "images 2 shown 2 spilt false" in dom
    tables = re.findall(r"<table>.*?</table>", dom, flags=re.DOTALL)
    assert [table.count("<tr>") - 1 for table in tables] == [2, 2, 16, 32]
