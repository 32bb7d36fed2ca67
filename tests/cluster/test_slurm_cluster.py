"""A study on a real Slurm of one node: killed, preempted, cancelled, out of time."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cluster import one_node
from redo_dopamine import run_status

ROOT = Path(__file__).parent.parent.parent
STUDY = ("--study=replay_ratio", "--games=DemonAttack", "--seeds=1", "--scale=0.0002")
# In the order of the array; the last is slow: it needs more than a minute.
ARMS = ("dqn_rr0.25", "dqn_rr0.5", "redo_rr0.25", "redo_rr2")
WHY_NOT = one_node.missing()

pytestmark = [
    pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT)),
    pytest.mark.timeout(600),
]


@pytest.fixture
def cluster(tmp_path):
    directory = tmp_path / "cluster"
    directory.mkdir()
    with one_node.Cluster(directory) as cluster:
        yield cluster
        # Shown if the test fails.
        print(cluster.ask("squeue", "--all"))
        print(cluster.logs())


class Launcher:
    """`launch/slurm.py` for the cluster, and what its runs have left."""

    def __init__(self, cluster, base_dir):
        self.cluster = cluster
        self.base_dir = base_dir

    def __call__(self, *options):
        """What the script says; it must succeed."""
        result = subprocess.run(
            [
                *(sys.executable, str(ROOT / "launch" / "slurm.py")),
                *("--study=replay_ratio", f"--base_dir={self.base_dir}", *options),
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.base_dir,
            env=self.cluster.environment,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def submit(self):
        return self(*STUDY, f"--arms={','.join(ARMS)}", "--cpus=1", "--mem=2G")

    def counts(self):
        """The last line of `--status`: all arms."""
        lines = [line.split()[1:] for line in self("--status").splitlines()]
        return dict(zip(lines[0], map(int, lines[-1]), strict=True))

    def directory(self, arm):
        return self.base_dir / "replay_ratio" / arm / "DemonAttack" / "0"

    def status(self, arm):
        return run_status.read(self.directory(arm)) or run_status.Status("")

    def job(self, arm):
        path = self.base_dir / "replay_ratio" / "slurm" / "jobs.json"
        found = json.loads(path.read_text())["runs"][f"{arm}/DemonAttack/0"]
        task = found["task"]
        return found["job"] if task is None else f"{found['job']}_{task}"

    def slurm_state(self, arm):
        return self.cluster.ask(
            "squeue", "--noheader", "--array", "--format=%T", f"--jobs={self.job(arm)}"
        ).strip()


def wait_for(condition, seconds=240.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.3)


def check_finished_once(launcher, arm):
    """Done, and every row of the metrics there once."""
    directory = launcher.directory(arm)
    status = launcher.status(arm)
    assert status.state == "done"
    assert status.agent_step >= status.agent_steps
    with (directory / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    steps = {}
    for row in rows:
        steps.setdefault(row["name"], []).append(int(row["agent_step"]))
    assert steps["train/average_return"]
    for name, found in steps.items():
        assert found == sorted(set(found)), (arm, name)
    run = json.loads((directory / "run.json").read_text())
    assert run["end"] is not None
    assert len(run["resumed"]) == status.attempts - 1


def test_every_run_is_finished_exactly_once(cluster, tmp_path):
    launcher = Launcher(cluster, tmp_path / "runs")
    launcher.base_dir.mkdir()
    killed, other, third, slow = ARMS

    def wait_until_at_work(arm, attempts):
        wait_for(lambda: launcher.status(arm).attempts == attempts)
        time.sleep(1)
        assert launcher.status(arm).state == "running"

    assert launcher.submit().endswith(": 4.\n")
    again = launcher.submit()
    assert again.startswith("4 of 4 runs skipped: ")
    assert again.endswith("Nothing to submit.\n")
    wait_until_at_work(killed, 1)
    counts = launcher.counts()
    assert (counts["running"], counts["pending"]) == (2, 2)
    os.kill(launcher.status(killed).pid, signal.SIGKILL)
    wait_for(lambda: launcher.status(killed).attempts == 2)

    # Both cores are taken: one of two has to go, whichever Slurm chooses.
    running = cluster.ask("squeue", "--noheader", "--states=RUNNING", "--format=%i")
    assert len(running.split()) == 2
    cluster.ask("sbatch", "--partition=high", "--output=/dev/null", "--wrap=sleep 1")

    def preempted():
        return [x for x in ARMS if launcher.status(x).state == "stopped"]

    wait_for(preempted)
    [victim] = preempted()
    assert launcher.status(victim).message == "stopped by SIGTERM"

    # Cancelled by hand, it does not come back by itself.
    wait_until_at_work(slow, 1)
    cluster.ask("scancel", launcher.job(slow))
    wait_for(lambda: not launcher.slurm_state(slow))
    assert launcher.status(slow).state == "stopped"
    assert launcher.counts()["stopped"] == 1

    # Again, with a minute for what takes more; then, put back into the queue when that
    # is over, with time enough.
    said = launcher("--resubmit", "--cpus=1", "--mem=2G", "--time=1")
    assert said.startswith("3 of 4 runs skipped: ")
    assert said.endswith(": 1.\n")
    wait_for(lambda: launcher.status(slow).attempts == 2)
    wait_for(lambda: launcher.status(slow).state == "stopped")
    assert launcher.slurm_state(slow) != ""
    cluster.ask("scontrol", "update", f"JobId={launcher.job(slow)}", "TimeLimit=30")
    wait_for(lambda: not cluster.ask("squeue", "--noheader"), 400)
    assert launcher.counts()["done"] == 4
    for arm in ARMS:
        check_finished_once(launcher, arm)
    assert launcher.status(killed).attempts == 2 + (victim == killed)
    assert launcher.status(third).attempts == 1 + (victim == third)
    assert launcher.status(other).attempts == 1 + (victim == other)
    # Its first, that of --resubmit, and that after its time was up.
    assert launcher.status(slow).attempts == 3
    assert launcher("--resubmit") == (
        "4 of 4 runs skipped: 4 done.\nNothing to submit.\n"
    )
