"""Runs side by side, one core each, against one on all: `--only=workers`.

Each run is a process of its own: `python -m benchmarks.workers [CORE]`.
"""

import functools
import json
import os
import subprocess
import sys
import time

from benchmarks.measuring import Bar, alternate, timed

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def measure(quick: bool) -> list[Bar]:
    duration, rounds = (2, 1) if quick else (15, 5)
    cores = sorted(os.sched_getaffinity(0))
    workers = [_Worker(core) for core in cores]
    alone = _Worker(None)
    try:
        threads = [worker.told() for worker in (*workers, alone)]
        used: list[list[float]] = []  # Cores per process, by round and kind.
        turns = alternate(
            lambda: _rate(workers, duration, used),
            lambda: _rate([alone], duration, used),
            rounds,
        )
    finally:
        for worker in (*workers, alone):
            worker.stop()
    return [
        Bar(
            "workers",
            f"{len(cores)} runs at once with one core each, against (as peer) one run "
            "with all cores: agent steps of all, our DQN on DemonAttack at replay "
            "ratio 1",
            "steps/s",
            turns,
            "ours / peer",
            ">=",
            1.2,
            {"threads per process": threads, "cores used, in turns": used},
        )
    ]


def _rate(workers, duration, used):
    for worker in workers:
        worker.go(duration)
    rates, cores = zip(*(worker.told() for worker in workers), strict=True)
    used.append(list(cores))
    return sum(rates)


class _Worker:
    """A process that is ready to step, and waits to be told for how long."""

    def __init__(self, core):
        alone = {} if core is None else dict.fromkeys(ONE_THREAD, "1")
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "benchmarks.workers"),
                *([] if core is None else [str(core)]),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | alone,
        )

    def go(self, duration):
        self._process.stdin.write(f"{duration}\n")
        self._process.stdin.flush()

    def told(self):
        for line in self._process.stdout:
            if line.startswith("told "):
                return json.loads(line.removeprefix("told "))
        raise RuntimeError(f"A worker ended: {self._process.wait()}")

    def stop(self):
        self._process.stdin.close()
        self._process.wait()


def work() -> None:
    """Step whenever told, for as long; answer steps per second and cores used."""
    from benchmarks import loops
    from redo_dopamine.agents.dqn import RecycledDQNAgent

    loops.set_up(
        "dqn.gin",
        "DemonAttack",
        [
            "RecycledDQNAgent.replay_ratio = 1",
            "JaxDQNAgent.target_update_period = 2000",
        ],
    )
    loop = loops.make(loops.Loop, RecycledDQNAgent, "DemonAttack", True)
    loops.warm_up(loop)
    _tell(len(os.listdir("/proc/self/task")))
    for line in sys.stdin:
        steps, taken, cores = timed(functools.partial(_step_for, loop, float(line)))
        _tell((steps / taken, cores))


def _step_for(loop, duration):
    """Steps that were made; no fewer seconds than that."""
    start, steps = time.perf_counter(), 0
    while time.perf_counter() - start < duration:
        loop.run(4)
        steps += 4
    return steps


def _tell(value):
    print(f"told {json.dumps(value)}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:]:  # Before jax counts the cores.
        os.sched_setaffinity(0, {int(sys.argv[1])})
    work()
