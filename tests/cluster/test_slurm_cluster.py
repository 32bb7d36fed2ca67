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
from redo_dopamine.rundir import status as run_status

ROOT = Path(__file__).parent.parent.parent
STUDY = ("--study=replay_ratio", "--games=DemonAttack", "--seeds=1", "--scale=0.0002")
# In the order of the array; the last is slow: it needs more than a minute.
ARMS = ("dqn_rr0.25", "dqn_rr0.5", "redo_rr0.25", "redo_rr2")
WHY_NOT = one_node.missing()

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT)),
    # Minutes on two idle cores; an end to it wherever it hangs, on any machine.
    pytest.mark.timeout(1800),
]
PATIENCE = 600.0  # seconds


@pytest.fixture
def cluster(tmp_path):
    directory = tmp_path / "cluster"
    directory.mkdir()
    with one_node.Cluster(directory) as cluster:
        yield cluster
        # Shown if the test fails, at its timeout as well.
        print(cluster.logs())
        for path in sorted((tmp_path / "runs").rglob("*log*")):
            if path.is_file():
                print(f"== {path}", path.read_text(errors="replace")[-2000:], sep="\n")
        print(cluster.ask("squeue", "--all"))


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
            timeout=PATIENCE,
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
        """Such as RUNNING; empty once it is over."""
        return self.queue().get(self.job(arm), "")

    def queue(self):
        said = self.cluster.ask("squeue", "--noheader", "--array", "--format=%i %T")
        return dict(line.split() for line in said.splitlines())

    def wait_for(self, condition, what):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, (
                f"In {PATIENCE:g} s not {what}; the queue is {self.queue()}, the runs "
                f"are {[self.status(arm) for arm in ARMS]}, and\n{self.cluster.logs()}"
            )
            time.sleep(0.3)

    def wait_until_at_work(self, arm):
        self.wait_for(lambda: self.status(arm).state == "running", f"at work on {arm}")
        time.sleep(1)

    def wait_until_both_cores_are_taken(self):
        def taken():
            return list(self.queue().values()).count("RUNNING") == 2

        self.wait_for(taken, "two jobs running")

    def preempt_one(self):
        """Have a job of more weight take a core; returns the arm that had it."""

        def stopped():
            return [arm for arm in ARMS if self.status(arm).state == "stopped"]

        while not stopped():
            # It may find a core free, where a run has just come to its end: again then.
            self.wait_until_both_cores_are_taken()
            said = self.cluster.ask(
                *("sbatch", "--parsable", "--partition=high", "--output=/dev/null"),
                "--wrap=sleep 1",
            )
            job = said.strip()
            self.wait_for(
                lambda job=job: stopped() or job not in self.queue(),
                "a run stopped by preemption",
            )
        [victim] = stopped()
        return victim


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
    wait_for = launcher.wait_for
    killed, _, _, slow = ARMS

    assert launcher.submit().endswith(": 4.\n")
    again = launcher.submit()
    assert again.startswith("4 of 4 runs skipped: ")
    assert again.endswith("Nothing to submit.\n")
    launcher.wait_until_at_work(killed)
    launcher.wait_until_both_cores_are_taken()
    counts = launcher.counts()
    assert (counts["running"], counts["pending"]) == (2, 2)
    os.kill(launcher.status(killed).pid, signal.SIGKILL)
    wait_for(lambda: launcher.status(killed).attempts == 2, "started again")

    victim = launcher.preempt_one()
    assert launcher.status(victim).message == "stopped by SIGTERM"

    # Cancelled by hand, it does not come back by itself.
    launcher.wait_until_at_work(slow)
    cluster.ask("scancel", launcher.job(slow))
    wait_for(lambda: not launcher.slurm_state(slow), "cancelled")
    assert run_status.actual_state(launcher.directory(slow)) == "stopped"
    assert launcher.counts()["stopped"] == 1

    # Again, with a minute for what takes more; then, put back into the queue when that
    # is over, with time enough.
    said = launcher("--resubmit", "--cpus=1", "--mem=2G", "--time=1")
    assert said.startswith("3 of 4 runs skipped: ")
    assert said.endswith(": 1.\n")
    wait_for(lambda: launcher.status(slow).attempts >= 2, "submitted again")
    wait_for(lambda: launcher.status(slow).state == "stopped", "out of time")
    assert launcher.slurm_state(slow) != ""
    cluster.ask("scontrol", "update", f"JobId={launcher.job(slow)}", "TimeLimit=30")
    wait_for(lambda: not launcher.queue(), "all jobs at their end")
    assert launcher.counts()["done"] == 4
    # Once, and again where it was killed, where it was preempted, and for the slow one
    # at --resubmit and after its minute; more where a machine is so slow that a run has
    # not even begun when it has to go.
    for arm in ARMS:
        check_finished_once(launcher, arm)
        least = 1 + (arm == killed) + (arm == victim) + 2 * (arm == slow)
        assert launcher.status(arm).attempts >= least
    assert launcher("--resubmit") == (
        "4 of 4 runs skipped: 4 done.\nNothing to submit.\n"
    )
