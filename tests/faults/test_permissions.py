"""What must not be read: one message and status 2 for every command, no traceback."""

import os
import shutil
import subprocess
import sys

import pytest

# Root reads everything, unless it drops the capability.
AS_OTHERS = (
    ["setpriv", "--inh-caps=-all", "--bounding-set=-dac_override,-dac_read_search"]
    if os.geteuid() == 0
    else []
)
COMMANDS = {
    "inspect": ["inspect", "--checkpoint={}"],
    "record": ["data", "record", "--checkpoint={}", "--output=out", "--num_steps=9"],
    "lesson": ["data", "lesson", "--teacher={}", "--student=nowhere"],
    "launch": ["launch", "local", "--study=laptop_width", "--base_dir={}"],
    "slurm": ["launch", "slurm", "--study=laptop_width", "--base_dir={}"],
    "own study": ["launch", "local", "--study={}/x.py", "--base_dir=out"],
    "studies": ["studies", "{}/x.py"],
    "train": ["train", "--base_dir={}", "--gin_files=dqn.gin"],
    "train gin file": ["train", "--base_dir=out", "--gin_files={}/x.gin"],
    "play": ["play", "{}"],
    "demo": ["demo", "--base_dir={}"],
}


@pytest.fixture
def closed(tmp_path):
    """A directory that lets nobody in, with one of the same kind in it."""
    directory = tmp_path / "closed"
    (directory / "run").mkdir(parents=True)
    directory.chmod(0)
    yield directory
    directory.chmod(0o700)


@pytest.mark.slow
@pytest.mark.skipif(
    bool(AS_OTHERS) and not shutil.which("setpriv"), reason="root may read anything"
)
@pytest.mark.parametrize("within", ["", "/run"])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_closed_directory(name, within, closed, tmp_path):
    words = [word.format(f"{closed}{within}") for word in COMMANDS[name]]
    done = subprocess.run(
        [*AS_OTHERS, sys.executable, "-m", "redo_dopamine", *words],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=300,
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "error: " in done.stderr
    assert f"{closed}" in done.stderr
