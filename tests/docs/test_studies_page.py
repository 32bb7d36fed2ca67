"""docs/studies.md: every study, in the words and numbers of its own file."""

import json

import gin

from helpers import documents
from redo_dopamine.config import load
from redo_dopamine.report import others
from redo_dopamine.studies import STUDIES, plan, record

PAGE = documents.ROOT / "docs" / "studies.md"


def row(study):
    """What the page must say of a study."""
    num_runs = len(study.arms) * len(study.games) * len(study.seeds)
    length = f"{study.length:,} {study.protocol.unit.name}"
    counts = (len(study.arms), len(study.games), len(study.seeds), num_runs)
    cells = (f"`{study.name}`", *map(str, counts), length, study.claim)
    return f"| {' | '.join(cells)} |"


def test_the_table_has_every_study_as_it_is():
    table = [x for x in PAGE.read_text().splitlines() if x.startswith("| `")]
    shown = [x for x in table if x.split("`")[1] in STUDIES]
    expected = [row(study) for study in STUDIES.values()]
    assert shown == expected, "write:\n" + "\n".join(expected)


def test_the_study_of_the_page_is_one(tmp_path, clean_gin, monkeypatch):
    study = documents.run_python(PAGE, {"__name__": "batch_size"})["STUDY"]
    monkeypatch.setitem(STUDIES, study.name, study)
    selection = plan.select(study.name, seeds="1", scale=1e-4)
    record.write(selection, tmp_path)
    runs = plan.runs(selection, tmp_path)
    assert len(runs) == len(study.arms) * len(study.games)
    settings = set()
    for run in runs:
        gin.clear_config()
        load.load_gin_configs(run.gin_files, run.gin_bindings)
        settings.add(gin.query_parameter("ReplayBuffer.batch_size"))
        # The period is scaled too, where there is one.
        assert load.bound("redo.period", 0) < 1_000
    assert settings == {16, 32, 64}


def test_a_baseline_of_dopamine_becomes_scores(tmp_path):
    rows = [
        {"Iteration": at, "Value": 100 * run + at, "Agent": agent}
        for agent in ("DQN", "IQN")
        for run in range(2)
        for at in range(30)
    ]
    (tmp_path / "pong.json").write_text(json.dumps(rows))
    baseline = documents.run_python(PAGE, {"__name__": "batch_size"})["baseline"]
    found = baseline(str(tmp_path / "pong.json"), "Pong", "DQN", 20)
    found.to_csv(tmp_path / "x.csv")
    read = others.read(f"Dopamine={tmp_path / 'x.csv'}").runs
    assert {key: run.metrics["value"].tolist() for key, run in read.items()} == {
        ("Pong", "0"): [18.5],
        ("Pong", "1"): [118.5],
    }


def test_it_tells_of_the_data_of_every_study_that_needs_some():
    text = PAGE.read_text().partition("## Data that a study needs")[2]
    for name in ("offline", "distillation", "label_shuffle", "regression_probe"):
        assert f"`{name}`" in text
