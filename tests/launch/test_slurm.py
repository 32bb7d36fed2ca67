"""`python launch/slurm.py` with fake programs of Slurm's: what it asks of them."""

import json
import os
import re
import shlex
import sys
from pathlib import Path

import pytest

from redo_dopamine.errors import UserError
from redo_dopamine.launch.slurm import options as slurm_options
from redo_dopamine.launch.slurm import submit
from redo_dopamine.rundir import lock, status

ROOT = Path(__file__).parent.parent.parent
TWO_RUNS = ("--study=pruning", "--games=Pong", "--seeds=1", "--scale=1e-6")
# Each says what a file of its name says, and keeps what it was called with.
PROGRAM = '#!/bin/sh\necho "$@" >> $0.calls\ncat $0.error >&2 && exit 1\ncat $0.says\n'
NAMES = ("sbatch", "srun", "squeue", "scontrol")


@pytest.fixture
def programs(tmp_path, monkeypatch):
    pytest.importorskip("submitit")
    directory = tmp_path / "bin"
    directory.mkdir()
    for name in NAMES:
        (directory / name).write_text(PROGRAM.replace("&& exit", "2>/dev/null && exit"))
        (directory / name).chmod(0o755)
        (directory / f"{name}.says").write_text("")
    (directory / "sbatch.says").write_text("Submitted batch job 12\n")
    (directory / "scontrol.says").write_text("MaxArraySize            = 1001\n")
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")
    return directory


def launch(base_dir, *options):
    return submit.main([*TWO_RUNS, f"--base_dir={base_dir}", *options])


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        *(("90", 90), ("1:30", 2), ("2:00:00", 120), ("0:0:1", 1)),
        *(("2-0", 2880), ("1-1:30", 1530), ("1-00:00:01", 1441)),
    ],
)
def test_times(text, minutes):
    assert slurm_options.parse_time(text) == minutes


@pytest.mark.parametrize("text", ["", "0", "0:00", "1h", "-5", "1:2:3:4", "1-2-3"])
def test_no_times(text):
    with pytest.raises(UserError, match=f"--time must be .* but is {text!r}"):
        slurm_options.parse_time(text)


def test_memory():
    assert slurm_options.parse_memory("8g") == "8G"
    assert slurm_options.parse_memory("512M") == "512M"
    for text in ("", "8", "0G", "8GB", "1.5G", "G"):
        with pytest.raises(UserError, match=f"--mem must be .* but is {text!r}"):
            slurm_options.parse_memory(text)


def test_an_array_is_submitted(programs, tmp_path, capsys):
    options = ["--time=6", "--cpus=3", "--mem=5G", "--gpus=1", "--max_parallel=1"]
    options += ["--partition=low", "--account=me"]
    assert launch(tmp_path, *options) == 0
    assert capsys.readouterr().out == "Runs submitted as job 12: 2.\n"
    folder = tmp_path / "pruning" / "slurm"
    assert json.loads((folder / "jobs.json").read_text()) == {
        "format": 1,
        "runs": {
            "dqn/Pong/0": {"job": "12", "task": 0},
            "prune/Pong/0": {"job": "12", "task": 1},
        },
    }
    script = (folder / "12_submission.sh").read_text()
    flags = dict(re.findall(r"^#SBATCH --([a-z-]+)=?(.*)$", script, re.MULTILINE))
    wanted = {
        "array": "0-1%1",
        "time": "6",
        "cpus-per-task": "3",
        "gpus-per-node": "1",
        "mem": "5G",
        "partition": "low",
        "account": "me",
        "requeue": "",
        "signal": "USR2@90",
        "job-name": "redo-pruning",
        "output": f"{folder}/%A_%a_0_log.out",
    }
    assert {name: flags[name] for name in wanted} == wanted
    assert f'export PYTHONPATH={ROOT}"${{PYTHONPATH:+:$PYTHONPATH}}"\n' in script
    assert " --cpus-per-task=3 " in script
    for task in (0, 1):
        assert (folder / f"12_{task}_submitted.pkl").exists()


def test_what_is_done_or_in_the_queue_is_not_submitted(programs, tmp_path, capsys):
    assert launch(tmp_path) == 0
    (programs / "squeue.says").write_text("12_0|PENDING|redo-pruning\n")
    prune = tmp_path / "pruning" / "prune" / "Pong" / "0"
    prune.mkdir(parents=True)
    status.write(prune, status.Status("done"))
    capsys.readouterr()
    assert launch(tmp_path) == 0
    assert capsys.readouterr().out == (
        "2 of 2 runs skipped: 1 pending, 1 done.\nNothing to submit.\n"
    )
    # Slurm has lost one: nothing but that is submitted, as a job by itself.
    (programs / "squeue.says").write_text("")
    (programs / "sbatch.says").write_text("Submitted batch job 13\n")
    base = f"--base_dir={tmp_path}"
    assert submit.main(["--study=pruning", base, "--resubmit"]) == 0
    assert capsys.readouterr().out == (
        "1 of 2 runs skipped: 1 done.\nRuns submitted as job 13: 1.\n"
    )
    jobs = json.loads((tmp_path / "pruning" / "slurm" / "jobs.json").read_text())
    assert jobs["runs"]["dqn/Pong/0"] == {"job": "13", "task": None}
    study = json.loads((tmp_path / "pruning" / "study.json").read_text())
    assert (study["scale"], study["games"], study["seeds"]) == (1e-6, ["Pong"], [0])


def test_status_is_that_of_all_launches(programs, tmp_path, capsys):
    launch(tmp_path)
    (programs / "squeue.says").write_text("12_0|RUNNING|redo-pruning\n")
    prune = tmp_path / "pruning" / "prune" / "Pong" / "0"
    prune.mkdir(parents=True)
    status.write(prune, status.Status("failed", message="out of luck"))
    before = (tmp_path / "pruning" / "study.json").read_text()
    capsys.readouterr()
    base = f"--base_dir={tmp_path}"
    assert submit.main(["--study=pruning", base, "--status"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[1].split() == ["dqn", "0", "1", "0", "0", "0", "0"]
    assert out[2].split() == ["prune", "0", "0", "0", "1", "0", "0"]
    assert out[-1] == "prune/Pong/0 failed: out of luck"
    assert (tmp_path / "pruning" / "study.json").read_text() == before
    assert (programs / "sbatch.calls").read_text().count("\n") == 1


def test_status_before_any_launch(tmp_path, capsys):
    assert launch(tmp_path, "--status") == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[-1].split()[-1] == "2"
    assert f"there is no {tmp_path}/pruning/study.json" in said.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["--status", "--resubmit"])
def test_a_damaged_record_of_the_launches(option, tmp_path, capsys):
    (tmp_path / "pruning").mkdir()
    (tmp_path / "pruning" / "study.json").write_text("{")
    assert launch(tmp_path, option) == 2
    said = capsys.readouterr()
    assert f"{tmp_path}/pruning/study.json cannot be read" in said.err
    assert "Delete it" in said.err
    assert said.out == ""


def test_a_cluster_that_does_not_answer(programs, tmp_path, capsys):
    (programs / "scontrol.error").write_text("scontrol: fatal: no contact\n")
    assert launch(tmp_path) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: Slurm must answer here, but scontrol failed: ")
    assert "no contact\nGo to a machine of the cluster" in said


def test_to_tell_and_to_submit_at_once_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        launch(tmp_path, "--status", "--resubmit")
    assert "not allowed with" in capsys.readouterr().err


def test_more_than_an_array_holds(programs, tmp_path, capsys):
    (programs / "scontrol.says").write_text("MaxArraySize            = 2\n")
    assert launch(tmp_path, "--seeds=3", "--max_parallel=6") == 0
    assert capsys.readouterr().out == "Runs submitted as job 12: 2.\n" * 3
    scripts = [
        Path(shlex.split(call)[0])
        for call in (programs / "sbatch.calls").read_text().splitlines()
    ]
    assert len(scripts) == 3
    assert "--array=0-1%2" in scripts[-1].read_text()


def test_slurms_own_words_for_a_refusal(programs, tmp_path, capsys):
    (programs / "sbatch.error").write_text("sbatch: error: no such partition\n")
    assert launch(tmp_path, "--partition=x") == 2
    said = capsys.readouterr().err
    assert "but sbatch failed: sbatch: error: no such partition" in said
    assert "change --partition" in said
    assert not (tmp_path / "pruning" / "slurm" / "jobs.json").exists()


def test_two_launchers_at_once(programs, tmp_path, capsys, monkeypatch):
    held = lock.held
    monkeypatch.setattr(
        lock,
        "held",
        lambda path, name=lock.NAME, patience=1.0: held(path, name, 0.1),
    )
    (tmp_path / "pruning").mkdir()
    with lock.held(tmp_path / "pruning", "slurm.lock"):
        assert launch(tmp_path) == 2
    assert f"'pid': {os.getpid()}" in capsys.readouterr().err
    assert not (programs / "sbatch.calls").exists()


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--time=soon"], ["--time must be", "'soon'"]),
        (["--mem=8"], ["--mem must be", "'8'"]),
        (["--cpus=0"], ["--cpus must be", ">= 1", "'0'"]),
        (["--gpus=-1"], ["--gpus must be", ">= 0", "'-1'"]),
        (["--max_parallel=0"], ["--max_parallel must be", "'0'"]),
        *(
            ([f"--{flag}={text}"], [f"--{flag} must be a name", repr(text)])
            for flag in ("partition", "account")
            for text in (
                "",
                " ",
                "a b",
                "-x",
                "a;b",
                "$(a)",
                "a\n#SBATCH -x",
                "a\0",
                "é",
            )
        ),
        (["--games=Pongg"], ["Did you mean Pong?"]),
        (["--scale=2"], ["--scale must be in (0, 1]"]),
    ],
)
def test_a_mistake_is_named(programs, options, parts, tmp_path, capsys):
    assert launch(tmp_path / "x", *options) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    for part in parts:
        assert part in said
    assert not (tmp_path / "x").exists()


def test_no_slurm_here(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert launch(tmp_path / "x") == 2
    said = capsys.readouterr().err
    assert "there is no sbatch here" in said
    assert "--print_commands" in said
    assert not (tmp_path / "x").exists()
    assert launch(tmp_path / "x", "--print_commands") == 0
    lines = [shlex.split(line) for line in capsys.readouterr().out.splitlines()]
    assert [line[:3] for line in lines] == [
        [sys.executable, "-m", "redo_dopamine.train"]
    ] * 2


def test_no_submitit_here(programs, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "submitit", None)
    assert launch(tmp_path / "x") == 2
    assert "pip install 'redo-dopamine[cluster]'" in capsys.readouterr().err


def test_the_status_of_a_study_of_ones_own_is_found_by_its_name(
    programs, tmp_path, capsys
):
    path = tmp_path / "my_study.py"
    path.write_text(
        "import dataclasses\nfrom redo_dopamine.studies import STUDIES\n"
        "STUDY = dataclasses.replace(STUDIES['pruning'], name='mine')\n"
    )
    words = [f"--study={path}", f"--base_dir={tmp_path}"]
    some = ["--arms=dqn", "--games=Pong", "--seeds=3,", "--scale=1e-6"]
    assert submit.main([*words, *some]) == 0
    (programs / "squeue.says").write_text("12|RUNNING|redo-mine\n")
    capsys.readouterr()
    assert submit.main([*words, "--status"]) == 0
    said = capsys.readouterr()
    assert "nothing was launched" not in said.err
    # A line for the one arm, and one for all.
    assert said.out.splitlines()[1].split()[:3] == ["dqn", "0", "1"]
    assert "prune" not in said.out
