"""An inspection as files.

What comes in: an `Inspection`, and a directory. What leaves in it: `measured.csv` and
`scores.csv`, one line a number, and `scores.png`.
"""

import csv
import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from redo_dopamine import run_files
from redo_dopamine.collectors import plain_decimal
from redo_dopamine.errors import UserError
from redo_dopamine.inspect.figure import sorted_scores
from redo_dopamine.inspect.measuring import Inspection
from redo_dopamine.report.files import encode, png, write_whole

# No metrics.csv: by that name the report knows a run.
MEASURED, SCORES, PICTURE = "measured.csv", "scores.csv", "scores.png"
_WHERE = ("checkpoint", "agent_step", "gradient_step")


def write(inspection: Inspection, directory: str | Path) -> list[Path]:
    """Write all files; returns their paths.

    Raises:
        UserError: the directory cannot be written.
    """
    folder = Path(directory)
    contents = {
        MEASURED: _table(
            inspection,
            ("name", "value"),
            ((name, plain_decimal(x)) for name, x in inspection.measured.items()),
        ),
        SCORES: _table(
            inspection,
            ("layer", "neuron", "score"),
            (
                (layer, neuron, plain_decimal(score))
                for layer, scores in inspection.scores.items()
                for neuron, score in enumerate(scores)
            ),
        ),
        PICTURE: png(sorted_scores(inspection)),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _check_ours(folder)
        for name, content in contents.items():
            write_whole(folder / name, content)
    except OSError as error:
        raise UserError(
            f"--output must be a directory that can be written, but {str(directory)!r} "
            f"cannot: {error.strerror}. Give another one."
        ) from error
    return [folder / name for name in contents]


def _check_ours(folder: Path) -> None:
    """Files of an earlier inspection are replaced, others by the same names are not."""
    there = [x for x in (MEASURED, SCORES, PICTURE) if os.path.lexists(folder / x)]
    begins = encode(",".join(_WHERE))
    if there and not (
        MEASURED in there and run_files.read_bytes(folder / MEASURED).startswith(begins)
    ):
        raise UserError(
            "--output must be a directory of its own, or of an earlier inspection, but "
            f"{folder} has a {there[0]} that is not of one. Give another one."
        )


def _table(
    inspection: Inspection, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> bytes:
    """CSV whose lines tell where they are from, so that several can be joined."""
    where = (inspection.checkpoint, inspection.agent_step, inspection.gradient_step)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((*_WHERE, *columns))
    writer.writerows((*where, *row) for row in rows)
    return encode(text.getvalue())
