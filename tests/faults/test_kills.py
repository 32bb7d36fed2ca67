"""Real runs with ReDo are killed again and again, and end as if they were not.

DQN and DrQ(eps) on Atari, PPO and SAC on MuJoCo.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from helpers import runs
from redo_dopamine.rundir import checkpoint

pytestmark = pytest.mark.slow


TESTS = Path(__file__).parents[1]
# Often enough that many a kill falls into the writing of a checkpoint.
OFTEN = "PlasticityRunner.checkpoint_minutes = 0.001"
DQN = ("dqn_redo.gin", (*runs.TINY_REDO, OFTEN))
DRQ = ("drq_eps_redo.gin", (*runs.TINY_DRQ, OFTEN))
# Robots: shorter evaluations than elsewhere, since no checkpoint is written in them.
SHORT = ("Runner.training_steps = 50", "Runner.evaluation_steps = 15")
PPO = ("ppo_redo.gin", (*runs.TINY_PPO, *SHORT, OFTEN))
SAC = ("sac_redo.gin", (*runs.TINY_SAC, *SHORT, OFTEN))

every_agent = pytest.mark.parametrize(
    "setup", [DQN, DRQ, PPO, SAC], ids=["dqn", "drq", "ppo", "sac"]
)

# Of the emulator: an earlier state and the actions since, which lead to its state.
_HOW_IT_GOT_THERE = ("environment/earlier", "environment/actions")


class Zygote:
    """Starts runs, by `helpers.zygote`; one at a time."""

    def __init__(self, cache):
        path = os.pathsep.join([str(TESTS), str(TESTS.parent)])
        self._process = subprocess.Popen(
            [sys.executable, "-m", "helpers.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "PYTHONPATH": path,
                "JAX_PLATFORMS": "cpu",
                # The same programs again and again: compiled once.
                "JAX_COMPILATION_CACHE_DIR": str(cache),
                "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
                "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
            },
        )

    def run(self, base_dir, setup, die_at=None, kill_after=None):
        """Train; returns the exit status, -9 for a process that was killed."""
        gin_file, bindings = setup
        argv = [f"--base_dir={base_dir}", f"--gin_files={gin_file}"]
        argv += [f"--gin_bindings={x}" for x in bindings]
        request = {"argv": argv, "log": f"{base_dir}.log", "die_at": die_at}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        child = int(self._process.stdout.readline())
        timer = None
        if kill_after is not None:
            timer = threading.Timer(kill_after, _kill, [child])
            timer.start()
        status = int(self._process.stdout.readline())
        if timer is not None:
            timer.cancel()
        return status

    def close(self):
        self._process.stdin.close()
        self._process.stdout.close()
        assert self._process.wait() == 0


def _kill(process):
    with contextlib.suppress(ProcessLookupError):  # It has just ended.
        os.kill(process, signal.SIGKILL)


@pytest.fixture(scope="module")
def zygote(tmp_path_factory):
    started = Zygote(tmp_path_factory.mktemp("compiled"))
    yield started
    started.close()


def result(base_dir):
    """All that a run ends with: its rows, and every array of its last checkpoint."""
    directory = base_dir / "checkpoints"
    number = checkpoint.numbers(directory)[0]
    assert number > 4, "no checkpoints but those at the end of an iteration"
    arrays, meta = checkpoint.read(checkpoint.path_of(directory, number))
    found = {
        name: (x.dtype.str, x.tobytes())
        for name, x in arrays.items()
        if name not in _HOW_IT_GOT_THERE
    }
    assert meta["iteration"] == 2
    return runs.metrics(base_dir), found


def finish(zygote, base_dir, setup):
    """Run to the end; returns its seconds, and its calls to the disk."""
    started = time.monotonic()
    status = zygote.run(base_dir, setup)
    log = Path(f"{base_dir}.log").read_text()
    assert status == 0, log
    calls = re.findall(r"calls to the disk: (\d+)", log)
    return time.monotonic() - started, int(calls[-1])


def survive(zygote, tmp_path, setup, num_kills):
    """Kill a run that often; where it ends before, another one takes the rest."""
    straight = tmp_path / "straight"
    seconds, num_calls = finish(zygote, straight, setup)
    expected = result(straight)
    rng = np.random.default_rng(num_kills)
    survived = {"at a call to the disk": 0, "at a moment": 0}
    num_runs = 0
    while sum(survived.values()) < num_kills:
        base_dir = tmp_path / f"killed{num_runs}"
        num_runs += 1
        status = -signal.SIGKILL
        while status == -signal.SIGKILL and sum(survived.values()) < num_kills:
            share = 2 * rng.random() / num_kills
            if rng.random() < 0.6:
                kind, how = "at a call to the disk", {"die_at": int(share * num_calls)}
            else:
                kind, how = "at a moment", {"kill_after": 0.5 + rng.random() * seconds}
            started = time.monotonic()
            status = zygote.run(base_dir, setup, **how)
            # The first run had everything to compile: these kills came too late.
            if status == 0:
                seconds = min(seconds, time.monotonic() - started)
            survived[kind] += status == -signal.SIGKILL
        if status != 0:
            finish(zygote, base_dir, setup)
        rows, arrays = result(base_dir)
        assert rows == expected[0]
        assert arrays == expected[1]
    print(f"{num_kills} kills survived {survived}, {num_runs} equal results")


@pytest.mark.timeout(600)  # The first run compiles, on a busy machine for long.
@every_agent
def test_a_run_that_is_killed_5_times_equals_one_that_was_not(setup, zygote, tmp_path):
    survive(zygote, tmp_path, setup, 5)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@every_agent
def test_a_run_that_is_killed_50_times_equals_one_that_was_not(setup, zygote, tmp_path):
    survive(zygote, tmp_path, setup, 50)
