"""`study.json`: its schema, and how it grows or refuses to."""

import json
import os

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
        "differs": "",
        "scale": 0.0005,
        "games": ["Pong"],
        "seeds": [0, 1],
        "unit": "frames",
        "frames": {"study": 10_000_000, "run": 5_000},
        "scored": True,
        "score": "human",
        "judged_by": "training",
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
            {
                **{"arm": "redo_width2", "game": "DemonAttack"},
                **{"low": 11, "high": 12, "tau": 0.1},
            }
        ],
        "paper_dormant_curve": [],
    }


def test_study_json_in_epochs(tmp_path):
    launch = {"study": "label_shuffle", "arms": "fixed", "games": None, "scale": 0.1}
    content = json.loads(record.write(select(**launch), tmp_path).read_text())
    assert content["unit"] == "epochs"
    assert content["epochs"] == {"study": 100, "run": 10}
    assert content["scored"] is False
    assert content["score"] is None
    assert content["games"] == ["fashion_mnist"]
    assert content["paper_dormant_curve"] == [
        {
            "arm": "fixed",
            "game": "cifar10",
            "first": 1,
            "last": 1,
            "percent": 9,
            "tau": None,
        },
        {
            "arm": "fixed",
            "game": "cifar10",
            "first": 100,
            "last": 100,
            "percent": 1,
            "tau": None,
        },
    ]
    more = select(**launch | {"games": "cifar10", "arms": "reshuffled"})
    content = json.loads(record.write(more, tmp_path).read_text())
    assert content["games"] == ["fashion_mnist", "cifar10"]
    assert len(content["paper_dormant_curve"]) == 7
    with pytest.raises(UserError, match=r"epochs: .*'run': 10.* -> .*'run': 20"):
        record.write(select(**launch | {"scale": 0.2}), tmp_path)


def test_a_study_that_was_launched_before_there_were_units_goes_on(tmp_path):
    path = record.write(select(), tmp_path)
    content = json.loads(path.read_text())
    since = {"unit", "scored", "score", "judged_by", "paper_dormant_curve", "differs"}
    old = {name: x for name, x in content.items() if name not in since}
    old["frames"] = {"paper": 10_000_000, "run": 5_000}
    path.write_text(json.dumps(old))
    record.write(select(), tmp_path)
    assert json.loads(path.read_text()) == content


def test_the_papers_number_says_when(tmp_path):
    path = record.write(select(study="replay_ratio", arms="dqn_rr1"), tmp_path)
    assert json.loads(path.read_text())["paper_dormant_percent"] == [
        {
            "arm": "dqn_rr1",
            "game": "DemonAttack",
            "low": 38,
            "high": 38,
            "tau": None,
            "frames": 40_000_000,
        }
    ]


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


WHOLE = {"arms": [], "games": [], "seeds": [], "scale": 1}


@pytest.mark.parametrize(
    "content",
    [
        *("", "{", "null", "[]", "3", "{}", "[" * 100_000, '{"a":' * 100_000),
        *(
            json.dumps(WHOLE | {key: value})
            for key, values in {
                "arms": (None, 1, {}, "dqn", [1], [{}], [{"name": 1}], [{"name": []}]),
                "games": (None, 1, {}, "Pong", [1], [None], [["Pong"]]),
                "seeds": (None, 1, {}, "0", ["0"], [0.5], [True]),
                "scale": (None, "1", [], True),
            }.items()
            for value in values
        ),
        *(json.dumps({k: x for k, x in WHOLE.items() if k != key}) for key in WHOLE),
    ],
)
def test_study_json_that_is_damaged(content, tmp_path):
    path = record.write(select(), tmp_path)
    path.write_text(content)
    with pytest.raises(UserError, match="Delete it"):
        record.write(select(), tmp_path)
    assert path.read_text() == content


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_study_json_that_is_no_file(make, tmp_path):
    path = tmp_path / "width" / "study.json"
    path.parent.mkdir()
    make(path)
    with pytest.raises(UserError, match="must be an ordinary file"):
        record.write(select(), tmp_path)


def test_a_base_dir_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match="--base_dir must be a directory"):
        record.write(select(), tmp_path / "file")
