"""Build a report again and again, while its runs are under way."""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from redo_dopamine.rundir import status
from redo_dopamine.studies import spec

# A run imports and compiles before it says that it is running, and then the next one.
_PATIENCE = 120.0  # seconds


def follow(build: Callable[[int], Path], places: Sequence[Path], seconds: int) -> None:
    """Build until all runs there are done, or none has been under way for two minutes.

    Args:
        build: the report, whose pages load themselves again after so many seconds.
        places: directories of runs, or of a study.
        seconds: between the end of a report and the beginning of the next.
    """
    seen = time.monotonic()
    while {*itertools.chain(*map(_states, places))} - {status.DONE}:
        if any(state == status.RUNNING for x in places for state in _states(x)):
            seen = time.monotonic()
        elif time.monotonic() - seen > seconds + _PATIENCE:
            return
        print(f"{build(seconds)}, again in {seconds} s", flush=True)
        time.sleep(seconds)


def _states(place: Path) -> Iterator[str | None]:
    """The states of the runs there; None of those that have not begun."""
    runs = [x for x in (place, *place.glob("*")) if (x / status.NAME).exists()]
    if (place / spec.NAME).exists():
        study = spec.load(place)
        arms = [arm.name for arm in study.arms]
        keys = itertools.product(arms, study.games, study.seeds)
        runs = [place.joinpath(*key) for key in keys]
    return map(status.actual_state, runs)
