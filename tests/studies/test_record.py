"""`study.json`: its schema, and how it grows or refuses to."""

import json

import pytest

from redo_dopamine.errors import UserError
from redo_dopamine.studies import STUDIES, plan, record


def select(**settings):
    return plan.select(
        **{
            "study": "width",
            "arms": "redo_width2",
            "games": "Pong",
            "seeds": "2",
            "scale": 0.0005,
        }
        | settings
    )


def test_study_json(tmp_path):
    path = record.write(select(), tmp_path)
    assert path == tmp_path / "width" / "study.json"
    assert [p.name for p in path.parent.iterdir()] == ["study.json"]
    content = json.loads(path.read_text())
    bindings = content["arms"][0].pop("bindings")
    assert bindings[:4] == [
        "# Scaled: 0.0005 of the study's length.",
        "RecycledDQNAgent.replay_ratio = 1",
        "redo.tau = 0.1",
        "redo.period = 10",
    ]
    assert content == {
        "format": 1,
        "name": "width",
        "claim": STUDIES["width"].claim,
        "source": "Sokar et al., ICML 2023 (arXiv 2302.12902): network width",
        "scale": 0.0005,
        "games": ["Pong"],
        "seeds": [0, 1],
        "frames": {"paper": 10_000_000, "run": 5_000},
        "axis": "width",
        "arms": [
            {
                "name": "redo_width2",
                "label": "DQN + ReDo, width 2",
                "series": "DQN + ReDo",
                "x": 2,
                "gin_file": "dqn_redo.gin",
            }
        ],
        "paper": [{"arm": "redo_width2", "iqm": 0.70, "low": None, "high": None}],
        "paper_dormant_percent": [
            {"arm": "redo_width2", "game": "DemonAttack", "low": 11, "high": 12}
        ],
    }


def test_study_json_grows(tmp_path):
    record.write(select(), tmp_path)
    path = record.write(
        select(arms="dqn_width1", games="Asterix", seeds="4,"), tmp_path
    )
    content = json.loads(path.read_text())
    assert [arm["name"] for arm in content["arms"]] == ["dqn_width1", "redo_width2"]
    assert content["games"] == ["Asterix", "Pong"]
    assert content["seeds"] == [0, 1, 4]
    assert [x["arm"] for x in content["paper"]] == ["dqn_width1", "redo_width2"]
    before = path.read_text()
    record.write(select(), tmp_path)
    assert path.read_text() == before


def test_study_json_refuses_another_scale(tmp_path):
    path = record.write(select(), tmp_path)
    before = path.read_text()
    with pytest.raises(UserError) as error:
        record.write(select(scale=0.001), tmp_path)
    assert "scale: 0.0005 -> 0.001" in str(error.value)
    assert "another --base_dir" in str(error.value)
    assert path.read_text() == before


def test_study_json_refuses_other_bindings(tmp_path):
    path = record.write(select(), tmp_path)
    path.write_text(path.read_text().replace("redo.tau = 0.1", "redo.tau = 0.2"))
    with pytest.raises(UserError, match="arm redo_width2, bindings"):
        record.write(select(), tmp_path)


def test_study_json_that_is_damaged(tmp_path):
    path = record.write(select(), tmp_path)
    path.write_text("{")
    with pytest.raises(UserError, match=r"is no JSON.*Delete it"):
        record.write(select(), tmp_path)


def test_a_base_dir_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match="--base_dir must be a directory"):
        record.write(select(), tmp_path / "file")
