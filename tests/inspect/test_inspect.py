"""What is found in a checkpoint is what the run logged, and the run is left alone."""

import csv
import io
import subprocess
import sys

import numpy as np
import pytest
from rich.console import Console

from helpers import runs
from redo_dopamine.core.metrics import catalogue
from redo_dopamine.inspect import show
from redo_dopamine.inspect.measure import inspect_checkpoint
from redo_dopamine.inspect.restore import find_checkpoint, restore
from redo_dopamine.rundir import checkpoint

LAYERS = {"Conv_0": 4, "Conv_1": 8, "Conv_2": 8, "Dense_0": 64}


@pytest.fixture(scope="module")
def inspection(run):
    return inspect_checkpoint(run)


def logged(run, gradient_step):
    """What tracking wrote at that gradient step, by name."""
    return {
        row["name"]: float(row["value"])
        for row in runs.metrics(run)
        if int(row["gradient_step"]) == gradient_step
        and not row["name"].startswith(("train/", "loss"))
    }


# Values.


def test_the_numbers_are_those_that_the_run_logged(run):
    path = checkpoint.path_of(run / "checkpoints", 0)
    names = [
        *("previous_share", "policy_churn", "gradient_norm", "distance_from_initial"),
    ]
    found = inspect_checkpoint(path, metrics=names)
    expected = logged(run, found.gradient_step)
    assert len(expected) > 30
    assert set(found.measured) == set(expected)
    for name, value in expected.items():
        measured = float(found.measured[name])
        assert measured == pytest.approx(value, rel=1e-6, nan_ok=True), name
    assert found.checkpoint == path
    assert found.notes == ("8 states: those that tracking drew at this gradient step.",)


def test_by_default_every_metric_is_measured(run, inspection):
    expected = logged(run, inspection.gradient_step)
    assert set(expected) < set(inspection.measured)
    for name, value in expected.items():
        measured = float(inspection.measured[name])
        assert measured == pytest.approx(value, rel=1e-4, nan_ok=True), name
    for name in ("stable_rank", "effective_rank", "feature_norm", "loss_gradient"):
        assert np.isfinite(inspection.measured[f"{name}/Dense_0"])
    assert np.isfinite(inspection.measured["previous_share/0.4/Dense_0"])
    assert np.isnan(inspection.measured["zero_gradient_overlap/Dense_0"])
    [note] = [x for x in inspection.notes if x.startswith("Not tracked by the run: ")]
    assert "magi" in note
    assert "policy_churn" not in note


def test_scores_are_of_layers_and_neurons(inspection):
    assert {k: len(v) for k, v in inspection.scores.items()} == LAYERS
    assert inspection.taus == (0.0, 0.4)
    for layer, scores in inspection.scores.items():
        assert np.mean(scores) == pytest.approx(1, rel=1e-5)
        for tau in inspection.taus:
            fraction = inspection.measured[f"dormant_fraction/{tau}/{layer}"]
            assert np.mean(scores <= tau) == pytest.approx(float(fraction))
    assert any(0 < np.mean(x <= 0.4) < 1 for x in inspection.scores.values())


def test_the_initial_parameters_are_those_of_the_run(run):
    restored = restore(find_checkpoint(run), replay=False)
    *_, kept = restored.agent._plasticity.tracking.memories.now.states
    for layer, kernel in kept.items():
        initial = restored.initial_params["params"][layer]["kernel"]
        np.testing.assert_array_equal(initial, kernel)
        now = restored.agent.online_params["params"][layer]["kernel"]
        assert not np.array_equal(initial, now)


def test_other_taus_and_fewer_metrics(run):
    found = inspect_checkpoint(run, taus=(0.4, 0.7), metrics=["weight_norm"])
    expected = logged(run, found.gradient_step)
    assert found.taus == (0.4, 0.7)
    for name, value in expected.items():
        if "/0.4/" in name and not name.startswith("previous_share"):
            assert float(found.measured[name]) == pytest.approx(value, nan_ok=True)
    assert np.isnan(found.measured["overlap/0.7/Dense_0"])
    assert {x.partition("/")[0] for x in found.measured} == {
        *("dormant_fraction", "overlap", "overlap_with_history", "weight_norm"),
    }
    assert "weight_norm, τ = 0.7" in found.notes[1]


def test_given_states_are_looked_at_instead(run, states, monkeypatch):
    few = (catalogue.weight_norm, catalogue.loss_gradient)
    monkeypatch.setattr(catalogue, "FACTORIES", few)
    found = inspect_checkpoint(run, states=states, taus=(0.1,))
    params = restore(find_checkpoint(run), replay=False).agent.online_params["params"]
    # The first layer by hand: kernel 8, stride 4, SAME padding.
    x = np.pad(np.load(states) / 255.0, ((0, 0), (2, 2), (2, 2), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (8, 8), axis=(1, 2))
    windows = windows[:, ::4, ::4]  # [B, H, W, stack, 8, 8]
    kernel, bias = params["Conv_0"]["kernel"], params["Conv_0"]["bias"]
    conv = np.einsum("bhwsij,ijsn->bhwn", windows, np.asarray(kernel)) + bias
    magnitude = np.maximum(conv, 0).mean(axis=(0, 1, 2))
    np.testing.assert_allclose(
        found.scores["Conv_0"], magnitude / magnitude.mean(), rtol=1e-4
    )
    assert found.notes[0] == f"5 states of {states}."
    assert found.notes[-1].endswith("need transitions: loss_gradient, gradient_norm.")
    assert "gradient_norm/Dense_0" not in found.measured
    assert np.isfinite(found.measured["weight_norm/Dense_0"])


def test_any_agent_with_redo(tmp_path):
    bindings = (
        *("JaxDQNAgent.seed = 3", "JaxDQNAgent.min_replay_history = 30"),
        *(
            "RecycledDrQEpsAgent.tracking_period = 3",
            "NatureRainbowNetwork.width = 0.1",
        ),
        *("RecycledDrQEpsAgent.tracking_batch_size = 8", "redo.period = 2"),
        *("ReplayBuffer.batch_size = 4", "Runner.num_iterations = 1"),
        *("Runner.training_steps = 45", "Atari100kRunner.num_eval_episodes = 0"),
    )
    base_dir = runs.run(tmp_path / "drq", "drq_eps_redo.gin", bindings)
    found = inspect_checkpoint(base_dir, metrics=["weight_norm"])
    assert set(found.measured) >= {"dormant_fraction/0.1", "weight_norm/Dense_0"}
    steps = {int(row["gradient_step"]) for row in runs.metrics(base_dir)}
    assert found.gradient_step == max(steps)
    acted = [x for x in found.notes if x.startswith("The intervention acted")]
    assert len(acted) == (found.gradient_step % 2 == 0)


# Output.


def test_the_table_tells_layers_neurons_and_metrics(inspection):
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(show.tables(inspection, 100))
    text = console.export_text()
    count = int(np.sum(inspection.scores["Dense_0"] <= 0.4))
    assert f"{count} ({count / 64:.1%})" in text
    assert "gradient_norm" in text
    assert text.startswith(f"Gradient step {inspection.gradient_step:,}, agent step ")
    [neurons] = [x for x in text.splitlines() if "Which" in x]
    assert "τ = 0.4" in neurons


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ([], "none"),
        ([3], "3"),
        ([0, 1, 2, 5, 7, 8], "0-2, 5, 7-8"),
        (range(0, 40, 2), "0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22 and 8 more"),
    ],
)
def test_neurons_in_short(numbers, text):
    assert show.ranges(list(numbers)) == text


def test_metrics_by_layer():
    measured = {"a/Conv_0": 1, "a/Stack/Conv_0": 2, "b/0.1": 3, "c": 4}
    assert show.by_layer(measured, ["Conv_0", "Stack/Conv_0"]) == {
        "a": {"Conv_0": 1, "Stack/Conv_0": 2},
        "b/0.1": {"all": 3},
        "c": {"all": 4},
    }


def read(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_the_command_writes_csv_and_a_picture(run, tmp_path, states):
    # Its path is longer than a line of the terminal.
    link = tmp_path / "run [of many words] ".ljust(120, "x") / "run"
    link.parent.mkdir()
    link.symlink_to(run)
    command = [sys.executable, "-m", "redo_dopamine.inspect", f"--checkpoint={link}"]
    flags = ("--metrics=policy_churn", "--taus=0,0.4", "--batch_size=8")
    result = subprocess.run(
        [*command, *flags, f"--output={tmp_path / 'out' / 'here'}"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert result.stderr == ""
    assert "Dormant neurons" in result.stdout
    out = tmp_path / "out" / "here"
    assert {x.name for x in out.iterdir()} == {
        *("measured.csv", "scores.csv", "scores.png"),
    }
    lines = result.stdout.splitlines()
    assert lines[0] == str(link / "checkpoints" / "checkpoint.1.npz")
    assert set(lines) >= {str(x) for x in out.iterdir()}
    rows = read(out / "measured.csv")
    expected = logged(run, int(rows[0]["gradient_step"]))
    found = {row["name"]: float(row["value"]) for row in rows}
    assert found["policy_churn"] == expected["policy_churn"]
    fraction = "dormant_fraction/0.4/Dense_0"
    assert found[fraction] == expected[fraction] > 0
    assert rows[0]["checkpoint"].endswith("run/checkpoints/checkpoint.1.npz")
    neurons = read(out / "scores.csv")
    assert [row["layer"] for row in neurons].count("Dense_0") == 64
    assert len(neurons) == sum(LAYERS.values())
