"""Everything that a study's report shows, as numbers."""

import dataclasses
import functools
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from redo_dopamine.report import files, others, runs, statistics, summary
from redo_dopamine.report.others import Others
from redo_dopamine.report.runs import Run
from redo_dopamine.report.statistics import Estimate
from redo_dopamine.report.study import scores
from redo_dopamine.report.study.scores import Judged
from redo_dopamine.report.summary import KEY
from redo_dopamine.studies import spec

_NUM_THRESHOLDS = 101
TAU = 0.1  # Of ReDo in the paper.
ENDS = ("", "_low", "_high")  # Of an estimate, as columns of a file.


@dataclasses.dataclass(frozen=True, eq=False)
class Analysis(Judged):
    """A study in numbers; most are computed when they are first asked for.

    Attributes:
        unexpected_runs: run directories that the study did not ask for.
        other: the same runs by the other kind of return.
    """

    unexpected_runs: list[str]
    other: Judged

    @functools.cached_property
    def runs(self) -> pd.DataFrame:
        """`state`, `reason` and `counts` of each run, beside its `finals`."""
        index = pd.MultiIndex.from_tuples([x.key for x in self.records], names=KEY)
        columns = ["state", "reason", "counts"]
        rows = [[getattr(x, name) for name in columns] for x in self.records]
        return pd.DataFrame(rows, index, columns).join(self.finals.reindex(index))

    def counted(self, arm: str, game: str) -> pd.DataFrame:
        """Return those of `runs` that count, of an arm in a game, by seed."""
        found = self.runs.query("counts and arm == @arm and game == @game")
        return found.droplevel(["arm", "game"])

    def finished(
        self, arm: str | None = None, game: str | None = None, *, counted: bool = False
    ) -> list[Run]:
        """Return finished runs, of an arm and in a game where these are given.

        Those without a score too, unless they have to be `counted`.
        """
        states = ("done",) if counted else ("done", "no score")
        return [
            x.run
            for x in self.records
            if x.run
            and x.state in states
            and arm in (None, x.arm)
            and game in (None, x.game)
        ]

    @functools.cached_property
    def labels(self) -> dict[str, str]:
        """How tables call the arms, by name."""
        return {arm.name: arm.label for arm in self.study.arms}

    @functools.cached_property
    def tau(self) -> float | None:
        """The threshold of dormant fractions that is shown; None without any."""
        return tau_among(self.finished())

    @functools.cached_property
    def thresholds(self) -> np.ndarray:
        """Scores at which performance profiles are read."""
        finals = [matrix.final.ravel() for matrix in self.matrices.values()]
        found = np.concatenate([[0.0], *finals])
        return np.linspace(found.min(), found.max(), _NUM_THRESHOLDS)

    def comparisons(self) -> pd.DataFrame:
        """Return `improvements.csv`: both, the latter in short."""
        _, column = summary.BESIDE[self.metric]
        pair = ["arm", "over"]
        beside = self.other.improvements.set_index(pair)[["probability", "p"]]
        return self.improvements.join(beside.add_prefix(f"{column}_"), on=pair)

    def summary(self) -> pd.DataFrame:
        """Return `summary.csv`: one row per arm, empty where it has no aggregate."""
        beside = f"{summary.BESIDE[self.metric][1]}_iqm"
        rows = []
        for arm in self.labels:
            estimates = dict(self.aggregates.get(arm, {}))
            if arm in self.other.aggregates:
                estimates[beside] = self.other.aggregates[arm]["iqm"]
            matrix = self.matrices.get(arm)
            seeds, games = matrix.final.shape if matrix else (0, 0)
            row = {"arm": arm, "runs": seeds * games, "games": games, "seeds": seeds}
            for name, estimate in estimates.items():
                row |= in_columns(name, estimate)
            rows.append(row)
        names = [name + end for name in (*statistics.METRICS, beside) for end in ENDS]
        columns = ["arm", *names, "runs", "games", "seeds"]
        return pd.DataFrame(rows, columns=columns)

    @property
    def num_counted(self) -> int:
        """How many runs are finished and counted."""
        return sum(record.counts for record in self.records)

    @property
    def notes(self) -> list[str]:
        """What the reader should know before trusting the rest."""
        done = self.runs.loc[self.runs["counts"], "frames"]
        ends = [int(x) for x in done] if self.study.scored else []
        return files.words("study_notes", analysis=self, study=self.study, ends=ends)


def in_columns(name: str, estimate: Estimate) -> dict[str, float]:
    """Return an estimate as columns of a file."""
    return {name + end: float(x) for end, x in zip(ENDS, estimate, strict=True)}


def tau_among(runs: Iterable[Run]) -> float | None:
    """Return 0.1, or the largest threshold that was tracked; None without any."""
    found = summary.taus(*runs)
    return TAU if TAU in found else max(found, default=None)


def analyze(base_dir: Path, repeats: int, beside: Sequence[Others] = ()) -> Analysis:
    """Read a study's runs, and those of others; return all that its report shows."""
    study = spec.load(base_dir)
    found = runs.find_records(base_dir, study)
    metric = scores.metric_of(found, study.judged_by)
    unexpected = runs.unexpected_runs(base_dir, found)
    study, found = others.beside(study, found, metric, beside)
    judge = functools.partial(scores.judge, study, repeats, found)
    other = summary.BESIDE[metric][0]
    ours = vars(judge(metric))
    return Analysis(**ours, unexpected_runs=unexpected, other=judge(other))
