"""What the families share: turns, medians, bars, a process apart.

Imported by `python -m benchmarks` and by every family.
"""

import dataclasses
import gc
import importlib
import logging
import multiprocessing
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, Literal, TypeVar

T = TypeVar("T")
Pair = tuple[float, float]  # What ours and the peer took or made in one round.


@dataclasses.dataclass(frozen=True)
class Bar:
    """A ratio that is to hold, and the rounds it is computed from.

    `ratio` is of the medians over the rounds: `ours / peer` or `peer / ours`.
    """

    name: str
    what: str
    unit: str
    rounds: Sequence[Pair]
    ratio_of: Literal["ours / peer", "peer / ours"]
    direction: Literal[">=", "<="]
    bar: float
    raw: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def ours(self) -> float:
        return statistics.median(ours for ours, _ in self.rounds)

    @property
    def peer(self) -> float:
        return statistics.median(peer for _, peer in self.rounds)

    @property
    def ratio(self) -> float:
        return self._ratio_of(self.ours, self.peer)

    @property
    def passed(self) -> bool:
        return self._holds(self.ratio)

    @property
    def rounds_passed(self) -> int:
        """In how many rounds the bar holds by that round alone."""
        return sum(self._holds(self._ratio_of(*pair)) for pair in self.rounds)

    def _ratio_of(self, ours: float, peer: float) -> float:
        return ours / peer if self.ratio_of == "ours / peer" else peer / ours

    def _holds(self, ratio: float) -> bool:
        return ratio >= self.bar if self.direction == ">=" else ratio <= self.bar

    def as_json(self) -> dict[str, Any]:
        rounds = [{"ours": ours, "peer": peer} for ours, peer in self.rounds]
        names = ("ours", "peer", "ratio", "passed", "rounds_passed")
        figures = {name: getattr(self, name) for name in names}
        return dataclasses.asdict(self) | figures | {"rounds": rounds}


def alternate(
    ours: Callable[[], float], peer: Callable[[], float], rounds: int
) -> list[Pair]:
    """The two in turn: ours, peer, ours, peer, ..."""
    return [(ours(), peer()) for _ in range(rounds)]


def seconds(call: Callable[[], Any], repeats: int = 1) -> float:
    """Seconds per call; waits for what jax has not finished, before and after."""
    import jax

    gc.collect()
    start, result = time.perf_counter(), None
    for _ in range(repeats):
        result = call()
    jax.block_until_ready(result)
    return (time.perf_counter() - start) / repeats


def timed(call: Callable[[], T]) -> tuple[T, float, float]:
    """What a call returns, the seconds it took, and the cores that it used."""
    start, cpu = time.perf_counter(), time.process_time()
    result = call()
    taken = time.perf_counter() - start
    return result, taken, (time.process_time() - cpu) / taken


def apart(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function of a module in a fresh interpreter of its own."""
    with own_process() as pool:
        return pool.submit(function, *args).result()


def apart_together(calls: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Several `(function, *args)`, each in an interpreter of its own, at once."""
    pools = [own_process() for _ in calls]
    try:
        futures = [pool.submit(*call) for pool, call in zip(pools, calls, strict=True)]
        return [future.result() for future in futures]
    finally:
        for pool in pools:
            pool.shutdown()


def own_process() -> ProcessPoolExecutor:
    """A fresh interpreter that does one call after the other and keeps its state.

    It logs nothing: what Dopamine and orbax say is not for the table.
    """
    return ProcessPoolExecutor(
        max_workers=1,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=logging.disable,
        initargs=(logging.ERROR,),
    )


FAMILIES = (
    *("recycle", "overhead", "replay", "checkpoint", "memory"),
    *("end_to_end", "control", "start", "workers"),
)


def run_family(name: str, quick: bool) -> list[dict[str, Any]]:
    """All bars of a family, measured in this process."""
    module = importlib.import_module(f"benchmarks.{name}")
    return [bar.as_json() for bar in module.measure(quick)]


def merged(
    old: dict[str, Any], new: dict[str, Any], order: tuple[str, ...] = FAMILIES
) -> dict[str, Any]:
    """Families measured now, and of the others what was measured before."""
    families = old.get("families", {}) | new
    return {"families": {name: families[name] for name in order if name in families}}
