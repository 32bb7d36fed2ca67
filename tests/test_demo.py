"""What the demo does with what it is given; its trainings are stood in for."""

import types

import pytest

from redo_dopamine import demo
from redo_dopamine.errors import UserError


@pytest.fixture
def run(tmp_path, monkeypatch):
    """The command, whose report cannot be written."""

    def refuse(base_dir):
        raise UserError("no report")

    given = types.SimpleNamespace(value=str(tmp_path))
    monkeypatch.setattr(demo, "_BASE_DIR", given)
    monkeypatch.setattr(demo, "_GIN_BINDINGS", types.SimpleNamespace(value=[]))
    monkeypatch.setattr(demo, "train_arms", lambda *arguments: None)
    monkeypatch.setattr(demo, "write_report", refuse)
    return lambda *words: demo.main(["demo", *words])


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
