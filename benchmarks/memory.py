"""Memory that a replay buffer takes: `python -m benchmarks --only=memory`.

One process per buffer and game; both get the same transitions.
"""

import gc
import os
from pathlib import Path

from benchmarks import frames
from benchmarks.measuring import Bar, apart_together

GAMES = ("Pong", "Breakout", "DemonAttack", "YarsRevenge")


def measure(quick: bool) -> list[Bar]:
    size = 500 if quick else 20_000
    bars = []
    for game in GAMES[:1] if quick else GAMES:
        calls = [(grown, kind, game, size) for kind in ("ours", "peer")]
        ours, peer = apart_together(calls)
        bars.append(
            Bar(
                f"memory: {game}",
                f"a buffer of {size:,} transitions, scaled to a million, against "
                "Dopamine's `ReplayBuffer`",
                "GB",
                [(1e6 * ours / size / 1e9, 1e6 * peer / size / 1e9)],
                "ours / peer",
                "<=",
                1,
            )
        )
    return bars


def grown(kind: str, game: str, size: int) -> int:
    """Bytes by which this process grows as it fills a buffer."""
    transitions = frames.play(game)
    make = {"ours": frames.ours, "peer": frames.peer}[kind]
    # What Python, the emulator and OpenCV take once is not the buffer's.
    frames.fill(make(capacity=200), transitions, 400)
    before = _resident()
    replay = frames.fill(make(), transitions, size)
    after = _resident()
    assert replay.add_count > 0
    return after - before


def _resident() -> int:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
