"""Reads one `metrics.csv`.

In: the path of a long-form, append-only file. Out: a DataFrame in time order with
typed columns, and sentences about whatever had to be left out of it.
"""

import bisect
import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from redo_dopamine.errors import UserError

# The part of a name before its first slash.
_FRACTIONS = {
    "dormant_fraction",
    "dormant_fraction_after",
    "dormant_of_zero_gradient",
    "overlap",
    "overlap_with_history",
    "weight_near_zero_fraction",
    "zero_gradient_dormant_overlap",
    "zero_gradient_fraction",
    "zero_gradient_of_dormant",
    "zero_gradient_overlap",
}
_WHOLE_NAMES = {"train/accuracy", "train_accuracy"}
_COUNTS = {"recycled", "reset_layers"}
_LARGEST_COUNT = 2**53  # Beyond it a float64 skips whole numbers.
_ROUNDING = 1e-5  # A mean of float32 may end just above 1.


def is_fraction(name: str) -> bool:
    """Whether a metric is in [0, 1]."""
    return name in _WHOLE_NAMES or name.partition("/")[0] in _FRACTIONS


def is_possible(name: str, values: np.ndarray) -> np.ndarray:
    """Tells which values a metric can have: NaN is none for a count.

    A fraction of nothing is NaN, and a loss or a return that diverged is infinite.
    """
    if name.partition("/")[0] in _COUNTS:
        return (values >= 0) & (values <= _LARGEST_COUNT) & (values == np.floor(values))
    if is_fraction(name):
        inside = (values >= -_ROUNDING) & (values <= 1 + _ROUNDING)
        return inside | np.isnan(values)
    return np.ones(len(values), bool)


class OutOfOrder(NamedTuple):
    """The rows to leave out.

    Attributes:
        superseded: a resumed run wrote them again, as a mask [rows].
        damaged: no resume explains them, as a mask [rows].
        resumes: how many resumes superseded rows.
    """

    superseded: np.ndarray
    damaged: np.ndarray
    resumes: int


def out_of_order(
    names: np.ndarray, counters: Sequence[np.ndarray], most_resumes: int | None
) -> OutOfOrder:
    """Returns the rows that are out of order.

    Args:
        names: of the metrics, as whole numbers from 0 [rows].
        counters: agent steps first, then others that only grow, each [rows].
        most_resumes: how often the run was resumed; None where that is not known.
    """
    superseded = np.zeros(len(names), bool)
    resumes = 0
    if most_resumes != 0 and _falls(names, counters[0]).any():
        resumes = _supersede(names, counters[0], most_resumes, superseded)
    damaged = np.zeros(len(names), bool)
    for counter in counters:
        rows = np.flatnonzero(~(superseded | damaged))
        fell = _falls(names[rows], counter[rows])
        for name in np.unique(names[rows][fell]):
            of_name = rows[names[rows] == name]
            damaged[of_name] = ~_longest_rise(counter[of_name])
    return OutOfOrder(superseded, damaged, resumes)


def _falls(names: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Tells which rows are below the row of the same name before them."""
    order = np.argsort(names, kind="stable")
    fell = np.zeros(len(names), bool)
    same = names[order[1:]] == names[order[:-1]]
    fell[order[1:]] = same & (steps[order[1:]] < steps[order[:-1]])
    return fell


def _supersede(
    names: np.ndarray, steps: np.ndarray, most: int | None, superseded: np.ndarray
) -> int:
    """Marks what resumed runs wrote again; returns how many resumes there were.

    One pass: of each name the rows that stand are on a stack, and a resume takes
    those beyond its checkpoint off. A row is put on and taken off once.
    """
    number = int(names.max()) + 1
    places = [np.flatnonzero(names == name) for name in range(number)]
    standing: list[list[int]] = [[] for _ in range(number)]  # Steps,
    indices: list[list[int]] = [[] for _ in range(number)]  # and their rows.
    seen = [0] * number  # How many rows of each name came before.
    resumes = 0
    for row, (name, step) in enumerate(
        zip(names.tolist(), steps.tolist(), strict=True)
    ):
        of_name = standing[name]
        if of_name and step < of_name[-1]:
            again = [_next(places[m], seen[m], steps) for m in range(number)]
            # Its own row is the one in question: the one after it has to tell.
            again[name] = _next(places[name], seen[name] + 1, steps)
            if (most is None or resumes < most) and _is_resume(standing, again, step):
                resumes += 1
                for m in range(number):
                    # At the checkpoint's own step only what is written again goes.
                    first = _next(places[m], seen[m], steps)
                    kept = bisect.bisect_left(standing[m], step + (first != step))
                    superseded[indices[m][kept:]] = True
                    del standing[m][kept:], indices[m][kept:]
            elif sum(len(x) - bisect.bisect_right(x, step) for x in standing) == 1:
                # One row that is too high, not all others that are too low.
                of_name.pop()
                indices[name].pop()
        if not of_name or step >= of_name[-1]:
            of_name.append(step)
            indices[name].append(row)
        seen[name] += 1
    return resumes


def _next(places: np.ndarray, number: int, steps: np.ndarray) -> int | None:
    """Returns the step of a name's row of that number, from 0; None where none is."""
    return int(steps[places[number]]) if number < len(places) else None


def _is_resume(
    standing: Sequence[Sequence[int]], again: Sequence[int | None], step: int
) -> bool:
    """Whether all names are written again from `step` on.

    Most rows beyond it must lie beyond what the same names are written with next,
    and be more than one: a single row is as likely to be a wrong digit.

    Args:
        standing: the steps of each name so far, in rising order.
        again: the next step of each name; None where it has no more rows.
        step: of that row.
    """
    beyond = rewritten = total = 0
    for steps, following in zip(standing, again, strict=True):
        lost = len(steps) - bisect.bisect_right(steps, step)
        total += lost
        if following is not None:
            beyond += lost
            rewritten += min(lost, len(steps) - bisect.bisect_left(steps, following))
    return total > 1 and 2 * rewritten > beyond


def _longest_rise(steps: np.ndarray) -> np.ndarray:
    """Marks the longest subsequence that never falls, by patience sorting."""
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


COLUMNS = ("iteration", "agent_step", "gradient_step", "name", "value")
_COUNTERS = ["agent_step", "gradient_step", "iteration"]
_LARGEST_COUNTER = 2**53  # Beyond it a float64 skips whole numbers.
_LONGEST_NUMBER = 400  # A float64 written out has 327 characters at most.
_SHOWN = 200
_CUT = "metrics.csv ends inside a line"
_DAMAGE = (_CUT, "metrics.csv has")


def read_metrics(
    path: Path, resumes: int | None = None
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Reads the metrics of a run, finished, killed, resumed or still going.

    Left out, each kind with a note: a last line without its line end (the writer was
    stopped inside it, so its value may be cut short); lines that are not five fields
    with numbers where numbers belong; values that their metric cannot have; rows that
    a resumed run wrote a second time (the later row stands); and rows whose counters
    are out of order although no resume explains it.

    Args:
        path: a file that begins `iteration,agent_step,gradient_step,name,value`.
        resumes: how often the run was resumed, by its `run.json`; None where that is
            not known.

    Returns:
        The metrics, with the columns of the file, and the notes.

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
            "redo_dopamine.train."
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
    possible = _possible(metrics)
    notes += _damage(
        metrics.index[~possible], "row(s) with a value that their metric cannot have"
    )
    metrics = metrics[possible]
    names, _ = pd.factorize(metrics["name"])
    counters = [metrics[column].to_numpy() for column in _COUNTERS]
    found = out_of_order(names, counters, resumes)
    notes += _damage(
        metrics.index[found.damaged],
        "row(s) out of order, which no resume of the run explains",
    )
    if found.resumes:
        notes.append(
            f"The run was resumed from a checkpoint {found.resumes} time(s); "
            f"{int(found.superseded.sum())} row(s) written before and again after "
            "are shown once, as written last."
        )
    kept = metrics[~(found.damaged | found.superseded)]
    return kept.reset_index(drop=True), tuple(notes)


def is_damage(note: str) -> bool:
    """Whether a note of `read_metrics` is about lines that could not be read."""
    return note.startswith(_DAMAGE)


def _damage(lines: Sequence[int] | pd.Index, what: str) -> list[str]:
    """Returns a note that says how many lines are left out, and the first of them."""
    if not len(lines):
        return []
    shown = ", ".join(str(number) for number in lines[:5])
    more = ", …" if len(lines) > 5 else ""
    return [f"metrics.csv has {len(lines)} {what}, left out: line {shown}{more}."]


def _parse(lines: list[str]) -> tuple[pd.DataFrame, list[int]]:
    """Returns the well-formed rows by 1-based file line, and the lines of others."""
    parsed = _parse_whole(lines)
    malformed: list[int] = []
    if parsed is None:
        parsed, malformed = _parse_each(lines)
    counters = parsed[_COUNTERS]
    well_formed = (
        # A count is a whole number; NaN fails this comparison too.
        (counters == counters.round()).all(axis=1)
        & (counters >= 0).all(axis=1)
        & (counters <= _LARGEST_COUNTER).all(axis=1)
        & parsed["name"].isin([x for x in parsed["name"].unique() if _is_name(x)])
    ).astype(bool)
    good = parsed[well_formed].astype({column: "int64" for column in _COUNTERS})
    return good, sorted([*malformed, *parsed.index[~well_formed]])


def _parse_whole(lines: list[str]) -> pd.DataFrame | None:
    """Returns the rows of a file without a malformed line, in a tenth of the time."""
    body = "\n".join(lines)
    commas = len(COLUMNS) - 1
    if not all(lines) or body.count(",") != commas * len(lines) or "\0" in body:
        return None
    try:
        parsed = pd.read_csv(
            io.StringIO(body),
            header=None,
            names=COLUMNS,
            dtype=dict.fromkeys(COLUMNS, "float64") | {"name": str},
            quoting=csv.QUOTE_NONE,
            keep_default_na=False,
            na_values={"value": ["nan"]},
            skip_blank_lines=False,
        )
    except (ValueError, OverflowError):
        return None
    parsed.index = pd.RangeIndex(2, len(parsed) + 2)
    return parsed if len(parsed) == len(lines) else None


def _parse_each(lines: list[str]) -> tuple[pd.DataFrame, list[int]]:
    """Returns the rows with numbers where they belong, and the lines of the others."""
    fields = [(number, line.split(",")) for number, line in enumerate(lines, 2) if line]
    whole = [(number, row) for number, row in fields if len(row) == len(COLUMNS)]
    numbers = pd.Index([number for number, _ in whole], dtype="int64")
    raw = pd.DataFrame([row for _, row in whole], columns=COLUMNS, index=numbers)
    parsed = raw.copy()
    for column in (*_COUNTERS, "value"):
        parsed[column] = _numbers(raw[column])
    readable = parsed["value"].notna() | (raw["value"].str.lower() == "nan")
    good = parsed[readable.astype(bool)]
    return good, sorted({number for number, _ in fields} - set(good.index))


def _numbers(texts: pd.Series) -> pd.Series:
    """Returns numbers, NaN for what is none."""
    # A number of hundreds of digits would become a whole number of Python's.
    short = texts.where(texts.str.len() <= _LONGEST_NUMBER, "")
    return pd.to_numeric(short, errors="coerce").astype("float64")


def _is_name(text: str) -> bool:
    """Whether it is printable text that was decoded whole."""
    return bool(text) and text.isprintable() and "\N{REPLACEMENT CHARACTER}" not in text


def _possible(metrics: pd.DataFrame) -> np.ndarray:
    """Tells which rows have a value that their metric can have."""
    possible = np.ones(len(metrics), bool)
    values = metrics["value"].to_numpy()
    for name, rows in metrics.groupby("name").indices.items():
        possible[rows] = is_possible(str(name), values[rows])
    return possible
