"""Sampling and adding, against Dopamine's buffer: `python -m benchmarks --only=replay`.

Both buffers hold the same transitions of DemonAttack.
"""

import itertools
import time

from benchmarks import frames
from benchmarks.measuring import Bar, alternate, seconds

GAME = "DemonAttack"


def measure(quick: bool) -> list[Bar]:
    size, repeats, rounds = (1_000, 20, 3) if quick else (20_000, 200, 9)
    recorded = list(itertools.islice(frames.play(GAME), size))
    sampled = {n: _sample(recorded, n, repeats, rounds) for n in (1, 3)}
    slower = min(sampled, key=lambda n: _sample_bar(sampled[n], n, sampled).ratio)
    adding = alternate(
        lambda: _seconds_per_add(frames.ours(), recorded),
        lambda: _seconds_per_add(frames.peer(), recorded),
        min(rounds, 5),
    )
    return [
        _sample_bar(sampled[slower], slower, sampled),
        Bar(
            "replay: add",
            f"one transition of {GAME} into a buffer that grows to {size:,}, "
            "against Dopamine's `ReplayBuffer`",
            "µs",
            [(1e6 * a, 1e6 * b) for a, b in adding],
            "peer / ours",
            ">=",
            1,
        ),
    ]


def _sample(recorded, update_horizon, repeats, rounds):
    pair = [
        frames.fill(make(update_horizon), recorded, len(recorded))
        for make in (frames.ours, frames.peer)
    ]
    for replay in pair:
        replay.sample()
    turns = alternate(*(lambda r=r: seconds(r.sample, repeats) for r in pair), rounds)
    return [(1e6 * a, 1e6 * b) for a, b in turns]


def _sample_bar(rounds, update_horizon, sampled):
    return Bar(
        "replay: sample",
        f"a batch of 32 from a buffer of {GAME}, n = {update_horizon} (the slower, by "
        "ratio, of n = 1 and n = 3), against Dopamine's `ReplayBuffer`",
        "µs",
        rounds,
        "peer / ours",
        ">=",
        10,
        {f"n = {n}": turns for n, turns in sampled.items()},
    )


def _seconds_per_add(replay, recorded):
    start = time.perf_counter()
    for transition in recorded:
        replay.add(transition)
    return (time.perf_counter() - start) / len(recorded)
