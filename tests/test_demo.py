"""What the demo does with what it is given; its trainings are stood in for."""

import pytest

from helpers import shell
from redo_dopamine.errors import UserError


@pytest.fixture
def run(tmp_path, monkeypatch):
    """The command, whose report cannot be written."""

    def refuse(base_dir):
        raise UserError("no report")

    with shell._parsed("redo_dopamine.demo", [f"--base_dir={tmp_path}"]) as scope:
        found = scope["main"].__globals__
        monkeypatch.setitem(found, "train_arms", lambda *arguments: None)
        monkeypatch.setitem(found, "write_report", refuse)
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
    with pytest.raises(SystemExit) as ended:
        run(*words)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
    assert (tmp_path / "report" / "thesis.tex").read_text() == "mine"
