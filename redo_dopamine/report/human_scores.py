"""What a random player and a human reach in 57 Atari games.

In: the package's table. Out: returns. VideoPinball's random score differs between
published tables: 16256.9 here, 0.0 in some.
"""

import functools
import json
from importlib import resources

NOTE = (
    "VideoPinball's random score differs between published tables: here it is "
    "16256.9, in some 0.0."
)


@functools.cache
def _table() -> dict[str, dict[str, float]]:
    file = resources.files("redo_dopamine.report") / "data/atari_human_random.json"
    return json.loads(file.read_text(encoding="utf-8"))


def games() -> list[str]:
    """Returns the games that have both scores."""
    return list(_table())


def ends(game: str) -> tuple[float, float]:
    """Returns a random player's return and a human's."""
    scores = _table()[game]
    return scores["random"], scores["human"]
