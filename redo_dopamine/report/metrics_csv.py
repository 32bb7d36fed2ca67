"""Reads one `metrics.csv`.

In: the path of a long-form, append-only file. Out: a DataFrame in time order with
typed columns, and sentences about whatever had to be left out of it.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from redo_dopamine.errors import UserError

COLUMNS = ("iteration", "agent_step", "gradient_step", "name", "value")
_COUNTERS = ["iteration", "agent_step", "gradient_step"]
_DAMAGE = ("metrics.csv ends inside a line", "metrics.csv has")


def read_metrics(path: Path) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Reads the metrics of a run, finished, killed, resumed or still going.

    Three things are left out, each with a note: a last line without its line end
    (the writer was stopped inside it, so its value may be cut short), lines that are
    not five fields with numbers where numbers belong, and rows that a resumed run
    wrote a second time (the later row stands).

    Args:
        path: a file that begins `iteration,agent_step,gradient_step,name,value`.

    Returns:
        The metrics, with the columns of the file, and the notes.

    Raises:
        UserError: the first line is something else.
    """
    text = path.read_text(encoding="utf-8", errors="replace")
    header, _, body = text.partition("\n")
    if header != ",".join(COLUMNS):
        seen = repr(header) if text else "an empty file"
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
            f"{_DAMAGE[0]}, as it does when a run is killed; "
            "that last line was left out."
        )
    metrics, malformed = _parse(lines)
    if malformed:
        shown = ", ".join(str(number) for number in malformed[:5])
        more = ", …" if len(malformed) > 5 else ""
        notes.append(
            f"{_DAMAGE[1]} {len(malformed)} malformed line(s), left out: "
            f"line {shown}{more}."
        )
    kept, resumes = _drop_superseded(metrics)
    if resumes:
        notes.append(
            f"The run was resumed from a checkpoint {resumes} time(s); "
            f"{len(metrics) - len(kept)} row(s) written before and again after "
            "are shown once, as written last."
        )
    return kept, tuple(notes)


def is_damage(note: str) -> bool:
    """Whether a note of `read_metrics` is about lines that could not be read."""
    return note.startswith(_DAMAGE)


def _parse(lines: list[str]) -> tuple[pd.DataFrame, list[int]]:
    """Returns the well-formed rows and the 1-based file lines of the others."""
    fields = [(number, line.split(",")) for number, line in enumerate(lines, 2) if line]
    whole = [(number, row) for number, row in fields if len(row) == len(COLUMNS)]
    numbers = pd.Index([number for number, _ in whole], dtype="int64")
    raw = pd.DataFrame([row for _, row in whole], columns=COLUMNS, index=numbers)
    parsed = raw.copy()
    for column in (*_COUNTERS, "value"):
        parsed[column] = pd.to_numeric(raw[column], errors="coerce").astype("float64")
    counters = parsed[_COUNTERS]
    well_formed = (
        # A count is a whole number; NaN fails this comparison too.
        (counters == counters.round()).all(axis=1)
        & np.isfinite(counters).all(axis=1)
        & (parsed["value"].notna() | (raw["value"].str.lower() == "nan"))
        & (raw["name"] != "")
    ).astype(bool)
    good = parsed[well_formed].astype({column: "int64" for column in _COUNTERS})
    malformed = {number for number, _ in fields} - set(good.index)
    return good.reset_index(drop=True), sorted(malformed)


def _drop_superseded(metrics: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Drops what a run wrote after the checkpoint from which it was resumed.

    Within one name, agent steps only grow; where they fall, the run went back to a
    checkpoint, and the rows before that lie beyond it belong to a lost past. Names
    are compared with themselves only, so that a writer may buffer some of them.

    Returns:
        The rows that stand, and how many times the run was resumed.
    """
    resumes = 0
    while True:
        steps = metrics["agent_step"].to_numpy()
        fell = metrics.groupby("name")["agent_step"].diff().to_numpy() < 0
        if not fell.any():
            return metrics.reset_index(drop=True), resumes
        resumes += 1
        here = int(np.argmax(fell))
        names = metrics["name"].to_numpy()
        previous = int(np.flatnonzero(names[:here] == names[here])[-1])
        # The first row of the resumed run: other names may have gone back earlier.
        after = np.arange(len(steps)) > previous
        start = int(np.argmax(after & (steps < steps[previous])))
        again = names[start:][steps[start:] == steps[start]]
        past = np.arange(len(steps)) < start
        lost = (steps > steps[start]) | (
            (steps == steps[start]) & np.isin(names, list(again))
        )
        metrics = metrics[~(past & lost)]
