"""Saving and loading a replay buffer: `python -m benchmarks --only=checkpoint`."""

import itertools
import os
import tempfile
import time
from pathlib import Path

from benchmarks import frames
from benchmarks.measuring import Bar, alternate

GAME = "DemonAttack"


def measure(quick: bool) -> list[Bar]:
    size, new, rounds = (5_000, 200, 1) if quick else (100_000, 1_000, 5)
    recorded = list(itertools.islice(frames.play(GAME), size // 5))
    full = [
        frames.fill(make(), itertools.cycle(recorded), size)
        for make in (frames.ours, frames.peer)
    ]
    with tempfile.TemporaryDirectory() as scratch:
        directories = _Directories(Path(scratch))
        # In turn; the last checkpoints are the ones that are loaded.
        saved = {0: "", 1: ""}

        def save(which: int) -> float:
            saved[which] = directories.new()
            return _seconds_to_save(full[which], saved[which], 0)

        def load(which: int) -> float:
            empty = (frames.ours, frames.peer)[which]()
            start = time.perf_counter()
            empty.load(saved[which], 0)
            taken = time.perf_counter() - start
            assert empty.add_count == full[which].add_count
            return taken

        saves = alternate(lambda: save(0), lambda: save(1), rounds)
        loads = alternate(lambda: load(0), lambda: load(1), rounds)
        sizes = [tuple(_megabytes(saved[which]) for which in (0, 1))]
        growth = _growth(full[0], saved[0], recorded[:new], directories, rounds)
    held = f"{size:,} transitions of {GAME}, against Dopamine's `ReplayBuffer`"
    return [
        Bar("checkpoint: save", held, "s", saves, "peer / ours", ">=", 10),
        Bar("checkpoint: load", held, "s", loads, "peer / ours", ">=", 10),
        Bar("checkpoint: size", held, "MB", sizes, "ours / peer", "<=", 1),
        Bar(
            "checkpoint: cost grows with what is new",
            f"the next save after {new:,} new transitions with {size:,} in the buffer, "
            f"against (as peer) our first save of {new:,} in an empty one",
            "ms",
            [(1e3 * a, 1e3 * b) for a, b, _, _ in growth],
            "ours / peer",
            "<=",
            2,
            {"megabytes written": [(a, b) for _, _, a, b in growth]},
        ),
    ]


def _growth(full, directory, new, directories, rounds):
    """Per round: seconds of the two saves, and megabytes that each has written."""
    turns = []
    for iteration in range(1, rounds + 1):
        frames.fill(full, new, len(new))
        small = frames.fill(frames.ours(), new, len(new))
        before = _megabytes(directory)
        later = _seconds_to_save(full, directory, iteration)
        grown = _megabytes(directory) - before
        other = directories.new()
        first = _seconds_to_save(small, other, 0)
        turns.append((later, first, grown, _megabytes(other)))
    return turns


def _seconds_to_save(replay, directory, iteration):
    start = time.perf_counter()
    replay.save(directory, iteration)
    return time.perf_counter() - start


class _Directories:
    def __init__(self, root: Path):
        self._root = root
        self._count = 0

    def new(self) -> str:
        os.sync()  # What others have written is not this one's to wait for.
        self._count += 1
        path = self._root / str(self._count)
        path.mkdir()
        return str(path)


def _megabytes(directory: str) -> float:
    files = (path for path in Path(directory).rglob("*") if path.is_file())
    inodes = {(stat := path.stat()).st_ino: stat.st_size for path in files}
    return sum(inodes.values()) / 1e6
