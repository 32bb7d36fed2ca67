"""Reads one `metrics.csv`, and says what had to be left out of it."""

import bisect
import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from redo_dopamine.errors import UserError
from redo_dopamine.rundir.metrics_csv import COLUMNS

_FRACTIONS = re.compile(
    r"train[/_]accuracy"
    r"|(dormant_fraction|dormant_fraction_after|dormant_of_zero_gradient|overlap"
    r"|overlap_with_history|weight_near_zero_fraction|zero_gradient_dormant_overlap"
    r"|zero_gradient_fraction|zero_gradient_of_dormant|zero_gradient_overlap)(/.*)?"
)
_COUNTS = {"recycled", "reset_layers"}
_LARGEST_COUNT = 2**53  # Beyond it a float64 skips whole numbers.
_ROUNDING = 1e-5  # A mean of float32 may end just above 1.
_COUNTERS = ["agent_step", "gradient_step", "iteration"]
_LONGEST_NUMBER = 400  # A float64 written out has 327 characters at most.
_SHOWN = 200
_CUT = "metrics.csv ends inside a line"
_DAMAGE = (_CUT, "metrics.csv has")


def is_fraction(name: str) -> bool:
    """Whether a metric is in [0, 1]."""
    return _FRACTIONS.fullmatch(name) is not None


def is_possible(name: str, values: np.ndarray) -> np.ndarray:
    """Tell which values a metric can have: NaN is none for a count.

    A fraction of nothing is NaN, and a loss or a return that diverged is infinite.
    """
    if name.partition("/")[0] in _COUNTS:
        return _are_counts(values)
    if is_fraction(name):
        inside = (values >= -_ROUNDING) & (values <= 1 + _ROUNDING)
        return inside | np.isnan(values)
    return np.ones(len(values), bool)


def _are_counts(values: Any) -> Any:
    """Tell which values, of an array or a frame, are whole numbers; NaN is none."""
    return (values >= 0) & (values <= _LARGEST_COUNT) & (values == np.floor(values))


def out_of_order(
    names: np.ndarray, counters: Sequence[np.ndarray], most_resumes: int | None
) -> tuple[np.ndarray, np.ndarray, int]:
    """Mark rows that a resumed run wrote again, and those that no resume explains.

    And count the resumes that superseded rows.

    Args:
        names: of the metrics, as whole numbers from 0 [rows].
        counters: agent steps first, then others that only grow, each [rows].
        most_resumes: how often the run was resumed; None where that is not known.
    """
    superseded, damaged = np.zeros((2, len(names)), bool)
    resumes = 0
    if most_resumes != 0 and _falls(names, counters[0]).any():
        resumes = _supersede(names, counters[0], most_resumes, superseded)
    for counter in counters:
        rows = np.flatnonzero(~(superseded | damaged))
        fell = _falls(names[rows], counter[rows])
        for name in np.unique(names[rows][fell]):
            of_name = rows[names[rows] == name]
            damaged[of_name] = ~_longest_rise(counter[of_name])
    return superseded, damaged, resumes


def _falls(names: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Tell which rows are below the row of the same name before them."""
    return (pd.Series(steps).groupby(names).diff() < 0).to_numpy()


def _supersede(
    names: np.ndarray, steps: np.ndarray, most: int | None, superseded: np.ndarray
) -> int:
    """Mark what resumed runs wrote again; return how many resumes there were.

    One pass: of each name the rows that stand are on a stack, and a resume takes
    those beyond its checkpoint off. A row is put on and taken off once.
    """
    step_of = steps.tolist().__getitem__
    places = [np.flatnonzero(names == x).tolist() for x in range(names.max() + 1)]
    standing: list[list[int]] = [[] for _ in places]

    def first(rows: list[int], step: int) -> int:
        return bisect.bisect_left(rows, step, key=step_of)

    def coming(row: int) -> list[list[int]]:
        """Return the step of each name's next row, from this one on, if any."""
        nexts = [(x, bisect.bisect_left(x, row)) for x in places]
        return [[step_of(y) for y in x[place : place + 1]] for x, place in nexts]

    resumes = 0
    for row, name in enumerate(names.tolist()):
        rows, step = standing[name], step_of(row)
        if rows and step < step_of(rows[-1]):
            lost = [len(x) - first(x, step + 1) for x in standing]
            # The row itself is in question: those after it have to tell.
            after = zip(standing, lost, coming(row + 1), strict=True)
            again = [(n, min(n, len(x) - first(x, *y))) for x, n, y in after if y]
            if most != resumes and _is_resume(sum(lost), again):
                resumes += 1
                for x, now in zip(standing, coming(row), strict=True):
                    # At the checkpoint's own step only what is written again goes.
                    kept = first(x, step + (step not in now))
                    superseded[x[kept:]] = True
                    del x[kept:]
            elif sum(lost) == 1:
                rows.pop()  # One row that is too high, not all others too low.
        if not rows or step >= step_of(rows[-1]):
            rows.append(row)
    return resumes


def _is_resume(total: int, again: Sequence[tuple[int, int]]) -> bool:
    """Whether most rows beyond a step, of names that go on, are written again.

    And there is more than one: a single row is as likely to be a wrong digit. `again`
    counts the rows of each such name beyond it, and those of them that are rewritten.
    """
    beyond, rewritten = np.sum(again, axis=0) if again else (0, 0)
    return bool(total > 1 and 2 * rewritten > beyond)


def _longest_rise(steps: np.ndarray) -> np.ndarray:
    """Mark the longest subsequence that never falls, by patience sorting."""
    tails: list[int] = []
    at_tail: list[int] = []
    before = np.full(len(steps), -1)
    for row, step in enumerate(steps.tolist()):
        pile = bisect.bisect_right(tails, step)
        before[row] = at_tail[pile - 1] if pile else -1
        tails[pile : pile + 1] = [step]
        at_tail[pile : pile + 1] = [row]
    kept = np.zeros(len(steps), bool)
    row = at_tail[-1] if at_tail else -1
    while row >= 0:
        kept[row] = True
        row = int(before[row])
    return kept


def read_metrics(
    path: Path, resumes: int | None = None
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Read the metrics of a run, finished, killed, resumed or still going; and notes.

    Left out, each kind with a note: a last line without its line end (the writer was
    stopped inside it, so its value may be cut short); lines that are not five fields
    with numbers where numbers belong; values that their metric cannot have; rows that
    a resumed run wrote a second time (the later row stands); and rows whose counters
    are out of order although no resume explains it.

    Args:
        path: of the file.
        resumes: how many `run.json` has; None where it does not say.

    Raises:
        UserError: the first line is something else.
    """
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    header, _, body = text.partition("\n")
    if header != ",".join(COLUMNS):
        seen = repr(header[:_SHOWN]) if text else "an empty file"
        raise UserError(
            f"metrics.csv must start with the line {','.join(COLUMNS)!r}; {path} has "
            f"{seen}. Remove or rename that file, or write it again with "
            "'redo-dopamine train'."
        )
    notes = []
    lines = body.split("\n")
    # What follows the last line end: empty in a file that was written to its end.
    if lines.pop():
        notes.append(
            f"{_CUT}, as it does when a run is killed; that last line was left out."
        )
    metrics, malformed = _parse(lines)
    notes += _damage(malformed, "malformed line(s)")
    by_name = metrics.groupby("name")["value"]
    possible = by_name.transform(lambda x: is_possible(str(x.name), x)).astype(bool)
    what = "row(s) with a value that their metric cannot have"
    notes += _damage(metrics.index[~possible], what)
    metrics = metrics[possible]
    names, _ = pd.factorize(metrics["name"])
    counters = [metrics[column].to_numpy() for column in _COUNTERS]
    superseded, damaged, found = out_of_order(names, counters, resumes)
    what = "row(s) out of order, which no resume of the run explains"
    notes += _damage(metrics.index[damaged], what)
    if found:
        notes.append(
            f"The run was resumed from a checkpoint {found} time(s); "
            f"{int(superseded.sum())} row(s) written before and again after "
            "are shown once, as written last."
        )
    return metrics[~(damaged | superseded)].reset_index(drop=True), tuple(notes)


def is_damage(note: str) -> bool:
    """Whether a note of `read_metrics` is about lines that could not be read."""
    return note.startswith(_DAMAGE)


def _damage(lines: Sequence[int] | pd.Index, what: str) -> list[str]:
    """Return a note that says how many lines are left out, and the first of them."""
    if not len(lines):
        return []
    shown = ", ".join(str(number) for number in lines[:5])
    more = ", …" if len(lines) > 5 else ""
    return [f"metrics.csv has {len(lines)} {what}, left out: line {shown}{more}."]


def _parse(lines: list[str]) -> tuple[pd.DataFrame, list[int]]:
    """Return the well-formed rows by 1-based file line, and the lines of others."""
    commas = len(COLUMNS) - 1
    whole = [line.count(",") == commas and "\0" not in line for line in lines]
    numbers = np.flatnonzero(whole)
    raw = pd.read_csv(
        io.StringIO("\n".join(lines[row] for row in numbers)),
        header=None,
        names=COLUMNS,
        dtype=str,
        quoting=csv.QUOTE_NONE,
        keep_default_na=False,
    )
    raw.index = pd.Index(numbers + 2)
    parsed = raw.assign(**{x: _numbers(raw[x]) for x in (*_COUNTERS, "value")})
    counters = parsed[_COUNTERS]
    well_formed = (
        _are_counts(counters).all(axis=1)
        & (parsed["value"].notna() | (raw["value"].str.lower() == "nan"))
        & parsed["name"].isin([x for x in parsed["name"].unique() if _is_name(x)])
    ).astype(bool)
    good = parsed[well_formed].astype({column: "int64" for column in _COUNTERS})
    empty = {number for number, line in enumerate(lines, 2) if not line}
    return good, sorted({*range(2, len(lines) + 2)} - {*good.index} - empty)


def _is_name(text: str) -> bool:
    """Whether it is printable text that was decoded whole."""
    return bool(text) and text.isprintable() and "\N{REPLACEMENT CHARACTER}" not in text


def _numbers(texts: pd.Series) -> pd.Series:
    """Return numbers, NaN for what is none."""
    # A number of hundreds of digits would become a whole number of Python's.
    short = texts.where(texts.str.len() <= _LONGEST_NUMBER, "")
    return pd.to_numeric(short, errors="coerce").astype("float64")
