"""Everything that a study's report shows, as numbers.

In: the directory of a study. Out: an `Analysis`; figures and pages read that only.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from redo_dopamine.report.statistics import Estimate
from redo_dopamine.report.study import aggregates, scores
from redo_dopamine.report.study import aggregates as comparisons
from redo_dopamine.report.study import records as study_runs
from redo_dopamine.report.study import scores as human_scores
from redo_dopamine.report.study import scores as normalisation
from redo_dopamine.report.study.aggregates import Comparison
from redo_dopamine.report.study.records import Record
from redo_dopamine.report.study.scores import Matrix, Normalisation
from redo_dopamine.report.study.spec import Arm, Study, load_study

_NUM_THRESHOLDS = 101


@dataclasses.dataclass(frozen=True, eq=False)
class Analysis:
    """A study in numbers.

    Attributes:
        study: what was asked for.
        records: what became of each run.
        unexpected_runs: run directories that the study did not ask for.
        repeats: of the bootstrap.
        metric: the metric that is the score, where the study has one.
        scale: that returns are normalised by.
        scores: as in `scores.csv`; its column `frames` counts the study's unit.
        finals: what each readable run is judged by.
        games: what the aggregates are over; none where the study has no scores.
        matrices: of each arm that has one, by name.
        aggregates: of the final scores, by arm and metric.
        curves: the IQM at each point of a matrix, by arm.
        thresholds: of the performance profiles.
        profiles: by arm.
        improvements: of each series over the first, at the same place of the axis.
        beside: the IQM of the other kind of return, by arm.
        beside_improvements: as `improvements`, of that.
    """

    study: Study
    records: list[Record]
    unexpected_runs: list[str]
    repeats: int
    metric: str
    scale: Normalisation
    scores: pd.DataFrame
    finals: pd.DataFrame
    games: tuple[str, ...]
    matrices: dict[str, Matrix]
    aggregates: dict[str, dict[str, Estimate]]
    curves: dict[str, Estimate]
    thresholds: np.ndarray
    profiles: dict[str, Estimate]
    improvements: list[Comparison]
    beside: dict[str, Estimate]
    beside_improvements: list[Comparison]

    @property
    def notes(self) -> list[str]:
        """What the reader should know before trusting the rest."""
        return _notes(self)

    def summary(self) -> pd.DataFrame:
        """Returns `summary.csv`: one row per arm, empty where it has no aggregate."""
        rows = []
        for arm in self.study.arms:
            row: dict[str, object] = {"arm": arm.name}
            for name in aggregates.METRICS:
                estimate = self.aggregates.get(arm.name, {}).get(name)
                for end, suffix in enumerate(("", "_low", "_high")):
                    value = float("nan") if estimate is None else float(estimate[end])
                    row[name + suffix] = value
            _, column = scores.BESIDE[self.metric]
            beside = self.beside.get(arm.name)
            for end, suffix in enumerate(("", "_low", "_high")):
                value = float("nan") if beside is None else float(beside[end])
                row[f"{column}_iqm{suffix}"] = value
            matrix = self.matrices.get(arm.name)
            row["runs"] = matrix.final.size if matrix else 0
            row["games"] = len(matrix.games) if matrix else 0
            row["seeds"] = len(matrix.seeds) if matrix else 0
            rows.append(row)
        return pd.DataFrame(rows)

    def comparisons(self) -> pd.DataFrame:
        """Returns `improvements.csv`: how likely a run of an arm beats another's."""
        _, column = scores.BESIDE[self.metric]
        return comparisons.table(self.improvements, self.beside_improvements, column)


def analyse(base_dir: Path, repeats: int) -> Analysis:
    """Reads a study's runs and computes all that its report shows."""
    study = load_study(base_dir)
    found = study_runs.find_records(base_dir, study)
    metric = scores.metric_of(found, study.judged_by)
    records, scale, games, matrices = _judged(study, found, metric)
    other, _ = scores.BESIDE[metric]
    beside = _judged(study, found, other)[-1]
    finals = [matrix.final for matrix in matrices.values()]
    thresholds = np.linspace(
        min([0.0, *(float(final.min()) for final in finals)]),
        max([0.0, *(float(final.max()) for final in finals)]),
        _NUM_THRESHOLDS,
    )
    return Analysis(
        study=study,
        records=records,
        unexpected_runs=study_runs.unexpected_runs(base_dir, records),
        repeats=repeats,
        metric=metric,
        scale=scale,
        scores=scores.table(records, metric, scale),
        finals=scores.finals(records, metric, scale),
        games=games,
        matrices=matrices,
        aggregates={
            arm: aggregates.aggregate(matrix.final, repeats)
            for arm, matrix in matrices.items()
        },
        curves={
            arm: aggregates.iqm_curve(matrix.curve, repeats)
            for arm, matrix in matrices.items()
            if matrix.curve.shape[-1]
        },
        thresholds=thresholds,
        profiles={
            arm: aggregates.profile(matrix.final, thresholds, repeats)
            for arm, matrix in matrices.items()
        },
        improvements=comparisons.compare(study, matrices, repeats),
        beside={
            arm: aggregates.aggregate(matrix.final, repeats)["iqm"]
            for arm, matrix in beside.items()
        },
        beside_improvements=comparisons.compare(study, beside, repeats),
    )


def _judged(
    study: Study, found: list[Record], metric: str
) -> tuple[list[Record], Normalisation, tuple[str, ...], dict[str, Matrix]]:
    """Returns records with what they lack, the scale, games and matrices by a metric.

    None of a study without scores.
    """
    records = scores.check(found, metric) if study.scored else found
    scale = normalisation.KINDS[study.score](records, metric)
    games = scores.shared_games(records, scale) if study.scored else ()
    matrices = {}
    for arm in study.arms:
        matrix = scores.matrix(records, arm.name, games, metric, scale)
        if matrix is not None:
            matrices[arm.name] = matrix
    return records, scale, games, matrices


def _notes(analysis: Analysis) -> list[str]:
    study, records = analysis.study, analysis.records
    notes = []
    done = sum(record.counts for record in records)
    if done < len(records):
        notes.append(
            f"{len(records) - done} of {len(records)} runs are not counted; they are "
            "listed below, each with the reason."
        )
    if study.scored:
        notes += _score_notes(analysis)
    if analysis.unexpected_runs:
        notes.append(
            "Run directories that study.json does not name were left alone: "
            f"{', '.join(analysis.unexpected_runs)}."
        )
    return notes


def _score_notes(analysis: Analysis) -> list[str]:
    """Returns what the aggregates are not over, and why."""
    study, records = analysis.study, analysis.records
    notes = []
    unknown = [game for game in study.games if not analysis.scale.is_known(game)]
    if unknown:
        notes.append(
            f"{analysis.scale.lacking} of {', '.join(unknown)}: left out of "
            "all aggregates, kept in the per-game tables and curves."
        )
    lost = set(study.games) - set(unknown) - set(analysis.games)
    if lost and analysis.games:
        names = ", ".join(game for game in study.games if game in lost)
        notes.append(
            "Aggregates are over the games in which every arm that has finished runs "
            f"has one; {names} left out."
        )
    notes += _seed_notes(study.arms, analysis.matrices)
    lengths = analysis.scores.groupby(["arm", "game", "seed"])["frames"].max()
    finished = {record.key for record in records if record.counts}
    ends = [int(frames) for key, frames in lengths.items() if key in finished]
    if ends and not 0.9 * study.length_run <= min(ends) <= max(ends) <= (
        1.1 * study.length_run
    ):
        notes.append(
            f"Finished runs end between {min(ends):,} and {max(ends):,} {study.unit}, "
            f"where study.json says {study.length_run:,}. An iteration may end with an "
            "episode, which makes short runs longer."
        )
    if "VideoPinball" in study.games:
        notes.append(human_scores.NOTE)
    return notes


def _seed_notes(arms: Sequence[Arm], matrices: dict[str, Matrix]) -> list[str]:
    """Returns what became of seeds that not every game has."""
    notes = []
    for arm in arms:
        matrix = matrices.get(arm.name)
        if matrix and matrix.left_out:
            notes.append(
                f"{arm.label}: aggregates are over the seeds that every game has "
                f"({', '.join(matrix.seeds)}); left out: {', '.join(matrix.left_out)}."
            )
    few = [a.label for a in arms if a.name in matrices and _num_seeds(a, matrices) < 2]
    if few:
        notes.append(
            f"Fewer than 2 seeds, so points without intervals: {', '.join(few)}."
        )
    none = [arm.label for arm in arms if arm.name not in matrices]
    if none:
        notes.append(
            "No aggregate, because no seed is finished in every game: "
            f"{', '.join(none)}."
        )
    return notes


def _num_seeds(arm: Arm, matrices: dict[str, Matrix]) -> int:
    return len(matrices[arm.name].seeds)
