"""Build a report again and again, while its runs are under way."""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from redo_dopamine.report import files, runs
from redo_dopamine.rundir import status
from redo_dopamine.studies import spec

# A run imports and compiles before it says that it is running, and then the next one.
_PATIENCE = 120.0  # seconds
_AWAITED = 10  # Seconds between two looks for a first run.


def follow(build: Callable[[int], Path], places: Sequence[Path], seconds: int) -> None:
    """Build until all runs there are done, or none has been under way for two minutes.

    A first run is waited for as long. Pages do not load themselves again after this,
    however it ends.

    Args:
        build: the report, whose pages load themselves again after so many seconds.
        places: directories of runs, or of a study.
        seconds: between the end of a report and the beginning of the next.
    """
    seen, page = time.monotonic(), None
    try:
        while {*itertools.chain(*map(_states, places))} - {status.DONE}:
            if any(state == status.RUNNING for x in places for state in _states(x)):
                seen = time.monotonic()
            elif time.monotonic() - seen > seconds + _PATIENCE:
                return
            pause = seconds
            try:
                page = build(seconds)
                said = str(page)
            except runs.NoRunError as error:
                said = f"There is no run at {error.place} yet"
                pause = min(seconds, _AWAITED)
            print(f"{said}, again in {pause} s", flush=True)
            time.sleep(pause)
    finally:
        if page is not None:
            files.end_reloading(page.parent)


def _states(place: Path) -> Iterator[str | None]:
    """The states of the runs there; None of those that have not begun."""
    there = (place, *place.glob("*"))
    found = [x for x in there if (x / status.NAME).exists()] or [place]
    if (place / spec.NAME).exists():
        study = spec.load(place)
        arms = [arm.name for arm in study.arms]
        keys = itertools.product(arms, study.games, study.seeds)
        found = [place.joinpath(*key) for key in keys]
    return map(status.actual_state, found)
