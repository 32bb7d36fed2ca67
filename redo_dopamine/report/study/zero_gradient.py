"""Neurons without a gradient beside those that are dormant at τ = 0, layer by layer.

In: an `Analysis` of runs that measured both. Out: DataFrames, as a file and in words.
At another τ the two are not comparable: He, 2026 (arXiv 2603.21173), Theorem 1.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from redo_dopamine.report import html, statistics, summary
from redo_dopamine.report.runs import Run
from redo_dopamine.report.study import tables
from redo_dopamine.report.study.analysis import Analysis

FILE = "zero_gradient.csv"
_NOTE = (
    "Dormant: at τ = 0, the only threshold at which the two sets can be the same. "
    "First and at the end: the mean over the seeds of each run's first and last "
    "measurement. One set: the lowest overlap coefficient of the two sets, of as many "
    "measurements as had both. In time: the overlap coefficient of the neurons without "
    "a gradient with those of the measurement before, its mean and its lowest. A "
    "measurement looks at states of its own, so a neuron that comes back may have been "
    "silent on the states of before alone."
)
_DORMANT, _ZERO = "dormant_fraction", "zero_gradient_fraction"
_ONE_SET, _IN_TIME = "zero_gradient_dormant_overlap", "zero_gradient_overlap"
_ENDS = ("", "_low", "_high")  # Of an estimate, as columns of a file.


class _Layer(NamedTuple):
    """The measurements of a layer, those of each run by themselves, without NaN."""

    dormant: list[np.ndarray]
    zero: list[np.ndarray]
    one_set: list[np.ndarray]
    in_time: list[np.ndarray]


def by_layer(analysis: Analysis) -> pd.DataFrame:
    """Returns `zero_gradient.csv`: one row per arm, data set and layer.

    Empty where no finished run measured both.
    """
    rows = []
    for arm, game in itertools.product(analysis.study.arms, analysis.study.games):
        runs = [
            record.run
            for record in analysis.records
            if record.run is not None
            and record.counts
            and (record.arm, record.game) == (arm.name, game)
        ]
        for name, layer in _layers(runs):
            place = {"arm": arm.name, "game": game, "layer": name}
            rows.append(place | _numbers(layer))
    return pd.DataFrame(rows)


def table(analysis: Analysis) -> pd.DataFrame:
    """Returns the same in words."""
    labels = {arm.name: arm.label for arm in analysis.study.arms}
    rows = [
        {"arm": labels[row["arm"]], **_words(row)}
        for row in by_layer(analysis).to_dict("records")
    ]
    return pd.DataFrame(rows).set_index("arm") if rows else pd.DataFrame()


def section(analysis: Analysis) -> list[str]:
    """Returns that table, what it shows and its file, as HTML; empty without one."""
    found = table(analysis)
    if not len(found):
        return []
    return [
        "<h3>Without a gradient, and dormant at τ = 0</h3>",
        html.table(found, {}),
        html.paragraph(_NOTE),
        html.links([FILE], "As a file"),
    ]


def _layers(runs: Sequence[Run]) -> Iterator[tuple[str, _Layer]]:
    found = [_of_run(run) for run in runs]
    names = dict.fromkeys(name for of_run in found for name in of_run)
    for name in names:
        parts = [of_run[name] for of_run in found if name in of_run]
        yield name, _Layer(*(list(column) for column in zip(*parts, strict=True)))


def _of_run(run: Run) -> dict[str, tuple[np.ndarray, ...]]:
    columns = (
        summary.per_layer(run, _DORMANT, 0.0),
        summary.per_layer(run, _ZERO),
        summary.per_layer(run, _ONE_SET),
        summary.per_layer(run, _IN_TIME),
    )
    both = [name for name in columns[0] if name in columns[1]]
    none = pd.DataFrame({"value": []}, dtype=float)
    values = {
        name: tuple(
            column.get(name, none)["value"].dropna().to_numpy() for column in columns
        )
        for name in both
    }
    return {name: x for name, x in values.items() if len(x[0]) and len(x[1])}


def _numbers(layer: _Layer) -> dict[str, float]:
    row: dict[str, float] = {}
    for name, runs in (("dormant", layer.dormant), ("zero_gradient", layer.zero)):
        row[f"{name}_first"] = float(np.mean([x[0] for x in runs]))
        row |= _estimate(name, [x[-1] for x in runs], lowest=0.0)
    row |= _estimate("growth", [x[-1] - x[0] for x in layer.zero], lowest=-1.0)
    one_set, in_time = np.concatenate(layer.one_set), np.concatenate(layer.in_time)
    return row | {
        "one_set_lowest": one_set.min() if len(one_set) else np.nan,
        "one_set_measurements": len(one_set),
        "in_time": in_time.mean() if len(in_time) else np.nan,
        "in_time_lowest": in_time.min() if len(in_time) else np.nan,
        "in_time_measurements": len(in_time),
        "seeds": len(layer.zero),
    }


def _estimate(name: str, values: Sequence[float], lowest: float) -> dict[str, float]:
    """Returns a mean over runs and its t interval, as columns of a file."""
    found = statistics.t_interval(np.array(values)).clipped(lowest)
    return {name + suffix: float(x) for suffix, x in zip(_ENDS, found, strict=True)}


def _words(row: Mapping[Any, Any]) -> dict[str, object]:
    def shown(name: str) -> str | None:
        value, low, high = (row[name + suffix] for suffix in _ENDS)
        return tables.interval(value, low, high, runs=int(row["seeds"]))

    def overlap(*names: str) -> str | None:
        measurements = row[f"{names[0].removesuffix('_lowest')}_measurements"]
        if not measurements:
            return None
        values = ", ".join(str(html.number(row[name], 2)) for name in names)
        return f"{values} of {measurements:,}"

    return {
        "data set": row["game"],
        "layer": row["layer"],
        "dormant, first": html.number(row["dormant_first"], 3),
        "at the end": shown("dormant"),
        "zero-gradient, first": html.number(row["zero_gradient_first"], 3),
        "zero-gradient, at the end": shown("zero_gradient"),
        "growth": shown("growth"),
        "one set, lowest": overlap("one_set_lowest"),
        "in time, mean, lowest": overlap("in_time", "in_time_lowest"),
    }
