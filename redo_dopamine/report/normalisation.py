"""What a score is: a return, on a scale that games have in common.

In: the name that `study.json` has for it, and a study's records. Out: a
`Normalisation`.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from redo_dopamine.report import human_scores, points
from redo_dopamine.report.study_runs import Record


class Ends(NamedTuple):
    """The returns in a game that score 0 and 1."""

    zero: float
    one: float


@dataclasses.dataclass(frozen=True)
class Normalisation:
    """A linear scale for the returns of each game.

    Attributes:
        name: an adjective, such as "human-normalised".
        zero: what scores 0, in words.
        one: what scores 1, in words.
        ends: by game; a game without them has no score.
        lacking: why a game has none, in words.
    """

    name: str
    zero: str
    one: str
    ends: Mapping[str, Ends]
    lacking: str

    @property
    def column(self) -> str:
        """Its column in `scores.csv`."""
        return self.name.replace("-", "_")

    def is_known(self, game: str) -> bool:
        """Whether a game has scores."""
        return game in self.ends

    def normalise(self, game: str, value: float) -> float:
        """Returns `(value - zero) / (one - zero)`, NaN for an unknown game."""
        if game not in self.ends:
            return float("nan")
        zero, one = self.ends[game]
        return (value - zero) / (one - zero)


def human(records: Sequence[Record], metric: str) -> Normalisation:
    """Returns the scale from a random player's return to a human's."""
    del records, metric
    return Normalisation(
        name="human-normalised",
        zero="a random player's return",
        one="a human's",
        ends={game: Ends(*human_scores.ends(game)) for game in human_scores.games()},
        lacking="No human and random score is known",
    )


def best_arm(records: Sequence[Record], metric: str) -> Normalisation:
    """Returns the scale whose 1 is the best arm's mean final return in each game.

    For games that have no human score. The best arm is chosen among these runs, so
    scores of different studies are not to be compared.
    """
    finals: dict[tuple[str, str], list[float]] = {}
    for record in records:
        if record.counts and record.run is not None:
            final = points.final_return(record.run, metric)
            if np.isfinite(final):
                finals.setdefault((record.game, record.arm), []).append(final)
    best: dict[str, float] = {}
    for (game, _), values in finals.items():
        best[game] = max(best.get(game, 0.0), float(np.mean(values)))
    return Normalisation(
        name="best-arm-normalised",
        zero="a return of 0",
        one="the mean return of the game's best arm here",
        ends={game: Ends(0.0, value) for game, value in best.items() if value > 0},
        lacking="No arm has a mean return above 0",
    )


# By the names in `study.json`.
KINDS: Mapping[str, Callable[[Sequence[Record], str], Normalisation]] = {
    "human": human,
    "best arm": best_arm,
}
