"""Where the time of a replay sample goes: `python -m benchmarks.sample_profile`.

A batch of 32 of our buffer, its parts, and a copy of as many bytes from one place in
memory to another: what no gathering of frames can be faster than by much.
"""

from benchmarks import buffers, frames  # isort: skip  Before Dopamine.

import itertools
import statistics
from collections.abc import Callable

import numpy as np

from benchmarks.measuring import seconds

GAME, SIZE, BATCH_SIZE = "DemonAttack", 20_000, 32
ROUNDS, REPEATS = 9, 300


def microseconds(call: Callable[[], object]) -> float:
    return 1e6 * statistics.median(seconds(call, REPEATS) for _ in range(ROUNDS))


def profile(recorded, update_horizon):
    """Microseconds by part, and the megabytes that a batch's frames have."""
    replay = buffers.fill(buffers.ours(update_horizon), recorded, len(recorded))
    store, records = replay._contents
    rng = np.random.default_rng(0)

    def draw():
        return records.take(rng.integers(len(records), size=BATCH_SIZE))

    # The frames of a state and of the next one, which overlap.
    offsets = np.arange(-3, 1 + update_horizon)
    batches = itertools.cycle(
        [draw()["frame"][:, None] + offsets for _ in range(REPEATS)]
    )
    source = store.gather(next(batches))
    target = np.empty_like(source)
    parts = {
        "sample": replay.sample,
        "draw records": draw,
        "gather frames": lambda: store.gather(next(batches)),
        "copy as many bytes": lambda: np.copyto(target, source),
    }
    found = {name: microseconds(call) for name, call in parts.items()}
    return found, source.nbytes / 1e6


def main():
    recorded = list(itertools.islice(frames.play(GAME), SIZE))
    for update_horizon in (1, 3):
        found, megabytes = profile(recorded, update_horizon)
        print(f"n = {update_horizon}, {megabytes:.2f} MB of frames")
        for part, value in found.items():
            print(f"  {part}: {value:.0f} µs", flush=True)


if __name__ == "__main__":
    main()
