"""Directories that were typed: empty ones are refused and `~` expanded, everywhere."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.commands import redo_train
from redo_dopamine.cli import flags
from redo_dopamine.errors import UserError
from redo_dopamine.inspect import show as inspect_command
from redo_dopamine.launch import local
from redo_dopamine.launch.slurm import submit
from redo_dopamine.offline import __main__ as offline
from redo_dopamine.report import keep
from redo_dopamine.supervised import distillation, label_shuffle, regression_probe
from redo_dopamine.tools import play

ROOT = Path(__file__).parents[2]


def process_of(module):
    """A command whose flags have the names of another one's: in its own process."""

    def command(value):
        result = subprocess.run(
            [sys.executable, "-m", module, os.fsencode(f"--base_dir={value}")],
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            check=False,
        )
        sys.stderr.write(result.stderr)
        return result.returncode

    return command


def inspect_with(name):
    given = {"checkpoint": "nowhere"}
    return lambda value: inspect_command.run(**(given | {name: value}))


SLOW = ("report", "demo")
LESSON = ["lesson", "--teacher=nowhere", "--student=nowhere"]
KEEP = ["--base_dir=nowhere", "--to=nowhere"]
# Every flag that names a directory or a file of the user's, and how to give it.
COMMANDS = {
    ("train", "base_dir"): lambda x: redo_train(f"--base_dir={x}"),
    ("train", "unpickle_dopamine_checkpoint"): lambda x: redo_train(
        *("--base_dir=/proc/x", "--gin_files=demo.gin"),
        f"--unpickle_dopamine_checkpoint={x}",
    ),
    ("report", "base_dir"): process_of("redo_dopamine.report"),
    ("demo", "base_dir"): process_of("redo_dopamine.tools.demo"),
    ("keep", "base_dir"): lambda x: keep.main([*KEEP, f"--base_dir={x}"]),
    ("keep", "to"): lambda x: keep.main([*KEEP, f"--to={x}"]),
    ("inspect", "checkpoint"): inspect_with("checkpoint"),
    ("inspect", "states"): inspect_with("states"),
    ("inspect", "output"): inspect_with("output"),
    ("play", "video"): lambda x: play.main(["nowhere", f"--video={x}"]),
    ("record", "output"): lambda x: offline.main(
        ["record", "--num_steps=1", f"--output={x}"]
    ),
    ("record", "checkpoint"): lambda x: offline.main(
        ["record", "--num_steps=9", "--output=nowhere", f"--checkpoint={x}"]
    ),
    ("lesson", "teacher"): lambda x: offline.main([*LESSON, f"--teacher={x}"]),
    ("lesson", "student"): lambda x: offline.main([*LESSON, f"--student={x}"]),
    ("lesson", "output"): lambda x: offline.main([*LESSON, f"--output={x}"]),
    ("label_shuffle", "base_dir"): lambda x: label_shuffle.main([f"--base_dir={x}"]),
    ("label_shuffle", "data_dir"): lambda x: label_shuffle.main(
        ["--base_dir=/proc/x", f"--data_dir={x}"]
    ),
    ("distillation", "base_dir"): lambda x: distillation.main([f"--base_dir={x}"]),
    ("distillation", "lesson"): lambda x: distillation.main(
        ["--base_dir=/proc/x", f"--lesson={x}"]
    ),
    ("regression_probe", "base_dir"): lambda x: regression_probe.main(
        [f"--base_dir={x}"]
    ),
    ("local", "base_dir"): lambda x: local.main(["--study=pruning", f"--base_dir={x}"]),
    ("slurm", "base_dir"): lambda x: submit.main(
        ["--study=pruning", f"--base_dir={x}"]
    ),
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch, clean_gin):
    monkeypatch.chdir(tmp_path)


TEXTS = ("", "  ", "~no_such_user/x", "runs/\udcff")
# Those that are a process of their own are tried once: the rule is one.
CASES = [(*key, x) for key in COMMANDS for x in TEXTS[: 1 if key[0] in SLOW else 4]]


@pytest.mark.parametrize(("command", "flag", "text"), CASES)
def test_every_command_refuses_a_name_of_nothing(command, flag, text, capsys, tmp_path):
    assert COMMANDS[command, flag](text) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: --{flag} "), said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("~", "HOME"),
        ("~/runs/x", "HOME/runs/x"),
        ("./~", "./~"),
        ("a/~/b", "a/~/b"),
        ("a b", "a b"),
        ("ü/日本", "ü/日本"),
    ],
)
def test_a_home_directory_is_expanded(text, expected, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert flags.given("--to", text) == expected.replace("HOME", "/home/me")


def test_a_zero_byte_is_refused():
    with pytest.raises(UserError, match="zero byte"):
        flags.given("--base_dir", "a\0b")


def test_a_command_expands_it_too(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    arguments = ["--study=pruning", "--scale=1e-6", "--base_dir=~/x"]
    assert local.main([*arguments, "--print_commands"]) == 0
    assert (tmp_path / "x" / "pruning" / "study.json").exists()
    assert f"--base_dir={tmp_path}/x/pruning" in capsys.readouterr().out
    assert os.listdir(tmp_path) == ["x"]


PATHS = {
    *("base_dir", "to", "checkpoint", "states", "output", "teacher", "student"),
    *("data_dir", "lesson", "unpickle_dopamine_checkpoint", "video"),
}


def defined_flags(path):
    """`(flag, help)` of every flag that a module defines."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and node.args:
            function = ast.unparse(node.func)
            if "DEFINE_" in function or function.endswith(("add_argument", "add")):
                first = node.args[0]
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    yield first.value.removeprefix("--"), ast.unparse(node)


def test_the_table_has_every_flag_that_names_a_path():
    """By their names and by what their help and metavar say."""
    known = {flag for _, flag in COMMANDS}
    found = set()
    for folder in ("redo_dopamine", "launch"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for flag, text in defined_flags(path):
                if flag in PATHS or "DIR" in text.split("gin_bindings")[0]:
                    found.add(flag)
    assert found == known == PATHS
