"""`python launch/local.py`: its options, its signals, and one real launch."""

import csv
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from redo_dopamine.launch import local
from redo_dopamine.rundir import status as run_status

ROOT = Path(__file__).parent.parent.parent
SCRIPT = str(ROOT / "launch" / "local.py")
FAKE = str(Path(__file__).parent / "fake_run.py")
TWO_RUNS = ("--study=pruning", "--games=Pong", "--seeds=1", "--scale=1e-6")
# The launcher itself, with fake runs that do what the first argument says.
LAUNCH_FAKES = (
    "import signal, sys\n"
    # Whoever runs the tests in the background may have it ignored.
    "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    "from redo_dopamine.launch import local\n"
    f"do = lambda run: [sys.executable, {FAKE!r}, str(run.directory), sys.argv[1]]\n"
    "sys.exit(local.main(sys.argv[2:], do))\n"
)


def fakes(behavior):
    return lambda run: [sys.executable, FAKE, str(run.directory), behavior]


def launch(base_dir, behavior, *options):
    return local.main([*TWO_RUNS, f"--base_dir={base_dir}", *options], fakes(behavior))


def test_all_done(tmp_path, capsys):
    assert launch(tmp_path, "succeed", "--workers=2") == 0
    out = capsys.readouterr().out
    assert "dqn/Pong/0: started\n" in out
    assert "prune/Pong/0: done\n" in out
    assert "2 of 2 runs are done.\n" in out
    assert json.loads((tmp_path / "pruning" / "study.json").read_text())["seeds"] == [0]


def test_what_is_missing_is_told_with_the_end_of_its_log(tmp_path, capsys):
    assert launch(tmp_path, "crash", "--arms=prune") == 1
    out = capsys.readouterr().out
    assert "0 of 1 runs are done." in out
    assert f"{tmp_path}/pruning/prune/Pong/0/log.txt ends:\n" in out
    assert "ValueError: out of luck\n" in out
    assert "Missing" in out
    assert "prune/Pong/0" in out[out.index("Missing") :]


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--study=prunning"], ["'prunning'", "Did you mean pruning"]),
        (["--games=Pongg"], ["game 'Pongg'", "Did you mean Pong?"]),
        (["--arms=prun"], ["arm 'prun'", "Did you mean prune?"]),
        (["--workers=0"], ["--workers must be", "'0'"]),
        (["--workers=many"], ["--workers must be", "'many'"]),
        (["--time_limit=0"], ["--time_limit must be > 0", "'0'"]),
        (["--time_limit=soon"], ["--time_limit must be > 0", "'soon'"]),
        (["--time_limit=nan"], ["--time_limit must be > 0", "'nan'"]),
        (["--seeds=x"], ["--seeds must be", "'x'"]),
        (["--base_dir="], ["--base_dir must name a file or directory"]),
        (["--base_dir=/proc/x"], ["--base_dir must be", "/proc/x"]),
    ],
)
def test_a_mistake_is_named(options, parts, tmp_path, capsys):
    assert launch(tmp_path, "succeed", *options) == 2
    said = capsys.readouterr()
    assert said.err.startswith("error: ")
    assert said.out == ""
    for part in parts:
        assert part in said.err
    assert list(tmp_path.iterdir()) == []


def test_another_scale_is_refused(tmp_path, capsys):
    launch(tmp_path, "succeed")
    assert launch(tmp_path, "succeed", "--scale=0.5") == 2
    assert "scale: 1e-06 -> 0.5" in capsys.readouterr().err


def test_the_commands_are_for_a_shell(tmp_path):
    result = subprocess.run(
        [
            *(sys.executable, SCRIPT, *TWO_RUNS),
            *(f"--base_dir={tmp_path}/a b", "--print_commands"),
        ],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    lines = [shlex.split(line) for line in result.stdout.splitlines()]
    assert len(lines) == 2
    assert lines[1][:5] == [
        sys.executable,
        "-m",
        "redo_dopamine.train",
        f"--base_dir={tmp_path}/a b/pruning/prune/Pong/0",
        "--scale=1e-06",
    ]
    assert "--gin_files=dqn_prune.gin" in lines[1]
    assert "--gin_bindings=JaxDQNAgent.seed = 0" in lines[1]
    assert [p.name for p in (tmp_path / "a b" / "pruning").iterdir()] == ["study.json"]


def test_nobody_has_to_read_all_commands(tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, SCRIPT, *TWO_RUNS, f"--base_dir={tmp_path}"]
    result = subprocess.run(
        [*command, "--print_commands"],
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
        cwd=tmp_path,
    )
    os.close(writer)
    assert (result.returncode, result.stderr) == (0, b"")


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1]
)
def test_a_signal_ends_the_runs_and_leaves_them_to_be_resumed(number, tmp_path, capsys):
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", LAUNCH_FAKES, "hang"),
            *(*TWO_RUNS, f"--base_dir={tmp_path}", "--workers=2"),
        ],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    directories = [tmp_path / "pruning" / x / "Pong" / "0" for x in ("dqn", "prune")]
    deadline = time.monotonic() + 100
    while None in map(run_status.read, directories) and time.monotonic() < deadline:
        time.sleep(0.05)
    children = [run_status.read(directory).pid for directory in directories]
    process.send_signal(number)
    out, _ = process.communicate(timeout=100)
    assert process.returncode == 75
    assert "0 of 2 runs are done." in out
    assert "stopped by hand" in out
    for child in children:
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)
    assert launch(tmp_path, "succeed") == 0
    assert [run_status.read(x).attempts for x in directories] == [2, 2]


@pytest.mark.timeout(900)  # Two runs at once, with all their compiling.
def test_a_real_launch(tmp_path):
    # As short as a scale makes it: 200 agent steps, then the end of an episode.
    options = ["--study=replay_ratio", "--arms=dqn_rr0.25,redo_rr0.25"]
    options += ["--games=DemonAttack", "--seeds=1", "--scale=1e-6"]
    command = [sys.executable, SCRIPT, *options, f"--base_dir={tmp_path}"]
    result = subprocess.run(
        [*command, "--workers=2"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    for arm in ("dqn_rr0.25", "redo_rr0.25"):
        directory = tmp_path / "replay_ratio" / arm / "DemonAttack" / "0"
        status = run_status.read(directory)
        assert (status.state, status.attempts, status.scale) == ("done", 1, 1e-6)
        assert status.agent_step >= status.agent_steps == 200
        with (directory / "metrics.csv").open() as file:
            names = {row["name"] for row in csv.DictReader(file)}
        assert {"train/average_return", "dormant_fraction/0.1"} <= names
        said = json.loads((directory / "run.json").read_text())["command"]
        assert any("# Scaled: 1e-06 of the study's length." in x for x in said)
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 0
    done, report = again.stdout.splitlines()[-2:]
    assert done == "2 of 2 runs are done."
    study = tmp_path / "replay_ratio"
    assert report == f"Report: redo-dopamine report --base_dir={study}"


def link_to_nowhere(path):
    path.symlink_to("/proc/nowhere")


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, link_to_nowhere])
def test_a_log_that_is_no_file_is_refused_and_other_runs_go_on(make, tmp_path, capsys):
    run = tmp_path / "pruning" / "prune" / "Pong" / "0"
    run.mkdir(parents=True)
    make(run / "log.txt")
    before = os.lstat(run / "log.txt")
    assert launch(tmp_path, "succeed") == 1
    out = capsys.readouterr().out
    assert "1 of 2 runs are done." in out
    assert "dqn/Pong/0: done" in out
    assert "prune/Pong/0: failed, not started" in out
    assert "it must be an ordinary file" in out
    assert os.path.samestat(os.lstat(run / "log.txt"), before)
