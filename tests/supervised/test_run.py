"""The command: a run's directory, stopping and resuming, and what is refused."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys

import gin
import numpy as np
import pytest

from redo_dopamine import errors
from redo_dopamine.plasticity.plasticity import Plasticity
from redo_dopamine.rundir import checkpoint, lock, operative
from redo_dopamine.rundir import status as run_status
from redo_dopamine.supervised import label_shuffle

TINY = (
    "LabelShuffle.seed = 3",
    "LabelShuffle.num_samples = 64",
    "LabelShuffle.num_epochs = 3",
    "LabelShuffle.shuffle_every = 2",
    "LabelShuffle.batch_size = 16",
    "LabelShuffle.intervention = @redo()",
    "redo.period = 5",
    "redo.tau = 0.5",
    "ConvClassifier.width = 0.1",
)


@pytest.fixture(autouse=True)
def gin_state(clean_gin):
    pass


def command(base_dir, *flags, bindings=TINY):
    gin.clear_config()
    given = [f"--gin_bindings={binding}" for binding in bindings]
    return label_shuffle.main([f"--base_dir={base_dir}", *given, *flags])


def metrics(base_dir):
    with (base_dir / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def finished(tmp_path_factory, fashion_folder):
    """A finished run. Copy it before changing it."""
    base_dir = tmp_path_factory.mktemp("finished") / "run"
    assert command(base_dir, f"--data_dir={fashion_folder}") == errors.COMPLETE
    return base_dir


@pytest.fixture
def run(tmp_path, fashion_folder):
    """The command in a directory of its own."""

    def start(*flags, bindings=TINY, base_dir=tmp_path / "run"):
        return command(
            base_dir, f"--data_dir={fashion_folder}", *flags, bindings=bindings
        )

    return start


@pytest.fixture
def copy(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "run")


def test_a_run_leaves_its_files(finished):
    names = {path.name for path in finished.iterdir()}
    expected = {"checkpoints", "config.gin", "metrics.csv", "run.json", "status.json"}
    assert names == expected
    info = json.loads((finished / "run.json").read_text())
    assert (info["agent"], info["game"], info["seed"]) == (
        "LabelShuffle",
        "fashion_mnist",
        3,
    )
    assert info["start"] <= info["end"]
    status = run_status.read(finished)
    assert (status.state, status.agent_step, status.agent_steps) == ("done", 12, 12)


def test_metrics_have_the_columns_of_every_run(finished):
    rows = metrics(finished)
    columns = ["iteration", "agent_step", "gradient_step", "name", "value"]
    assert list(rows[0]) == columns
    assert all(row["agent_step"] == row["gradient_step"] for row in rows)
    assert {row["iteration"] for row in rows} == {"0", "1", "2"}
    recycled = [x["gradient_step"] for x in rows if x["name"] == "recycled/Dense_0"]
    assert recycled == ["5", "10"]
    assert not any("e" in row["value"] for row in rows)


def test_the_settings_in_force_can_be_read_again(finished, tmp_path):
    settings = operative.parse_settings((finished / "config.gin").read_text())
    assert settings["LabelShuffle.learning_rate"] == "0.01"
    assert settings["ConvClassifier.width"] == "0.1"
    assert settings["redo.score_batch_size"] == "64"
    again = tmp_path / "again"
    assert command(again, f"--gin_files={finished / 'config.gin'}", bindings=()) == 0
    assert metrics(again) == metrics(finished)


def test_a_finished_run_says_so_and_can_be_prolonged(copy, run, tmp_path, capsys):
    assert run() == errors.COMPLETE
    assert "is finished: all epochs are there" in capsys.readouterr().out
    longer = (*TINY, "LabelShuffle.num_epochs = 4")
    assert run(bindings=longer) == errors.COMPLETE
    straight = tmp_path / "straight"
    assert run(bindings=longer, base_dir=straight) == errors.COMPLETE
    assert metrics(copy) == metrics(straight)


@pytest.mark.parametrize("stop_at", [2, 7])
def test_a_stopped_run_goes_on_exactly(
    finished, run, tmp_path, monkeypatch, stop_at, capsys
):
    update, count = Plasticity.after_update, 0

    def counted(self, *arguments):
        nonlocal count
        count += 1
        if count == stop_at:
            os.kill(os.getpid(), signal.SIGTERM)
        return update(self, *arguments)

    monkeypatch.setattr(Plasticity, "after_update", counted)
    assert run() == errors.STOPPED
    assert "Stopped by SIGTERM" in capsys.readouterr().out
    assert run_status.read(tmp_path / "run").state == run_status.STOPPED
    assert run() == errors.COMPLETE
    assert metrics(tmp_path / "run") == metrics(finished)
    info = json.loads((tmp_path / "run" / "run.json").read_text())
    assert len(info["resumed"]) == 1


def test_a_killed_runs_loose_rows_and_damaged_checkpoint_are_left(
    finished, copy, run, capsys
):
    with (copy / "metrics.csv").open("a") as file:
        file.write("9,99,99,loss,1.0\n9,9")
    newest = copy / "checkpoints" / "checkpoint.3.npz"
    newest.write_bytes(newest.read_bytes()[:1000])
    assert run() == errors.COMPLETE
    assert "The checkpoint before it is used" in capsys.readouterr().err
    assert metrics(copy) == metrics(finished)


# Refused.


def refuse(start, capsys, *parts):
    assert start() == errors.USER_ERROR
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    for part in parts:
        assert part in message


def test_other_settings_in_the_same_directory_are_refused(copy, run, capsys):
    bindings = (*TINY, "redo.tau = 0.1")
    refuse(lambda: run(bindings=bindings), capsys, "redo.tau: 0.5 -> 0.1")


def test_other_images_in_the_same_directory_are_refused(
    copy, run, capsys, fashion_folder, tmp_path
):
    other = shutil.copytree(fashion_folder, tmp_path / "other")
    path = other / "train-images-idx3-ubyte"
    content = bytearray(path.read_bytes())
    content[16:] = bytes(len(content) - 16)
    path.write_bytes(content)
    start = lambda: run(f"--data_dir={other}")  # noqa: E731
    refuse(start, capsys, "data it was started with", "checksum")


@pytest.mark.parametrize(
    ("bindings", "flags", "parts"),
    [
        (["LabelShuffle.sed = 1"], [], ["sed"]),
        (["LabelShuffle.intervention = @reedo()"], [], ["reedo", "redo"]),
        (["LabelShuffle.num_epochs = 0"], [], ["num_epochs", "whole", "0"]),
        (["LabelShuffle.num_epochs = 'x'"], [], ["num_epochs", "x"]),
        (["redo.tau = -1", "LabelShuffle.intervention = @redo()"], [], ["tau", "-1"]),
        ([], ["--gin_files=nowhere.gin"], ["--gin_files", "nowhere.gin"]),
        ([], ["--data_dir=nowhere"], ["nowhere", "dataset-fashion-mnist"]),
        ([], ["--dataset=cifar10", "--data_dir=nowhere"], ["data_batch_1", "cifar-10"]),
    ],
)
def test_a_wrong_input_is_named(run, capsys, bindings, flags, parts):
    refuse(lambda: run(*flags, bindings=bindings), capsys, *parts)


def test_a_wrong_name_makes_no_directory(run, tmp_path, capsys):
    refuse(lambda: run(bindings=["LabelShuffle.sed = 1"]), capsys, "sed")
    assert not (tmp_path / "run").exists()


def test_a_directory_that_is_a_file_is_refused(run, capsys, tmp_path):
    (tmp_path / "file").touch()
    refuse(lambda: run(base_dir=tmp_path / "file"), capsys, "--base_dir")


def test_a_directory_in_use_is_refused(run, tmp_path, capsys):
    (tmp_path / "run").mkdir()
    with lock.held(tmp_path / "run"):
        assert run() == errors.IN_USE
    assert "in use by process" in capsys.readouterr().err


def test_a_wrong_flag_exits_with_2():
    with pytest.raises(SystemExit) as ended:
        label_shuffle.main(["--base_dir=x", "--epochs=3"])
    assert ended.value.code == errors.USER_ERROR


# Beside the agents.


def test_it_imports_neither_dopamine_nor_tensorflow():
    script = (
        "import sys, redo_dopamine.supervised.label_shuffle\n"
        "print({'dopamine', 'tensorflow', 'gymnasium', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


def test_a_run_whose_numbers_are_no_longer_finite_ends_with_4(run, tmp_path, capsys):
    status = run(bindings=(*TINY, "LabelShuffle.learning_rate = 1e38"))
    assert status == errors.NOT_FINITE
    message = capsys.readouterr().err
    assert "error: The losses and parameters of a run must be finite, but" in message
    assert "Lower the learning rate." in message
    assert run_status.read(tmp_path / "run").state == run_status.FAILED
    assert not (tmp_path / "run" / "checkpoints").exists()


def checkpoints(base_dir):
    directory = base_dir / "checkpoints"
    return [checkpoint.path_of(directory, x) for x in checkpoint.numbers(directory)]


def rewrite(path, **changes):
    arrays, meta = checkpoint.read(path)
    checkpoint.write_file(path, arrays, {**meta, **changes})


@pytest.mark.parametrize(
    "change",
    [
        {"config": None},
        {"config": 3},
        {"data": "x"},
        {"data": None},
        {"metrics_size": -1},
        {"metrics_size": "x"},
        {"metrics_size": 1 << 40},
        {"metrics_crc": -1},
        {"metrics_crc": 1},
    ],
    ids=str,
)
def test_a_checkpoint_that_says_something_else_is_passed_over(
    change, copy, run, finished, capsys
):
    rewrite(checkpoints(copy)[0], **change)
    assert run() == errors.COMPLETE
    assert "The checkpoint before it is used." in capsys.readouterr().err
    assert metrics(copy) == metrics(finished)


DAMAGED_ROWS = {
    "gone": lambda rows: None,
    "empty": lambda rows: b"",
    "cut": lambda rows: rows[:100],
    "edited": lambda rows: rows.replace(b"0,", b"7,", 1),
}


@pytest.mark.parametrize("damage", DAMAGED_ROWS)
def test_rows_that_are_gone_end_a_run_before_it_goes_on(damage, copy, run, capsys):
    path = copy / "metrics.csv"
    content = DAMAGED_ROWS[damage](path.read_bytes())
    path.unlink() if content is None else path.write_bytes(content)
    assert run(bindings=(*TINY, "LabelShuffle.num_epochs = 4")) == errors.USER_ERROR
    said = capsys.readouterr().err
    assert "bytes of metrics.csv must be as they were" in said
    assert "but none in" in said
    assert (path.read_bytes() if path.exists() else None) == content


def test_a_checkpoint_of_another_experiment_is_refused(copy, run, capsys):
    for path in checkpoints(copy):
        _, meta = checkpoint.read(path)
        checkpoint.write_file(path, {"experiment/x": np.zeros(3)}, meta)
    assert run() == errors.USER_ERROR
    assert "Restore the settings of that run." in capsys.readouterr().err
