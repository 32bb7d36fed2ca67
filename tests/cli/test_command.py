"""`redo-dopamine COMMAND`: every command is found, and a wrong one is said."""

import subprocess
import sys

import pytest

from redo_dopamine import __main__ as command
from redo_dopamine import __version__, errors


def ended(words, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["redo-dopamine", *words])
    monkeypatch.setattr(command.process, "begin", lambda: None)
    with pytest.raises(SystemExit) as end:
        command.main()
    return end.value.code or 0, *capsys.readouterr()


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"]])
def test_without_a_command_all_are_listed(words, monkeypatch, capsys):
    status, out, _ = ended(words, monkeypatch, capsys)
    assert status == 0
    assert {
        line.split("  ")[1] for line in out.splitlines() if line[:2] == "  "
    } == set(command.COMMANDS)


def test_the_launchers_are_listed(monkeypatch, capsys):
    status, shown, _ = ended(["launch", "--help"], monkeypatch, capsys)
    assert status == 0
    assert "launch local" in shown
    assert "launch slurm" in shown
    assert "inspect" not in shown


def test_the_version(monkeypatch, capsys):
    assert ended(["--version"], monkeypatch, capsys)[1] == f"{__version__}\n"


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["trian"], "Did you mean 'train'?"),
        (["launch"], "Did you mean 'launch slurm'?"),
        (["launch", "slrum"], "Did you mean 'launch slurm'?"),
        (["--base_dir=x"], "See redo-dopamine --help."),
    ],
)
def test_a_wrong_command_is_said(words, hint, monkeypatch, capsys):
    status, out, said = ended(words, monkeypatch, capsys)
    assert (status, out) == (errors.USER_ERROR, "")
    assert said.startswith("error: The command must be one of train, report,")
    assert said.endswith(f"{hint}\n")


@pytest.mark.parametrize("name", command.COMMANDS)
def test_a_command_answers_help(name):
    words = [*("-X", "importtime", "-m", "redo_dopamine"), *name.split(), "--help"]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"redo-dopamine {name} " in done.stdout
    assert_light(done.stderr)


def assert_light(importtime):
    """What takes long is imported after flags, so that help is there in a second."""
    heavy = ("tensorflow", "dopamine", "jax", "flax", "gin", "pandas", "matplotlib")
    imported = {line.rpartition("|")[2].strip() for line in importtime.splitlines()}
    assert not imported & {*heavy}


@pytest.mark.parametrize(
    "words",
    [
        "train --no_such_flag",
        "train",
        "train --base_dir=x word",
        "report",
        "inspect --batch_size=x",
        "launch local --study=replay_ratio",
        "launch slurm --study=no_such_study --base_dir=x",
        "data record",
        "catalogue word",
    ],
)
def test_a_wrong_flag_is_said_before_what_takes_long_is_imported(words):
    command = [sys.executable, "-X", "importtime", "-m", "redo_dopamine"]
    done = subprocess.run([*command, *words.split()], capture_output=True, text=True)
    assert done.returncode == errors.USER_ERROR, done.stderr
    assert_light(done.stderr)


def test_a_study_is_shown_by_its_name_alone(monkeypatch, capsys):
    _, out, _ = ended(["studies", "laptop_width"], monkeypatch, capsys)
    assert out.startswith("laptop_width: Wider networks")


STUDY = """
from redo_dopamine.studies import arms
from redo_dopamine.studies.study import Study

MINE = Study(
    name="mine", claim="It runs.", source="a test", axis="replay ratio",
    arms=arms.replay_ratio_sweep((0.5,), "DQN", "dqn"),
    games=("Pong",), seeds=(0, 1), length=1_000_000,
)
"""


def test_a_study_of_ones_own_is_a_file(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(STUDY)
    words = ["launch", "local", "--study=mine.py", "--base_dir=runs"]
    status, out, _ = ended([*words, "--print_commands"], monkeypatch, capsys)
    assert status == 0
    assert out.count("--base_dir=runs/mine/dqn_rr0.5/Pong/") == 2
    assert (tmp_path / "runs" / "mine" / "study.json").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 / 0", "ends with ZeroDivisionError: division by zero"),
        ("x = 1", "makes 0"),
        (
            STUDY + "import dataclasses\nB = dataclasses.replace(MINE, name='b')",
            "makes 2",
        ),
        (None, "must be there, but 'mine.py' is not"),
    ],
)
def test_a_file_that_is_no_study_is_refused(text, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    if text is not None:
        (tmp_path / "mine.py").write_text(text)
    words = ["launch", "local", "--study=mine.py", "--base_dir=runs"]
    status, _, message = ended(words, monkeypatch, capsys)
    assert status == errors.USER_ERROR
    assert message.startswith("error: A study's file must")
    assert said in message
    assert not (tmp_path / "runs").exists()
