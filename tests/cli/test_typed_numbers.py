"""Hostile numbers on every command line: status 2 and one message."""

import subprocess
import sys

import pytest

from redo_dopamine.launch import local
from redo_dopamine.launch.slurm import submit
from redo_dopamine.offline import __main__ as offline
from redo_dopamine.studies import __main__ as studies
from redo_dopamine.supervised import distillation, label_shuffle, regression_probe

HOSTILE = (
    *("-1", "nan", "inf", "-inf", "abc", "", " ", "٣", "1_0", "0x1", "1e400"),
    *("9" * 400, "[1]", "None", "1;2", "½"),
)
STUDY = ("--study=pruning", "--games=Pong", "--arms=prune", "--print_commands")
RECORD = ("record", "--output=x", "--num_steps=9")
LESSON = ("lesson", "--teacher=x", "--student=y")
NUMBERS = [
    (local.main, STUDY, ("workers", "time_limit", "seeds", "scale")),
    (
        submit.main,
        STUDY,
        *[("time", "cpus", "gpus", "mem", "max_parallel", "seeds", "scale")],
    ),
    (studies.main, ("show", "pruning"), ("seeds", "scale", "steps_per_second")),
    (
        offline.main,
        RECORD,
        ("num_steps", "epsilon", "seed", "run", "split_rows"),
    ),
    (offline.main, LESSON, ("num_states", "seed")),
    *(
        (x.main, (), ("scale",))
        for x in (label_shuffle, distillation, regression_probe)
    ),
]
CASES = [(main, rest, flag) for main, rest, names in NUMBERS for flag in names]


@pytest.mark.parametrize(
    ("main", "rest", "flag"), CASES, ids=lambda x: getattr(x, "__module__", str(x))
)
def test_a_hostile_number_is_refused_by_its_flag(main, rest, flag, tmp_path, capsys):
    base = () if main in (studies.main, offline.main) else (f"--base_dir={tmp_path}",)
    for text in HOSTILE:
        assert main([*rest, *base, f"--{flag}={text}"]) == 2, text
        said = capsys.readouterr().err
        assert said.count("error: ") == 1
        assert said.startswith(f"error: --{flag} must"), said
        assert len(said) < 500
    assert list(tmp_path.iterdir()) == []


# Flags of absl belong to a process, so each command has one of its own.
PARSE_ALL = """
import contextlib, importlib, io, sys
from redo_dopamine.cli import flags
module, flag, *texts = sys.argv[1:]
importlib.import_module(module)
for text in texts:
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            flags.parse(["x", f"--{flag}={text}"])
    except SystemExit as end:
        assert end.code == 2, text
    else:
        raise AssertionError(f"{text} is taken")
    assert said.getvalue().count("error: ") == 1, said.getvalue()
    assert f"--{flag} must be" in said.getvalue()
"""


@pytest.mark.parametrize(
    ("module", "flag"),
    [
        ("train", "scale"),
        ("inspect.__main__", "batch_size"),
        ("report.__main__", "bootstrap_repeats"),
    ],
)
def test_a_hostile_number_of_absl_is_refused(module, flag):
    command = [sys.executable, "-c", PARSE_ALL, f"redo_dopamine.{module}", flag]
    done = subprocess.run([*command, *HOSTILE], check=False)
    assert done.returncode == 0


def test_help_of_the_installed_command_shows_its_flags():
    script = (
        "import sys; from redo_dopamine.train import run; "
        "sys.argv = ['redo-train', '--help']; run()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert "--base_dir" in done.stdout
    assert "--gin_files" in done.stdout
    assert "Train one run:" in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["studies", "replay_ratio", "--arms=--"],
        ["studies", "replay_ratio", "--seeds=--"],
        ["launch", "local", "--study=--", "--base_dir=x"],
        ["launch", "local", "--study=replay_ratio", "--base_dir=--"],
        ["launch", "slurm", "--study=--", "--base_dir=x"],
        ["data", "record", "--output=--", "--num_steps=1", "--game=Pong"],
        ["data", "teacher", "--teacher=--", "--student=x"],
    ],
    ids=" ".join,
)
def test_two_dashes_are_no_value(words):
    command = [sys.executable, "-m", "redo_dopamine", *words]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "must have a value, but is '--'. Give one." in done.stderr
