"""Reads one `metrics.csv`.

In: the path of a long-form, append-only file. Out: a DataFrame in time order with
typed columns, and sentences about whatever had to be left out of it.
"""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from redo_dopamine.errors import UserError
from redo_dopamine.report import metric_names
from redo_dopamine.report.resumes import out_of_order

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
        possible[rows] = metric_names.is_possible(str(name), values[rows])
    return possible
