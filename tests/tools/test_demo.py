"""What the demo does with what it is given; its trainings are stood in for."""

import signal
import subprocess
import sys
import time

import pytest

from helpers import shell
from redo_dopamine import report
from redo_dopamine.errors import UserError
from redo_dopamine.rundir import status


@pytest.fixture
def run(tmp_path, monkeypatch):
    """The command, whose report cannot be written."""

    def refuse(base_dir):
        raise UserError("no report")

    with shell._parsed("redo_dopamine.tools.demo", [f"--base_dir={tmp_path}"]) as scope:
        found = scope["main"].__globals__
        monkeypatch.setitem(found, "train_arms", lambda *arguments: None)
        monkeypatch.setattr(report, "write_report", refuse, raising=False)
        yield lambda *words: scope["main"](["demo", *words])


@pytest.mark.parametrize(
    ("words", "said"),
    [([], "error: no report"), (["runs"], "flags only, but ['runs'] are none")],
)
def test_a_mistake_is_a_message_and_no_folder_is_lost(
    words, said, run, tmp_path, capsys
):
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "thesis.tex").write_text("mine")
    assert run(*words) == 2
    assert said in capsys.readouterr().err
    assert (tmp_path / "report" / "thesis.tex").read_text() == "mine"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_a_run_that_goes_on(number, tmp_path):
    demo = subprocess.Popen(
        [sys.executable, "-m", "redo_dopamine.demo", f"--base_dir={tmp_path}"],
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not (found := status.read(tmp_path / "none")) or not found.agent_step:
        assert demo.poll() is None
        time.sleep(0.1)
    demo.send_signal(number)
    assert demo.wait() == 75
    assert status.read(tmp_path / "none").state == status.STOPPED
    assert list((tmp_path / "none" / "checkpoints").iterdir())
