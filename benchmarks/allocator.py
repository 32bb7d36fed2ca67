"""What it brings that freed memory is kept: `python -m benchmarks.allocator`.

Agent steps per second of our DQN and of Dopamine's at replay ratio 1, each with glibc's
default and with `runners.malloc.keep_freed_memory`, in four processes that take turns.
"""

from benchmarks import end_to_end  # isort: skip  Before Dopamine.

import argparse
import os
import statistics
from collections.abc import Callable

from benchmarks.measuring import own_process
from redo_dopamine.runners.malloc import keep_freed_memory

RATIO, STEPS = 1, 150
AGENTS = {"ours": end_to_end.our_dqn, "Dopamine's": end_to_end.stock_dqn}


def by_default() -> None:
    """Have `keep_freed_memory` change nothing in this process."""
    os.environ["MALLOC_PERTURB_"] = "0"


def rates(rounds: int) -> dict[tuple[str, str], float]:
    """Medians by agent and by what is said to the allocator."""
    said: dict[str, Callable[[], object]] = {
        "default": by_default,
        "kept": keep_freed_memory,
    }
    kinds = [(agent, how) for agent in AGENTS for how in said]
    processes = {kind: own_process() for kind in kinds}
    taken: dict[tuple[str, str], list[float]] = {kind: [] for kind in kinds}
    try:
        for (_, how), process in processes.items():
            process.submit(said[how]).result()
        for _ in range(rounds):
            for kind, process in processes.items():
                made = process.submit(end_to_end.rate, AGENTS[kind[0]], RATIO, STEPS)
                taken[kind].append(made.result()[0])
    finally:
        for process in processes.values():
            process.shutdown()
    return {kind: statistics.median(of_kind) for kind, of_kind in taken.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rate = rates(parser.parse_args().rounds)
    print("| steps/s | glibc's default | freed memory kept | ratio |")
    print("|---|--:|--:|--:|")
    for agent in AGENTS:
        default, kept = rate[agent, "default"], rate[agent, "kept"]
        print(f"| {agent} | {default:.1f} | {kept:.1f} | {kept / default:.2f} |")


if __name__ == "__main__":
    os.environ["JAX_PLATFORMS"] = "cpu"
    main()
