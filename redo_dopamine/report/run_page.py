"""Writes the page of a run, or of several runs side by side.

In: a base directory. Out: `<base_dir>/report/index.html`, one file that opens without
a network, and the same figures as PNG files next to it.
"""

import dataclasses
import shlex
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from redo_dopamine.errors import UserError
from redo_dopamine.report import files, html, run_figures, summary
from redo_dopamine.report import run_figures as figures
from redo_dopamine.report.runs import Run, find_runs


@dataclasses.dataclass(frozen=True)
class Section:
    """One figure of the page.

    Attributes:
        slug: the name of its PNG file, without the ending.
        heading: what it is about.
        caption: how to read it, in one to three sentences.
        draw: draws the runs; None where no run recorded what it shows.
        needs: the metrics it is drawn from, as named in `metrics.csv`.
    """

    slug: str
    heading: str
    caption: str
    draw: Callable[[list[Run]], Figure | None]
    needs: str


SECTIONS = (
    Section(
        "return",
        "Return",
        "Each faint dot is one training episode; the strong line is the mean of the "
        "last 10 episodes, or of the last fortieth of the run's episodes where that "
        "is more. Squares are the averages of a training iteration, diamonds those of "
        "an evaluation. One agent step is 4 frames.",
        run_figures.returns,
        "train/episode_return, train/average_return, eval/average_return",
    ),
    Section(
        "dormant_fraction",
        "Dormant neurons",
        "The score of neuron i is s_i = mean|h_i(x)| divided by the layer's mean of "
        "that, over a batch (and over space for a convolution channel), with h the "
        "output after the activation; the neuron is dormant where s_i ≤ τ. "
        "Vertical lines, or triangles at the foot, mark recycles that recycled at "
        "least one neuron; dormancy is measured just before, so look for their effect "
        "at the next measurement.",
        figures.dormant_fraction,
        "dormant_fraction/<tau>",
    ),
    Section(
        "dormant_fraction_per_layer",
        "Dormant neurons by layer",
        "The same fraction within each layer, at the largest τ that was tracked; "
        "all panels have the same scale. Recycles are marked as above.",
        figures.dormant_fraction_per_layer,
        "dormant_fraction/<tau>/<layer>",
    ),
    Section(
        "overlap_per_layer",
        "Overlap of dormant neurons",
        "The overlap coefficient |X ∩ Y| / min(|X|, |Y|) of the dormant set now, X, "
        "and at the previous measurement, Y. At 1 the smaller set lies within the "
        "larger: neurons stay dormant; at 0 no neuron is in both. The curve has a gap "
        "where either set is empty.",
        figures.overlap_per_layer,
        "overlap/<tau>/<layer>",
    ),
    Section(
        "recycled_per_layer",
        "Neurons recycled",
        "How many neurons of each layer a recycle gave new incoming weights and zero "
        "outgoing weights. A recycle that found no dormant neuron counts 0.",
        figures.recycled_per_layer,
        "recycled/<layer>",
    ),
    Section(
        "loss",
        "Loss",
        "The training loss as recorded (faint) and its running mean over a fortieth "
        "of the recorded values (strong). Its scale follows the value function, so "
        "compare shapes rather than heights between games.",
        run_figures.loss,
        "loss",
    ),
)


def overview_table(runs: list[Run]) -> tuple[pd.DataFrame, dict[str, int]]:
    """Returns `summary.overview` under readable headings, and its decimals."""
    table = summary.overview(runs)
    headings = {
        "game": ("game", None),
        "agent": ("agent", None),
        "seed": ("seed", None),
        "agent_steps": ("agent steps", 0),
        "gradient_steps": ("gradient steps", 0),
        "episodes": ("episodes", 0),
        "final_return": (f"return, last {summary.LAST_EPISODES} episodes", 1),
        "recycled": ("neurons recycled", 0),
        "steps_per_second": ("agent steps per s", 1),
    }
    for name in table.columns:
        if name.startswith("dormant_fraction/"):
            # Without breaks, so that a narrow column keeps the equation whole.
            equation = f"τ = {name.split('/')[1]}".replace(" ", "\N{NO-BREAK SPACE}")
            headings[name] = (f"dormant at {equation}", 3)
    return _with_headings(table, headings)


def recycling_table(runs: list[Run]) -> tuple[pd.DataFrame, dict[str, int]] | None:
    """Returns what recycling did, by run and τ, and the table's decimals.

    None where no run has recycled a neuron between two measurements.
    """
    rows = []
    for run in runs:
        for tau in summary.taus(run):
            effect = summary.before_and_after(run, tau)
            if effect.recycles:
                rows.append({"run": run.label, "tau": f"{tau:g}", **effect._asdict()})
    if not rows:
        return None
    headings = {
        "tau": ("τ", None),
        "before": ("dormant at the recycle", 3),
        "after": ("dormant at the next measurement", 3),
        "recycles": ("recycles averaged", 0),
    }
    return _with_headings(pd.DataFrame(rows).set_index("run"), headings)


def recycled_table(runs: list[Run]) -> tuple[pd.DataFrame, dict[str, int]]:
    """Returns the neurons recycled over each whole run, by layer."""
    totals = {run.label: summary.recycled_per_layer(run) for run in runs}
    # Built row by row: the layers keep the order in which they were written.
    names = [layer for row in totals.values() for layer in row.index]
    layers = list(dict.fromkeys(names))
    table = pd.DataFrame(
        [row.reindex(layers, fill_value=0) for row in totals.values()],
        index=pd.Index(list(totals), name="run"),
        columns=layers,
    )
    return table, {layer: 0 for layer in layers}


def _with_headings(
    table: pd.DataFrame, headings: dict[str, tuple[str, int | None]]
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Renames columns; returns the decimals of those that hold numbers."""
    renamed = table.rename(columns={name: new for name, (new, _) in headings.items()})
    decimals = {new: digits for new, digits in headings.values() if digits is not None}
    return renamed, decimals


def write_page(base_dir: str | Path) -> Path:
    """Writes the page of the runs in `base_dir`, over an earlier one if there.

    Args:
        base_dir: a run directory, or a directory of run directories.

    Returns:
        The path of the page.

    Raises:
        UserError: there are no runs, a run is not readable, or the report cannot be
            written.
    """
    runs = find_runs(base_dir)
    images = _draw(runs)
    target = Path(base_dir) / "report"
    try:
        files.make_directory(target)
        for section in SECTIONS:
            png = target / f"{section.slug}.png"
            if section.slug in images:
                files.write_whole(png, images[section.slug])
            else:
                # An earlier report's figure would not belong to this page.
                png.unlink(missing_ok=True)
        page = target / "index.html"
        files.write_whole(page, files.encode(render(runs, images)))
    except OSError as error:
        raise UserError(
            f"the report is written to {target}; that failed with: {error}. "
            "Make the directory writable, or copy the runs to one that is."
        ) from error
    return page


def render(runs: list[Run], images: dict[str, bytes]) -> str:
    """Returns the page as HTML.

    Args:
        runs: what the tables, notes and configurations are about.
        images: the PNG of each section that has one, by slug.
    """
    games = sorted({str(run.info["game"]) for run in runs if run.info.get("game")})
    subject = ", ".join(games) or "unknown game"
    title = f"Dormant neurons in {subject}"
    labels = ", ".join(run.label for run in runs)
    runs_word = "1 run" if len(runs) == 1 else f"{len(runs)} runs"
    parts = [
        f"<header><h1>{html.text(title)}</h1>",
        f'<p class="lead">{html.text(f"{runs_word}: {labels}")}</p></header>',
        "<main>",
        _notes(runs, images),
        "<h2>Overview</h2>",
        html.table(*overview_table(runs)),
        _recycling(runs),
    ]
    for section in SECTIONS:
        if section.slug in images:
            uri = files.data_uri(images[section.slug])
            alt = f"{section.heading}, plotted for {labels}"
            parts.append(f"<section><h2>{html.text(section.heading)}</h2>")
            parts.append(html.figure(uri, alt, section.caption))
            parts.append("</section>")
    parts.append("<h2>How the runs were made</h2>")
    parts += [_provenance(run) for run in runs]
    parts.append("</main>")
    return html.page(f"{title}: {labels}", "\n".join(part for part in parts if part))


def _draw(runs: list[Run]) -> dict[str, bytes]:
    """Returns the PNG of each section that has something to show."""
    images = {}
    for section in SECTIONS:
        figure = section.draw(runs)
        if figure is not None:
            images[section.slug] = files.png(figure)
    return images


def _notes(runs: list[Run], images: dict[str, bytes]) -> str:
    """Returns what the reader should know before trusting the rest."""
    notes = [f"{run.label}: {note}" for run in runs for note in run.notes]
    notes += [
        f"{section.heading} is not shown: no run recorded {section.needs}."
        for section in SECTIONS
        if section.slug not in images
    ]
    return html.bullets(notes, "notes") if notes else ""


def _recycling(runs: list[Run]) -> str:
    """Returns the tables of what was recycled, and of what came of it."""
    totals, decimals = recycled_table(runs)
    if not len(totals.columns):
        return ""
    parts = ["<h3>Neurons recycled over the run, by layer</h3>"]
    parts.append(html.table(totals, decimals))
    effect = recycling_table(runs)
    if effect is not None:
        parts.append("<h3>Dormant fraction before and after a recycle</h3>")
        parts.append(html.table(*effect))
    return "\n".join(parts)


def _provenance(run: Run) -> str:
    """Returns the seed, commit, command, versions and configuration of a run."""
    info = run.info
    pairs: list[tuple[str, object]] = [("directory", run.path)]
    if info:
        command = info.get("command")
        if isinstance(command, list):
            command = shlex.join(str(word) for word in command)
        pairs += [(key, info.get(key)) for key in ("game", "agent", "seed")]
        pairs += [("command", command), ("git", _git(info.get("git")))]
        pairs += [("start", info.get("start")), ("end", info.get("end"))]
        versions = info.get("versions")
        if isinstance(versions, dict):
            versions = ", ".join(f"{name} {v}" for name, v in sorted(versions.items()))
        pairs.append(("versions", versions))
    parts = [f"<h3>{html.text(run.label)}</h3>", html.definitions(pairs)]
    if run.config is not None:
        parts.append(html.details("Configuration (config.gin)", run.config))
    return "\n".join(parts)


def _git(git: object) -> str | None:
    """Returns the commit in words, or None where it is not known."""
    if not isinstance(git, dict) or not git.get("commit"):
        return None
    dirty = git.get("dirty")
    if dirty is None:
        return f"commit {git['commit']}"
    state = "with uncommitted changes" if dirty else "clean"
    return f"commit {git['commit']}, {state}"
