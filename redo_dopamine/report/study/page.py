"""Writes the report of a study.

In: the directory of a study. Out, in `<base_dir>/report/`: `index.html` and
`games.html`, which open without a network; `scores.csv`, `summary.csv`,
`improvements.csv` and `ends.csv`; every figure as PNG and SVG. A study without scores
has the tables `summary.csv`, `epochs.csv`, `layers.csv` and `zero_gradient.csv`.
"""

from pathlib import Path

from matplotlib.figure import Figure

from redo_dopamine.errors import UserError
from redo_dopamine.report import files, html, statistics
from redo_dopamine.report.study import (
    curves,
    ends,
    game_curves,
    games_page,
    scores,
    sections,
    zero_gradient,
)
from redo_dopamine.report.study import tables as epoch_tables
from redo_dopamine.report.study import tables as study_tables
from redo_dopamine.report.study.analysis import Analysis, analyse

SCORES = "scores.csv"
SUMMARY = "summary.csv"
IMPROVEMENTS = "improvements.csv"
EPOCHS = "epochs.csv"
LAYERS = "layers.csv"
DIRECTORY = "report"


def write_study(base_dir: Path, repeats: int) -> Path:
    """Writes the report of a study, over an earlier one if there.

    Args:
        base_dir: a directory that holds a `study.json`.
        repeats: of the bootstrap.

    Returns:
        The path of the page.

    Raises:
        UserError: `study.json` is not readable, or the report cannot be written.
    """
    analysis = analyse(base_dir, repeats)
    shown = sections.of(analysis.study)
    figures = {section.slug: section.draw(analysis) for section in shown}
    if analysis.study.scored:
        figures |= {c.slug: c.draw(analysis) for c in game_curves.CURVES}
    images = {slug: files.png(figure) for slug, figure in figures.items() if figure}
    pages = {"index.html": render(analysis, images), **_tables(analysis)}
    if analysis.study.scored:
        pages["games.html"] = games_page.render(analysis, images)
    target = base_dir / DIRECTORY
    try:
        files.make_directory(target)
        for slug, figure in figures.items():
            _write_figure(target / slug, figure, images.get(slug))
        for name, content in pages.items():
            files.write_whole(target / name, files.encode(content))
    except OSError as error:
        raise UserError(
            f"the report is written to {target}; that failed with: {error}. "
            "Make the directory writable, or copy the study to one that is."
        ) from error
    return target / "index.html"


def render(analysis: Analysis, images: dict[str, bytes]) -> str:
    """Returns the page as HTML.

    Args:
        analysis: what it is about.
        images: the PNG of each section that has one, by slug.
    """
    study = analysis.study
    parts = [
        f"<header><h1>{html.text(f'Study {study.name}')}</h1>",
        html.paragraph(_subject(analysis), "lead"),
        "</header><main>",
    ]
    if study.warning:
        parts.append(html.paragraph(f"{study.warning}.", "warning"))
    claim = [("the paper's claim", study.claim), ("source", study.source)]
    parts.append(html.definitions(claim))
    shown = sections.of(study)
    notes = list(analysis.notes)
    if study.scored or not images:
        notes += [
            f"{section.heading} is not shown: that needs {section.needs}."
            for section in shown
            if section.slug not in images and section.needs
        ]
    if notes:
        parts.append(html.bullets(notes, "notes"))
    parts += _scores(analysis) if study.scored else _epochs(analysis)
    for section in shown:
        if section.slug in images:
            parts.append(f"<section><h2>{html.text(section.heading)}</h2>")
            parts.append(figure(analysis, images, section.slug, section.caption))
            parts.append("</section>")
    parts += ["<h2>Runs</h2>", html.table(*study_tables.state_table(analysis))]
    problems = study_tables.problem_table(analysis)
    if len(problems):
        parts.append("<h3>Runs that are not counted</h3>")
        parts.append(html.table(problems, {}))
    else:
        parts.append(html.paragraph("Every run of the study is finished and counted."))
    parts.append("</main>")
    return html.page(f"Study {study.name}", "\n".join(parts))


def _tables(analysis: Analysis) -> dict[str, str]:
    """Returns the CSV files by name."""
    if analysis.study.scored:
        unit = analysis.study.unit
        points = analysis.scores.rename(columns={"frames": unit})
        tables = {
            SCORES: points,
            SUMMARY: analysis.summary(),
            IMPROVEMENTS: analysis.comparisons(),
            ends.ENDS: ends.ends(analysis),
        }
    else:
        tables = {
            EPOCHS: curves.table(analysis),
            SUMMARY: epoch_tables.summary(analysis),
        }
        layers = epoch_tables.by_layer(analysis)
        tables |= {LAYERS: layers} if len(layers) else {}
        silent = zero_gradient.by_layer(analysis)
        tables |= {zero_gradient.FILE: silent} if len(silent) else {}
    return {
        name: table.to_csv(index=False, lineterminator="\n")
        for name, table in tables.items()
    }


def _scores(analysis: Analysis) -> list[str]:
    """Returns the numbers of a study with scores, as HTML."""
    return [
        "<h2>Scores</h2>",
        html.table(*study_tables.summary_table(analysis)),
        *_comparisons(analysis),
        *(html.paragraph(text) for text in _method(analysis)),
        html.links(
            [SCORES, SUMMARY, IMPROVEMENTS, "games.html"], "As files, and by game"
        ),
    ]


def _comparisons(analysis: Analysis) -> list[str]:
    """Returns what the tests say of arms against one another, as HTML."""
    table = study_tables.comparison_table(analysis)
    heading = "<h3>Against one another</h3>"
    return [heading, html.table(table, {})] if len(table) else []


def _epochs(analysis: Analysis) -> list[str]:
    """Returns the numbers of a study without scores, as HTML."""
    parts = []
    paper = epoch_tables.beside_the_paper(analysis)
    if len(paper):
        parts += [
            "<h2>Dormant neurons beside the paper's</h2>",
            html.table(paper, {}),
        ]
        parts.append(html.paragraph(epoch_tables.PAPER_NOTE))
    parts += ["<h2>At the end</h2>", html.table(epoch_tables.ends(analysis), {})]
    parts.append(html.paragraph(epoch_tables.method(analysis)))
    parts.append(html.links([EPOCHS, SUMMARY], "As files"))
    parts += epoch_tables.layer_section(analysis, LAYERS)
    return [*parts, *zero_gradient.section(analysis)]


def figure(
    analysis: Analysis, images: dict[str, bytes], slug: str, caption: str
) -> str:
    """Returns a figure with its caption, the scale, and links to its files."""
    uri = files.data_uri(images[slug])
    alt = f"{slug.replace('_', ' ')} of study {analysis.study.name}"
    shown = html.figure(uri, alt, sections.caption(analysis, caption))
    return shown + html.links([f"{slug}.png", f"{slug}.svg"], "As files")


def _subject(analysis: Analysis) -> str:
    study = analysis.study
    done = sum(record.counts for record in analysis.records)
    game = "data set" if study.unit == curves.EPOCHS else "game"
    return (
        f"{_count(len(study.arms), 'arm')} × {_count(len(study.games), game)} × "
        f"{_count(len(study.seeds), 'seed')} of {study.length_run:,} {study.unit}; "
        f"{done} of {len(analysis.records)} runs are finished and counted."
    )


def _method(analysis: Analysis) -> list[str]:
    """Returns how the scores were computed, in sentences."""
    counts = scores.episodes(analysis.records, analysis.metric)
    if analysis.metric == scores.EVALUATION:
        what = "the evaluation after its last iteration"
        over = "episodes in that evaluation"
        other = "training in the last tenth of the agent steps"
    else:
        what = "the training episodes in the last tenth of its agent steps"
        over = "such episodes per run"
        other = "the last evaluation"
    number = "their number is not recorded"
    if counts:
        fewest, most = counts
        number = f"{fewest:,}" if fewest == most else f"{fewest:,} to {most:,}"
        number += f" {over}"
    score = (
        f"A run's score is the average return of {what} ({analysis.metric}; {number}), "
        f"{analysis.scale.name}: 0 is {analysis.scale.zero}, 1 {analysis.scale.one}. "
        f"{SCORES} has one row per run and iteration, of unfinished runs too."
    )
    if analysis.beside:
        score += f" The average return of {other} stands beside it."
    games = ", ".join(analysis.games) or "none"
    intervals = f"The unit is the run. Aggregates are over these games: {games}. "
    if len(analysis.games) == 1:
        intervals += (
            "In brackets: 95% intervals by Student's t; of the IQM by Tukey and "
            "McLaughlin's, of a difference of two means by Welch's."
        )
    else:
        intervals += (
            "In brackets: bootstrap 95% intervals (percentiles; games are drawn with "
            f"replacement, then runs within each; {analysis.repeats:,} repeats, random "
            f"state {statistics.RANDOM_STATE})."
        )
    intervals += (
        f" The number of seeds, n, is given where it is below {statistics.FEW_RUNS}. "
        "p is of the exact rank test within each game, two-sided and of that pair "
        "alone. Where it is not small, these runs do not show which arm is better."
    )
    return [score, intervals]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _write_figure(path: Path, figure: Figure | None, png: bytes | None) -> None:
    """Writes a figure as PNG and SVG, or removes what an earlier report left."""
    if figure is None or png is None:
        path.with_suffix(".png").unlink(missing_ok=True)
        path.with_suffix(".svg").unlink(missing_ok=True)
        return
    files.write_whole(path.with_suffix(".png"), png)
    files.write_whole(path.with_suffix(".svg"), files.svg(figure))
