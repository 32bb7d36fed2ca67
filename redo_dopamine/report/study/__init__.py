"""The report of a study: its pages, and the files beside them."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from redo_dopamine.report import files, others, statistics
from redo_dopamine.report.others import Others
from redo_dopamine.report.study import curves, figures, tables
from redo_dopamine.report.study.analysis import Analysis, analyze

EPOCHS = "epochs.csv"
# Of a study with scores: its table, summary, comparisons and ends; of another, besides
# its epochs: its layers and its neurons without a gradient.
TABLES = (
    *("scores.csv", "summary.csv", "improvements.csv", "ends.csv"),
    *(EPOCHS, "layers.csv", "zero_gradient.csv"),
)


def write_study(
    base_dir: Path,
    repeats: int,
    output: Path,
    beside: Sequence[Others] = (),
    reload_every: int = 0,
) -> Path:
    """Write the report of a study, over an earlier one if there; return its page.

    `index.html` and, of a study with scores, `games.html` open without a network;
    every figure is there as PNG and SVG, every table as CSV.

    Raises:
        UserError: `study.json` is not readable, or the report cannot be written.
    """
    analysis = analyze(base_dir, repeats, beside)
    study = analysis.study
    shown, games = figures.of_study(study), figures.GAMES if study.scored else ()
    contents = files.drawn((*shown, *games), analysis)
    notes = [*analysis.notes, *others.left_out(study, beside)]
    if study.scored or not any(contents.values()):
        notes += files.words("figure_notes", figures=shown, images=contents)
    pages = [("index.html", "study.html", shown), ("games.html", "games.html", games)]
    for name, template, rows in pages[: 1 + study.scored]:
        contents[name] = files.render(
            template,
            analysis=analysis,
            study=study,
            notes=notes,
            figures=rows,
            images=contents,
            tables=tables,
            statistics=statistics,
            reload_every=reload_every,
        )
    for name, table in _files(analysis).items():
        contents[name] = table.to_csv(index=False, lineterminator="\n")
    return files.write(output, contents, "study")


def _files(analysis: Analysis) -> dict[str, pd.DataFrame]:
    """Return the CSV files by name."""
    if analysis.study.scored:
        return {
            "scores.csv": analysis.table.rename(
                columns={"frames": analysis.study.unit}
            ),
            "summary.csv": analysis.summary(),
            "improvements.csv": analysis.comparisons(),
            "ends.csv": curves.by_step(analysis),
        }
    found = {EPOCHS: curves.table(analysis), "summary.csv": curves.of_epochs(analysis)}
    layers, silent = curves.by_layer(analysis), curves.zero_gradient(analysis)
    optional = {"layers.csv": layers, "zero_gradient.csv": silent}
    return found | {name: table for name, table in optional.items() if len(table)}
