"""Where the processor's time of an update goes, by a sampling profiler.

    python -m benchmarks.update_profile [--seconds=10]

It needs Linux's `perf` (Debian: apt-get install linux-perf). Our update and
Dopamine's, those of `benchmarks.floor`, each in a process of its own, again and again.
A row is what the cores did, in milliseconds of a core per update, and how much of it
while no other core did anything for the process.
"""

import argparse
import bisect
import collections
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

HERTZ = 10_000
# Samples of two cores are of one moment if they are no further apart.
MOMENT = 0.6 / HERTZ  # seconds


class Sample(NamedTuple):
    """What a thread did at a moment.

    Attributes:
        thread: its number.
        time: in seconds.
        symbol: the function.
        library: the file that the function is from.
    """

    thread: str
    time: float
    symbol: str
    library: str


def family(sample: Sample) -> str:
    """The row that a sample counts for."""
    symbol, library = sample.symbol, sample.library
    if symbol == "[unknown]" and library.endswith(".map"):
        return "XLA's loops: Adam, rectifiers, transposes"
    if "copy_" in symbol or "reorder" in symbol or "Pack" in symbol:
        return "packing for products"
    if "dnnl::" in symbol:
        return "loops around products"
    if symbol.startswith("jit_") or "gemm" in symbol or "gebp" in symbol:
        return "products and convolutions"
    if "kernel" in library or "Eigen::" in symbol:
        return "handing work to threads"
    return "the rest"


def again_and_again(whose: str, seconds: float) -> None:
    """Make updates; print between which moments, how many, and the process's id."""
    import jax
    import numpy as np

    from benchmarks import floor
    from redo_dopamine.runners.malloc import keep_freed_memory

    make = {"ours": floor.our_update, "Dopamine's": floor.dopamines_update}[whose]
    if whose == "ours":
        keep_freed_memory()
    call = make(floor.random_batch(np.random.default_rng(0)))
    for _ in range(50):
        jax.block_until_ready(call())
    start, updates = time.monotonic(), 0
    while time.monotonic() < start + seconds:
        jax.block_until_ready(call())
        updates += 1
    print(start, time.monotonic(), updates, os.getpid())


def profile(whose: str, seconds: float) -> tuple[list[Sample], float, int]:
    """Samples of some updates, the seconds that those took, and their number."""
    with tempfile.TemporaryDirectory() as directory:
        data = str(Path(directory) / "perf.data")
        record = f"perf record -q -k CLOCK_MONOTONIC -e cpu-clock -F {HERTZ} -o".split()
        child = [sys.executable, "-m", "benchmarks.update_profile"]
        child += [f"--of={whose}", f"--seconds={seconds}"]
        said = subprocess.run(
            [*record, data, *child],
            env=os.environ | {"ONEDNN_JIT_PROFILE": "2"},  # Names of its functions.
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout.splitlines()[0]
        start, end, updates, pid = map(float, said.split())
        samples = [s for s in _samples(data) if start < s.time < end]
    Path(f"/tmp/perf-{pid:.0f}.map").unlink(missing_ok=True)  # Those names.
    return samples, end - start, int(updates)


def _samples(data: str) -> Iterator[Sample]:
    script = ["perf", "script", "-i", data, "-F", "tid,time,ip,sym,dso"]
    lines = subprocess.run(
        script, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True
    ).stdout
    for line in lines.splitlines():
        thread, moment, _, what = line.split(None, 3)
        symbol, _, library = what.rpartition(" (")
        yield Sample(thread, float(moment.rstrip(":")), symbol, library.rstrip(")"))


def alone(samples: Sequence[Sample]) -> Iterator[Sample]:
    """Those beside which no other thread has one."""
    times = [sample.time for sample in samples]
    for sample in samples:
        first = bisect.bisect_left(times, sample.time - MOMENT)
        last = bisect.bisect_right(times, sample.time + MOMENT)
        if all(other.thread == sample.thread for other in samples[first:last]):
            yield sample


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--of", choices=["ours", "Dopamine's"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.of:
        again_and_again(args.of, args.seconds)
        return
    if shutil.which("perf") is None:
        sys.exit(
            "error: This needs perf, which is not there. Install it (Debian: apt-get "
            "install linux-perf)."
        )
    for whose in ("ours", "Dopamine's"):
        samples, seconds, updates = profile(whose, args.seconds)
        scale = 1e3 / HERTZ / updates
        every = collections.Counter(map(family, samples))
        lonely = collections.Counter(map(family, alone(samples)))
        print(f"\n{whose}: {1e3 * seconds / updates:.1f} ms an update\n")
        print("| ms of a core | all | alone |\n|---|--:|--:|")
        for name, count in [*every.most_common(), ("all", len(samples))]:
            by_itself = lonely.total() if name == "all" else lonely[name]
            print(f"| {name} | {scale * count:.1f} | {scale * by_itself:.1f} |")


if __name__ == "__main__":
    main()
