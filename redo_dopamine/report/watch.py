"""Build a report again and again, while its runs are under way."""

import itertools
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from redo_dopamine.rundir import status


def follow(build: Callable[[int], Path], places: Sequence[Path], seconds: int) -> None:
    """Build until no run there is under way any more.

    Args:
        build: the report, whose pages load themselves again after so many seconds.
        places: directories of runs, or of a study.
        seconds: between the end of a report and the beginning of the next.
    """
    idle = 0  # Between two runs of a study there may be none for a moment.
    while idle < 2:
        idle = 0 if any(map(_under_way, places)) else idle + 1
        if not idle:
            print(f"{build(seconds)}, again in {seconds} s", flush=True)
            time.sleep(seconds)
        elif idle < 2:
            time.sleep(min(seconds, 10))


def _under_way(place: Path) -> bool:
    found = itertools.chain([place], *(place.glob(x) for x in ("*", "*/*/*")))
    return any(status.actual_state(x) == status.RUNNING for x in found if x.is_dir())
