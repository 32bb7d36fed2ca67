"""Human-normalised scores: 0 is a random player's return, 1 a human's.

In: a game and a return. Out: a float, NaN where the game's two scores are not known.
The scores are package data, of 57 games. VideoPinball's random score differs between
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


def is_known(game: str) -> bool:
    """Whether a game has a human and a random score."""
    return game in _table()


def games() -> list[str]:
    """Returns the games that have both scores."""
    return list(_table())


def ends(game: str) -> tuple[float, float]:
    """Returns a random player's return and a human's."""
    scores = _table()[game]
    return scores["random"], scores["human"]


def normalise(game: str, value: float) -> float:
    """Returns `(value - random) / (human - random)`, NaN for an unknown game."""
    if not is_known(game):
        return float("nan")
    scores = _table()[game]
    return (value - scores["random"]) / (scores["human"] - scores["random"])
