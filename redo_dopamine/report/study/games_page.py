"""The page of a study's games: a table by game and arm, curves, and every run.

In: an `Analysis`, and figures as PNG. Out: HTML.
"""

import math

import numpy as np
import pandas as pd

from redo_dopamine.report import files, html, summary
from redo_dopamine.report.study import curves, game_curves, sections
from redo_dopamine.report.study import ends as study_ends
from redo_dopamine.report.study.analysis import Analysis


def render(analysis: Analysis, images: dict[str, bytes]) -> str:
    """Returns the page as HTML."""
    study, scale = analysis.study, analysis.scale
    parts = [
        f"<header><h1>{html.text(f'Study {study.name}: games')}</h1>",
        html.links(["index.html"], "The study's page"),
        "</header><main>",
    ]
    if study.warning:
        parts.append(html.paragraph(f"{study.warning}.", "warning"))
    parts += [
        "<h2>Return by game</h2>",
        html.table(_by_game(analysis, "return"), {}),
        html.paragraph(
            "The return by which finished runs are judged: mean ± standard deviation "
            "over n seeds."
        ),
        f"<h2>{scale.name.capitalize()} score by game</h2>",
        html.table(_by_game(analysis, scale.column), {}),
        html.paragraph(
            f"Likewise; 0 is {scale.zero}, 1 {scale.one}. A dash: no finished run, or "
            "a game without scores."
        ),
    ]
    ends = study_ends.table(analysis)
    if len(ends):
        parts += ["<h2>Where each arm ended</h2>", html.table(ends, {})]
        parts.append(html.paragraph(study_ends.METHOD))
        parts.append(html.links([study_ends.ENDS], "As a file"))
    for curve in game_curves.CURVES:
        if curve.slug in images:
            parts.append(f"<h2>{html.text(curve.title)}</h2>")
            uri, alt = (
                files.data_uri(images[curve.slug]),
                f"{study.name}: {curve.title}",
            )
            text = sections.caption(analysis, f"{curve.caption} {game_curves.LOOK}")
            parts.append(html.figure(uri, alt, text))
            names = [f"{curve.slug}.png", f"{curve.slug}.svg"]
            parts.append(html.links(names, "As files"))
    parts += ["<h2>Every run</h2>", html.table(*_every_run(analysis)), "</main>"]
    return html.page(f"Study {study.name}: games", "\n".join(parts))


def _by_game(analysis: Analysis, column: str) -> pd.DataFrame:
    study = analysis.study
    final = analysis.finals
    counted = {record.key for record in analysis.records if record.counts}
    cells: dict[tuple[str, str], list[float]] = {}
    for key, value in final[column].items():
        if key in counted and math.isfinite(value):
            cells.setdefault((key[1], key[0]), []).append(value)
    digits = 1 if column == "return" else 3
    rows = [
        [_cell(cells.get((game, arm.name), []), digits) for arm in study.arms]
        for game in study.games
    ]
    labels = [arm.label for arm in study.arms]
    return pd.DataFrame(rows, index=pd.Index(study.games, name="game"), columns=labels)


def _cell(values: list[float], digits: int) -> str | None:
    if not values:
        return None
    mean = html.number(float(np.mean(values)), digits)
    if len(values) == 1:
        return f"{mean} (n = 1)"
    deviation = html.number(float(np.std(values, ddof=1)), digits)
    return f"{mean} ± {deviation} (n = {len(values)})"


def _every_run(analysis: Analysis) -> tuple[pd.DataFrame, dict[str, int]]:
    """Returns one row per run of the study, counted or not, and the decimals."""
    tau = curves.tau_of(analysis)
    final, unit, scale = analysis.finals, analysis.study.unit, analysis.scale
    rows = []
    for record in analysis.records:
        here = record.key in final.index
        nan = float("nan")
        dormant = nan
        if tau is not None and record.run is not None:
            dormant = summary.final_dormant_fraction(record.run, tau)
        rows.append(
            {
                "run": "/".join(record.key),
                "state": record.state,
                unit: final["frames"][record.key] if here else nan,
                "return": final["return"][record.key] if here else nan,
                scale.name: final[scale.column][record.key] if here else nan,
                "dormant": dormant,
            }
        )
    heading = "dormant" if tau is None else f"dormant at τ = {tau:g}"
    table = pd.DataFrame(rows).set_index("run").rename(columns={"dormant": heading})
    return table, {unit: 0, "return": 1, scale.name: 3, heading: 3}
