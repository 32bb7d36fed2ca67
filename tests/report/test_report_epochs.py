"""A study without scores: epochs, means over seeds, the paper's points beside them."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from redo_dopamine.report import write_report
from redo_dopamine.report.study import analysis, curves, tables
from redo_dopamine.studies import spec
from redo_dopamine.studies.study import PaperPoint
from report.study_factory import bar_arms, draw, text_of

REPEATS = 50
POINTS = [
    {"arm": "none", "game": "cifar10", "first": 1, "last": 1, "percent": 9, "tau": 0.1},
    {
        **{"arm": "none", "game": "cifar10", "first": 21, "last": 40},
        **{"percent": 29, "tau": 0.1},
    },
]


def dormant(arm, seed, epoch):
    """Tenths by epoch, the highest in the second; a hundredth by seed."""
    return {1: 0.1, 2: 0.4, 3: 0.2, 4: 0.3}[epoch] * (arm == "none") + seed / 100


def write_study(root, seeds=(0, 1), points=POINTS, **changes):
    content = {
        "format": 1,
        "name": "label_shuffle",
        "scale": 0.04,
        "games": ["fashion_mnist"],
        "seeds": list(seeds),
        "unit": "epochs",
        "epochs": {"study": 80, "run": 4},
        "scored": False,
        "arms": bar_arms()[:2],
        "paper_dormant_curve": points,
    }
    root.mkdir(parents=True, exist_ok=True)
    (root / "study.json").write_text(json.dumps(content | changes))


def write_run(root, arm, seed, epochs=4, state="done", measured=True):
    path = root / arm / "fashion_mnist" / str(seed)
    path.mkdir(parents=True)
    rows = ["iteration,agent_step,gradient_step,name,value"]
    for i in range(epochs):
        rows.append(f"{i},{10 * i + 5},{10 * i + 5},recycled/Dense_0,3")
        at = f"{i},{10 * i + 10},{10 * i + 10},"
        rows += [f"{at}loss,{2.0 - seed}", f"{at}train/accuracy,{(i + 1) / 10}"]
        if measured:
            rows.append(f"{at}dormant_fraction/0.1,{dormant(arm, seed, i + 1)}")
            rows.append(f"{at}dormant_fraction/0.0,0")
    (path / "metrics.csv").write_text("\n".join(rows) + "\n")
    (path / "config.gin").write_text("")
    (path / "run.json").write_text(json.dumps({"end": "x"}))
    (path / "status.json").write_text(json.dumps({"state": state}))


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "label_shuffle"
    write_study(root)
    for arm in ("none", "reset"):
        for seed in (0, 1):
            write_run(root, arm, seed)
    return root


def test_a_curve_is_a_mean_over_seeds_by_epoch(root):
    found = analysis.analyze(root, REPEATS)
    none = found.study.arms[0]
    curve = curves.curve(found, none, "fashion_mnist", curves.DORMANT)
    assert curve.x.tolist() == [1, 2, 3, 4]
    assert curve.y.value == pytest.approx([0.105, 0.405, 0.205, 0.305])
    # Two seeds a hundredth apart: 12.706205 · 0.005 to either side.
    reach = 0.063531
    values = np.array([0.105, 0.405, 0.205, 0.305])
    assert curve.y.low == pytest.approx(values - reach, abs=1e-6)
    assert curve.y.high == pytest.approx(values + reach, abs=1e-6)
    loss = curves.curve(found, none, "fashion_mnist", curves.LOSS)
    assert float(loss.y.at(-1).value) == 1.5


def test_only_finished_runs_count(root):
    write_study(root, seeds=(0, 1, 2))
    write_run(root, "none", 2, epochs=2, state="running")
    found = analysis.analyze(root, REPEATS)
    none = found.study.arms[0]
    values = curves.values(found, none, "fashion_mnist", curves.DORMANT)
    assert values.shape == (4, 2)
    assert "2 of 6 runs are not counted" in found.notes[0]
    # But it is in the file.
    table = curves.table(found)
    assert len(table) == 4 * 4 + 2
    assert not [note for note in found.notes if "score" in note or "aggregate" in note]


@pytest.mark.parametrize(
    ("first", "last", "run", "expected"),
    [
        (1, 1, 100, (1, 1)),
        (21, 40, 100, (21, 40)),
        (1, 1, 5, (1, 1)),
        (21, 40, 5, (2, 2)),
        (81, 100, 5, (5, 5)),
        (100, 100, 5, (5, 5)),
        (21, 40, 35, (8, 14)),
    ],
)
def test_a_stretch_is_the_same_part_of_a_shorter_run(root, first, last, run, expected):
    write_study(root, epochs={"study": 100, "run": run})
    study = spec.load(root)
    point = PaperPoint("none", "cifar10", first, last, 30, 0.1)
    assert curves.stretch(study, point) == expected


def test_the_papers_numbers_stand_beside_ours(root):
    table = tables.beside_the_paper(analysis.analyze(root, REPEATS)).frame
    assert table.reset_index().to_dict("records") == [
        {
            "arm": "DQN",
            "when": "epoch 1",
            "the paper, cifar10": "0.09",
            "its τ": "0.1",
            "here, fashion_mnist, τ = 0.1": "0.105 [0.041, 0.169] (n = 2)",
        },
        {
            # Epochs 21 to 40 of 80 are 2 of 4; the peak is that of each run.
            "arm": "DQN",
            "when": "peak, epoch 2",
            "the paper, cifar10": "0.29",
            "its τ": "0.1",
            "here, fashion_mnist, τ = 0.1": "0.405 [0.341, 0.469] (n = 2)",
        },
    ]


def test_the_figures(root):
    found = analysis.analyze(root, REPEATS)
    (axes,) = draw(found, "dormant_fraction").axes
    ours = [line for line in axes.lines if line.get_gid() == "curve"]
    assert len(ours) == 2
    assert ours[0].get_xdata().tolist() == [1, 2, 3, 4]
    assert ours[0].get_ydata() == pytest.approx([0.105, 0.405, 0.205, 0.305])
    paper = [line for line in axes.lines if line.get_gid() == "paper"]
    assert [line.get_xdata() for line in paper] == [[1], [2]]
    assert [line.get_ydata() for line in paper] == [[0.09], [0.29]]
    assert {line.get_color() for line in paper} == {ours[0].get_color()}
    (axes,) = draw(found, "accuracy").axes
    assert axes.lines[0].get_ydata() == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert len({line.get_linestyle() for line in axes.lines}) == 2
    (axes,) = draw(found, "loss").axes
    assert axes.get_ylim()[0] == 0


def test_the_page(root):
    report = write_report(root, REPEATS).parent
    slugs = ("dormant_fraction", "accuracy", "loss")
    names = {f"{slug}.{end}" for slug in slugs for end in ("png", "svg")}
    names |= {"index.html", "epochs.csv", "summary.csv"}
    assert {path.name for path in report.iterdir()} == names
    index = text_of(report / "index.html")
    index = re.sub(r'base64,[^"]*', "", index)  # Where any word may stand by chance.
    assert "2 arms × 1 data set × 2 seeds of 4 epochs; 4 of 4 runs" in index
    assert "4 epochs instead of 80 (scale 0.04)" in index
    assert "0.405 [0.341, 0.469] (n = 2)" in index
    for word in ("human-normalized", "frames", "games.html", "IQM"):
        assert word not in index
    summary = pd.read_csv(report / "summary.csv").set_index("arm")
    assert summary.loc["none", "dormant_fraction"] == pytest.approx(0.305)
    assert summary.loc["none", "seeds"] == 2
    rows = pd.read_csv(report / "epochs.csv")
    assert rows.columns.tolist() == curves.COLUMNS
    assert len(rows) == 16


def test_an_epochs_gradient_steps_stand_below_where_runs_agree(root):
    found = analysis.analyze(root, REPEATS)
    [axes] = draw(found, "loss").axes
    assert axes.get_xlabel() == "epochs of 10 gradient steps"
    path = root / "reset" / "fashion_mnist" / "1" / "metrics.csv"
    path.write_text(path.read_text().replace(",40,40,", ",40,44,"))
    found = analysis.analyze(root, REPEATS)
    assert draw(found, "loss").axes[0].get_xlabel() == "epochs"


def test_one_seed_has_no_interval(tmp_path):
    write_study(tmp_path, seeds=[0])
    write_run(tmp_path, "none", 0)
    found = analysis.analyze(tmp_path, REPEATS)
    table = tables.last_epoch(found).frame
    assert table.loc["DQN", "dormant fraction, τ = 0.1"] == "0.300 (n = 1)"
    assert table.loc["reset", "dormant fraction, τ = 0.1"] is None
    assert table.loc["reset", "seeds"] == 0
    assert np.isnan(curves.of_epochs(found)["loss_low"]).all()


def test_a_study_without_runs_or_without_dormancy_says_so(tmp_path):
    write_study(tmp_path / "none", points=[])
    index = write_report(tmp_path / "none", REPEATS).read_text()
    assert "4 of 4 runs are not counted" in index
    assert "Accuracy along training is not shown: that needs train/accuracy." in index
    assert "beside the paper" not in index
    write_study(tmp_path / "some", seeds=[0])
    write_run(tmp_path / "some", "none", 0, measured=False)
    index = write_report(tmp_path / "some", REPEATS).read_text()
    # What a study does not measure is no fault of it.
    assert "is not shown" not in index
    assert index.count("data:image/png") == 2
    table = tables.last_epoch(analysis.analyze(tmp_path / "some", REPEATS)).frame
    assert table.columns.tolist() == ["data set", "accuracy", "loss", "seeds"]


def test_a_small_loss_is_shown_with_its_digits(tmp_path):
    write_study(tmp_path, seeds=[0])
    write_run(tmp_path, "none", 0)
    path = tmp_path / "none" / "fashion_mnist" / "0" / "metrics.csv"
    path.write_text(path.read_text().replace("loss,2.0", "loss,0.000081234"))
    table = tables.last_epoch(analysis.analyze(tmp_path, REPEATS)).frame
    assert table.loc["DQN", "loss"] == "8.12e-05 (n = 1)"


def test_a_point_of_an_unknown_game_is_the_papers_all_the_same(root):
    point = {"arm": "none", "game": "", "first": 1, "last": 1, "percent": 61}
    write_study(root, points=[point | {"tau": 0.1}])
    found = analysis.analyze(root, REPEATS)
    table = tables.beside_the_paper(found).frame
    assert list(table["the paper"]) == ["0.61"]
    labels = [x.get_text() for x in draw(found, "dormant_fraction").legends[0].texts]
    assert "the paper" in labels


@pytest.mark.parametrize(
    ("tau", "told"),
    [
        ({"tau": 0.0}, "0"),
        ({"tau": 0.025}, "0.025"),
        ({"tau": None}, "not known"),
        ({}, "not known"),  # A study.json of before has none.
    ],
)
def test_a_point_of_another_tau_is_told_and_not_drawn(root, tau, told):
    point = {"arm": "none", "game": "cifar10", "first": 1, "last": 1, "percent": 96}
    write_study(root, points=[point | tau])
    found = analysis.analyze(root, REPEATS)
    table = tables.beside_the_paper(found).frame
    assert (list(table["the paper, cifar10"]), list(table["its τ"])) == (
        ["0.96"],
        [told],
    )
    figure = draw(found, "dormant_fraction")
    [axes] = figure.axes
    assert not [line for line in axes.lines if line.get_gid() == "paper"]
    assert not [x for x in figure.legends[0].texts if "the paper" in x.get_text()]
    assert axes.get_ylim()[1] < 0.9


def write_agents_run(root, arm, seed, layers=("policy/Dense_0", "value/Dense_0")):
    path = root / arm / "HalfCheetah-v4" / str(seed)
    path.mkdir(parents=True)
    rows = ["iteration,agent_step,gradient_step,name,value"]
    for i in range(3):
        at = f"{i},{100 * (i + 1)},{10 * (i + 1)},"
        rows += [f"{at}train/average_return,{100 * i + seed}", f"{at}loss,{-i / 100}"]
        for metric in ("dormant_fraction/0.1", "zero_gradient_fraction"):
            rows += [f"{at}{metric},0.25"]
            rows += [f"{at}{metric}/{layer},{i / 10 + seed / 100}" for layer in layers]
    (path / "metrics.csv").write_text("\n".join(rows) + "\n")
    (path / "config.gin").write_text("")
    (path / "run.json").write_text(json.dumps({"end": "x"}))
    (path / "status.json").write_text(json.dumps({"state": "done"}))


def test_agents_without_human_scores_are_shown_by_return_and_by_layer(tmp_path):
    steps = {"study": 1000, "run": 300}
    more = {"unit": "agent steps", "agent steps": steps, "games": ["HalfCheetah-v4"]}
    write_study(tmp_path, points=[], name="ppo_activation", **more)
    for arm in ("none", "reset"):
        for seed in (0, 1):
            write_agents_run(tmp_path, arm, seed)
    found = analysis.analyze(tmp_path, REPEATS)
    (axes,) = draw(found, "average_return").axes
    assert axes.get_xlabel() == "iterations of 100 agent steps"
    assert axes.lines[0].get_ydata() == pytest.approx([0.5, 100.5, 200.5])
    (axes,) = draw(found, "loss").axes  # Of a policy: below 0, and seen there.
    assert axes.get_ylim()[0] < -0.02
    figure = draw(found, "zero_gradient_by_layer")
    assert [x.get_title() for x in figure.axes] == ["policy/Dense_0", "value/Dense_0"]
    ours = figure.axes[1].lines[0].get_ydata()
    assert ours == pytest.approx([0.005, 0.105, 0.205])
    table = tables.last_epoch(found).frame
    assert table.loc["DQN", "average return"] == "200.5 [194.1, 206.9] (n = 2)"
    assert table.loc["DQN", "zero-gradient fraction"] == "0.250 [0.250, 0.250] (n = 2)"
    report = write_report(tmp_path, REPEATS).parent
    assert (report / "dormant_by_layer.png").exists()
    assert "Of the last iteration" in (report / "index.html").read_text()
    rows = pd.read_csv(report / "epochs.csv")
    column = rows["zero_gradient_fraction/value/Dense_0"]
    assert column.tolist() == [0, 0.1, 0.2, 0.01, 0.11, 0.21] * 2


def test_layers_end_with_intervals_in_the_order_of_the_deepest_network(tmp_path):
    steps = {"study": 300, "run": 300}
    more = {"unit": "agent steps", "agent steps": steps, "games": ["HalfCheetah-v4"]}
    write_study(tmp_path, points=[], name="ppo_layers", **more)
    shallow = ["policy/Dense_0", "value/Dense_0"]
    deep = ["policy/Dense_0", "policy/Dense_1", "value/Dense_0", "value/Dense_1"]
    for seed in (0, 1):
        write_agents_run(tmp_path, "none", seed, shallow)
        write_agents_run(tmp_path, "reset", seed, deep)
    report = write_report(tmp_path, REPEATS).parent
    rows = pd.read_csv(report / "layers.csv")
    key = ["arm", "layer"]
    assert rows.groupby("arm")["layer"].agg(list).to_dict() == {
        "none": shallow,
        "reset": deep,
    }
    last = rows.set_index(key).loc[("reset", "value/Dense_1")]
    for metric in ("dormant_fraction", "zero_gradient_fraction"):
        ends = [last[metric + suffix] for suffix in ("", "_low", "_high")]
        assert ends == pytest.approx([0.205, 0.141469, 0.268531], abs=1e-6)
    assert last["seeds"] == 2
    index = (report / "index.html").read_text()
    assert "<h3>By layer</h3>" in index
    assert 'href="layers.csv"' in index
    table = tables.layers(analysis.analyze(tmp_path, REPEATS)).frame
    assert table["layer"].tolist() == [*shallow, *deep]
    assert set(table["dormant fraction, τ = 0.1"]) == {"0.205 [0.141, 0.269] (n = 2)"}
