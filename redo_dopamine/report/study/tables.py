"""The tables of a study's pages, in words: runs, scores, ends, the paper's numbers."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from redo_dopamine.report import files, statistics, summary
from redo_dopamine.report.files import Table, format_number
from redo_dopamine.report.study import curves, figures
from redo_dopamine.report.study.analysis import ENDS, Analysis
from redo_dopamine.report.study.curves import DORMANT, ZERO_GRADIENT
from redo_dopamine.report.summary import BESIDE, EVALUATION, TRAINING
from redo_dopamine.studies.spec import StudySpec
from redo_dopamine.studies.study import PaperPoint

DIGITS = ",.3f"  # Of a number, where nothing else is known of it.
_NAMES = files.data("names.toml")
_METRICS = _NAMES["metrics"]
# What the other kind of return is called, by the metric that is the score.
_BY = {TRAINING: "evaluation", EVALUATION: "training"}


def of_rows(rows: Sequence[dict[str, object]], label: str) -> Table:
    """Return a table of text, of which one column labels the rows."""
    frame = pd.DataFrame(rows, dtype=object)
    frame = frame.where(frame.notna(), None)
    return Table(frame.set_index(label) if rows else frame)


def shown(
    ends: Iterable[Any], runs: int | None = None, digits: str = DIGITS
) -> str | None:
    """Return `0.41 [0.36, 0.46]`, or the number alone where it has no interval.

    Without one, its ends are None or NaN. How many runs it is of is said where they are
    few.
    """
    value, low, high = (np.nan if end is None else float(end) for end in ends)
    if math.isnan(value):
        return None
    text = f"{value:{digits}}"
    if not (math.isnan(low) or math.isnan(high)):
        text += f" [{low:{digits}}, {high:{digits}}]"
    few = runs is not None and runs < statistics.FEW_RUNS
    return f"{text} (n = {runs})" if few else text


def in_words(
    analysis: Analysis, found: pd.DataFrame, columns: Mapping[str, Sequence[str]]
) -> Table:
    """Return numbers with their intervals in words, a row per row.

    `columns` names, by heading, a column and the digits of an estimate, whose interval
    is in two more; without digits it is shown as it is. `arm` and `seeds` are columns
    besides.
    """
    rows = []
    for x in found.to_dict("records"):
        row: dict[str, object] = {"arm": analysis.labels[x["arm"]]}
        for heading, (name, digits) in columns.items():
            ends = (x.get(name + end) for end in ENDS)
            seeds = int(x["seeds"]) or None
            row[heading] = shown(ends, seeds, digits) if digits else x[name]
        rows.append(row)
    return of_rows(rows, "arm")


def scores(analysis: Analysis) -> Table:
    """Return the aggregates, one row per arm."""
    arms, paper = analysis.study.arms, {x.arm: x for x in analysis.study.paper}
    columns = {heading: (name, DIGITS) for name, heading in figures.NAMES.items()}
    if analysis.other.aggregates:
        _, column = BESIDE[analysis.metric]
        columns[f"IQM by {_BY[analysis.metric]}"] = f"{column}_iqm", DIGITS
    frame = in_words(analysis, analysis.summary(), columns).frame
    if paper:
        told = [paper.get(arm.name) for arm in arms]
        frame["IQM in the paper"] = [x and shown((x.iqm, x.low, x.high)) for x in told]
    matrices = [analysis.matrices.get(arm.name) for arm in arms]
    frame["runs (games × seeds)"] = [
        x and f"{x.final.size} ({len(x.games)} × {len(x.seeds)})" for x in matrices
    ]
    return Table(frame)


def comparisons(analysis: Analysis) -> Table:
    """Return what the tests say of each series over the first of its group."""
    labels, by, rows = analysis.labels, _BY[analysis.metric], []
    found = analysis.other.improvements.to_dict("records")
    beside = {(x["arm"], x["over"]): x for x in found}
    for x in analysis.improvements.to_dict("records"):
        few = min(x["runs"], x["over_runs"])
        row: dict[str, object] = {
            "": f"{labels[x['arm']]} > {labels[x['over']]}",
            "P(X > Y)": shown((x["probability"], x["low"], x["high"]), few),
            "p": f"{x['p']:.3f}",
            "difference": shown((x[f"difference{end}"] for end in ENDS), few),
        }
        if y := beside.get((x["arm"], x["over"])):
            few = min(y["runs"], y["over_runs"])
            ends = (y["probability"], y["low"], y["high"])
            row |= {
                f"P(X > Y) by {by}": shown(ends, few),
                f"p by {by}": f"{y['p']:.3f}",
            }
        rows.append(row)
    return of_rows(rows, "")


def states(analysis: Analysis) -> Table:
    """Return how many runs of each arm are in which state."""
    found = analysis.runs["state"]
    names = list(dict.fromkeys(["done", *found]))
    counts = pd.crosstab(found.index.get_level_values("arm"), found.to_numpy())
    counts = counts.reindex(list(analysis.labels)).reindex(columns=names, fill_value=0)
    counts.index = pd.Index(analysis.labels.values(), name="arm")
    return Table(counts, dict.fromkeys(names, 0))


def problems(analysis: Analysis) -> Table:
    """Return every run that does not count, with its state and the reason."""
    return Table(_by_run(analysis).query("not counts")[["arm", "state", "reason"]])


def every_run(analysis: Analysis) -> Table:
    """Return one row per run of the study, counted or not."""
    tau, scale = analysis.tau, analysis.scale
    last = summary.final_dormant_fraction
    dormant = [last(x.run, tau) if x.run else np.nan for x in analysis.records]
    found = _by_run(analysis).assign(dormant=dormant)
    columns: dict[str, Sequence[Any]] = {
        "state": ["state"],
        "frames": (analysis.study.unit, 0),
        "return": ("return", 1),
        scale.column: (scale.name, 3),
        "dormant": ("dormant" if tau is None else f"dormant at τ = {tau:g}", 3),
    }
    return Table.of(found, columns)


def _by_run(analysis: Analysis) -> pd.DataFrame:
    """Return the runs as `arm/game/seed`, with the labels of their arms."""
    labels = analysis.runs.index.get_level_values("arm").map(analysis.labels)
    names = pd.Index(["/".join(key) for key in analysis.runs.index], name="run")
    return analysis.runs.assign(arm=labels).set_axis(names)


def by_game(analysis: Analysis, column: str, digits: int) -> Table:
    """Return a column of the final scores: a row per game, and a column per arm."""

    def cell(found: pd.Series) -> str:
        values = found.to_numpy()
        text = format_number(float(np.mean(values)), digits)
        if len(values) > 1:
            text += f" ± {format_number(float(np.std(values, ddof=1)), digits)}"
        return f"{text} (n = {len(values)})"

    found = analysis.runs.loc[analysis.runs["counts"], column].astype(float)
    found = found[np.isfinite(found)]
    cells = found.groupby(["game", "arm"]).agg(cell).unstack("arm")
    cells = cells.reindex(analysis.study.games).reindex(columns=list(analysis.labels))
    cells = cells.astype(object).where(cells.notna(), None)
    return Table(cells.rename(columns=analysis.labels).rename_axis("game"))


def where_arms_ended(analysis: Analysis) -> Table:
    """Return `ends.csv`: a row per arm, game and step, a column per metric."""
    words = ("dormant", "just after an intervention,")
    names = [f"{x} at τ = {analysis.tau:g}" for x in words if analysis.tau is not None]
    fractions = zip(curves.measured(analysis.tau), names, strict=False)
    metrics = _METRICS | {metric: (name, DIGITS) for metric, name in fractions}
    rows: dict[tuple[str, str, int], dict[str, object]] = {}
    for x in curves.by_step(analysis).itertuples():
        start = {
            "arm": analysis.labels[x.arm],
            "game": x.game,
            "gradient steps": f"{x.gradient_step:,}",
        }
        row = rows.setdefault((x.arm, x.game, x.gradient_step), start)
        heading, digits = metrics[x.metric]
        row[heading] = shown((x.mean, x.low, x.high), x.runs, digits)
    return of_rows(list(rows.values()), "arm")


def beside_the_paper(analysis: Analysis) -> Table:
    """Return one row per point of the paper."""
    study = analysis.study
    rows = []
    for point in study.paper_curve:
        row: dict[str, object] = {
            "arm": analysis.labels[point.arm],
            "when": _when(study, point),
            f"the paper, {point.game}" if point.game else "the paper": format_number(
                point.percent / 100, 2
            ),
            "its τ": "not known" if point.tau is None else f"{point.tau:g}",
        }
        for game in study.games:
            found = curves.beside(analysis, point, game)
            row[f"here, {game}{curves.at_tau(analysis)}"] = found and shown(*found)
        rows.append(row)
    return of_rows(rows, "arm")


def _when(study: StudySpec, point: PaperPoint) -> str:
    first, last = curves.stretch(study, point)
    if point.first == point.last:
        return f"epoch {first:,}"
    return f"peak, epoch {first:,}" + (f" to {last:,}" if last > first else "")


def last_epoch(analysis: Analysis) -> Table:
    """Return the last epoch's metrics, one row per arm and data set.

    A metric that no run has is left out.
    """
    found = curves.of_epochs(analysis)
    columns = {"data set": ("game", "")}
    columns |= _columns(analysis, [x for x in curves.BY_EPOCH if x in found])
    columns["seeds"] = "seeds", ""
    frame = in_words(analysis, found, columns).frame
    return Table(frame.dropna(axis="columns", how="all"))


def layers(analysis: Analysis) -> Table:
    """Return the last fractions of neurons, one row per arm, data set and layer."""
    columns = {"data set": ("game", ""), "layer": ("layer", "")}
    columns |= _columns(analysis, (DORMANT, ZERO_GRADIENT))
    return in_words(analysis, curves.by_layer(analysis), columns)


def _columns(analysis: Analysis, names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return metrics by their headings, with their digits."""
    return {
        curves.named(analysis, x, _METRICS[x][0]): (x, _METRICS[x][1]) for x in names
    }


def zero_gradient(analysis: Analysis) -> Table:
    """Return neurons without a gradient beside those dormant at 0, by layer."""
    rows = []
    for x in curves.zero_gradient(analysis).to_dict("records"):
        first = {y: format_number(x[y], 3) for y in x if y.endswith("first")}
        one_set = _overlap([x["one_set_lowest"]], x["one_set_measurements"])
        in_time = [x["in_time"], x["in_time_lowest"]]
        over_time = _overlap(in_time, x["in_time_measurements"])
        rows.append(x | first | {"one_set": one_set, "in_time": over_time})
    return in_words(analysis, pd.DataFrame(rows), _NAMES["zero_gradient"])


def _overlap(values: Sequence[float], measurements: int) -> str | None:
    text = ", ".join(format_number(value, 2) for value in values)
    return f"{text} of {measurements:,}" if measurements else None
